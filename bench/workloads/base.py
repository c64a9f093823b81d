"""What is run: a workload turns files into a model, inputs and a reference, once a run; cells then only load them."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np

from backends.base import Array, Feeds, Model
from bench.errors import UsageError
from bench.plan import WorkloadSpec
from reports.files import atomic_path
from reports.records import WorkloadInfo

#: Folder of the cache; raise it when the files in it change their form or meaning, so that old ones are left alone.
CACHE_VERSION = "v2"
#: Folder in it of what vendors' tools made.
CONVERTED = "converted"
#: `end-to-end` rotates through this many different host batches, so that no cache of results can hide in it.
HOST_BATCHES = 8


class Materials(msgspec.Struct, frozen=True, kw_only=True):
    """Files that a prepared workload left in the cache; paths are absolute."""

    info: WorkloadInfo
    onnx: str | None
    inputs: str
    #: batch size -> .npz with the reference outputs of host batch 0
    references: dict[str, str]
    weights: str | None = None
    #: where backends may keep what they build
    cache: str | None = None


class Workload(ABC):
    """One kind of model with its inputs and its reference."""

    name: ClassVar[str]
    #: outputs that are pictures, (n, 3, h, h) in [-1, 1]: judged image by image, and shown
    picture_outputs: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def materialise(
        self, spec: WorkloadSpec, batches: Sequence[int], cache: Path, say: Callable[[str], None]
    ) -> Materials:
        """Make (or find in the cache) the model file, the inputs and the reference outputs.

        `say` is told what is being done, in a few words. Raises UsageError or datasets' DatasetError for bad files.
        """

    @abstractmethod
    def model(self, spec: WorkloadSpec, materials: Materials, batch: int) -> Model:
        """The model at one batch size."""

    @abstractmethod
    def host_batches(self, spec: WorkloadSpec, materials: Materials, batch: int) -> list[Feeds]:
        """HOST_BATCHES different inputs; batch 0 is the one whose reference outputs are known."""

    def reference(self, materials: Materials, batch: int) -> dict[str, Array]:
        """Reference outputs of host batch 0."""
        return load_arrays(Path(materials.references[str(batch)]))


@contextmanager
def cache_file(path: Path) -> Iterator[Path]:
    """`atomic_path` for a file of the cache. Raises UsageError when it cannot be written or the disk is full."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror or error}; free some space, or name another folder with --cache."
        ) from error


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write named arrays as an .npz, atomically. Raises UsageError."""
    # Tensor names are free text and may be those of numpy's own parameters, so they are data, not keywords.
    numbered: dict[str, Any] = {f"array{index}": array for index, array in enumerate(arrays.values())}
    with cache_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, names=np.array(list(arrays), dtype=np.str_), **numbered)


def load_arrays(path: Path) -> dict[str, Array]:
    """Read an .npz that `save_arrays` wrote. Raises UsageError when it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {str(name): archive[f"array{index}"] for index, name in enumerate(archive["names"])}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"{path} in the cache is damaged ({error}); delete it and run again.") from None


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_arrays(arrays: Mapping[str, Array]) -> str:
    """Hex digest over names, shapes, dtypes and bytes, in the mapping's order."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def key_of(*parts: object) -> str:
    """Short content key for a cache file."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24]
