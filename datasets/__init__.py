"""The files that go into a model: CelebA from a folder or zip, StarGAN's preprocessing, synthetic tensors.

Names are imported on first use, so `import datasets` itself loads neither numpy nor Pillow.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from datasets.errors import DatasetError

if TYPE_CHECKING:
    from datasets.attributes import Entry
    from datasets.celeba import DEFAULT_ATTRIBUTES, HAIR_COLOURS, CelebA, Split, target_labels
    from datasets.loading import iter_batches, iter_images, load_batch
    from datasets.preprocess import preprocess_image
    from datasets.synthetic import random_tensor

__all__ = [
    "DEFAULT_ATTRIBUTES",
    "HAIR_COLOURS",
    "CelebA",
    "DatasetError",
    "Entry",
    "Split",
    "iter_batches",
    "iter_images",
    "load_batch",
    "preprocess_image",
    "random_tensor",
    "sample_folder",
    "target_labels",
]

_HOME: Final = {
    "DEFAULT_ATTRIBUTES": "datasets.celeba",
    "HAIR_COLOURS": "datasets.celeba",
    "CelebA": "datasets.celeba",
    "Entry": "datasets.attributes",
    "Split": "datasets.celeba",
    "iter_batches": "datasets.loading",
    "iter_images": "datasets.loading",
    "load_batch": "datasets.loading",
    "preprocess_image": "datasets.preprocess",
    "random_tensor": "datasets.synthetic",
    "target_labels": "datasets.celeba",
}


def sample_folder() -> Path:
    """The bundled sample in CelebA's own layout: `CelebA.open(sample_folder())`; see SOURCE.md in it."""
    return Path(__file__).resolve().parent / "sample"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
