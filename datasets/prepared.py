"""The inputs that msame and ais_bench read: pairs of `img/<i>.bin` and `attr/<i>.bin`, a batch in each.

Pair 5·b + t is batch b with target attribute t, as the published pre-processing numbers them: for every batch the
targets in order, from 0 on. Values are float32, images NCHW.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from datasets.attributes import Entry
from datasets.celeba import CelebA, target_labels
from datasets.errors import DatasetError
from datasets.loading import iter_batches
from datasets.preprocess import SHAPE
from datasets.tensors import read_tensor

IMAGES: Final = "img"
ATTRIBUTES: Final = "attr"
#: Target attributes of StarGAN's published generator; one translation of every image for each.
TARGETS: Final = 5

#: The record of a folder of pairs, in the folder that holds `bin`.
RECORD: Final = "prepare.json"

_BYTES: Final = np.dtype(np.float32).itemsize
_FINGERPRINTED: Final = 16
_BEGINNING: Final = 4096


class PreparedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`prepare.json`: what the pairs in a folder were made of. `images` are real ones, without the last's padding."""

    schema: int = 1
    inputs_sha256: str
    inputs: str
    attributes: list[str]
    batch: int
    images: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Images and their labels at one batch size; where there are too few, the last image is repeated."""

    images: NDArray[np.float32]  # (n, 3, 128, 128)
    targets: NDArray[np.float32]  # (5, n, 5): block t asks for attribute t


def iter_padded(celeba: CelebA, entries: Sequence[Entry], batch: int, workers: int = 1) -> Generator[Batch, None, None]:
    """The entries in batches, the last one filled up to `batch`. Raises DatasetError, see `datasets.loading`."""
    batches = iter_batches(celeba, entries, batch, workers)
    with closing(batches):
        for number, images in enumerate(batches):
            labels = celeba.labels(entries[number * batch : (number + 1) * batch])
            padding = batch - len(images)
            if padding:
                images = np.concatenate([images, np.repeat(images[-1:], padding, axis=0)])
                labels = np.concatenate([labels, np.repeat(labels[-1:], padding, axis=0)])
            yield Batch(images, target_labels(labels, celeba.attributes))


def fingerprint(celeba: CelebA, entries: Sequence[Entry]) -> str:
    """Identifies the images and labels of a list of entries: `celeba:` and a SHA-256.

    Over the attributes, every name with its labels, and the bytes of the first images: all 1,999 would take seconds.
    """
    digest = hashlib.sha256("|".join(celeba.attributes).encode())
    for entry in entries:
        digest.update(f"{entry.filename}{entry.labels}".encode())
    for entry in entries[:_FINGERPRINTED]:
        digest.update(celeba.read(entry))
    return f"celeba:{digest.hexdigest()}"


@dataclass(frozen=True, slots=True)
class Pairs:
    """A folder of pairs, looked through: `count` of them, each of `batch` images."""

    folder: Path
    batch: int
    count: int

    def paths(self, index: int) -> tuple[Path, Path]:
        """The image and the attribute file of a pair."""
        return self.folder / IMAGES / f"{index}.bin", self.folder / ATTRIBUTES / f"{index}.bin"

    def record(self) -> PreparedRecord | None:
        """What the pairs were made of; None where they were made by something else. Raises DatasetError."""
        path = next((p for p in (self.folder.parent / RECORD, self.folder / RECORD) if p.is_file()), None)
        return read_record(path) if path else None

    def fingerprint(self) -> str:
        """Identifies pairs of unknown origin: `bins:` and a SHA-256 of labels and of the beginnings of the images."""
        digest = hashlib.sha256()
        for index in range(self.count):
            images, attributes = self.paths(index)
            try:
                digest.update(attributes.read_bytes())
                with images.open("rb") as file:
                    digest.update(file.read(_BEGINNING))
            except OSError as error:
                raise DatasetError(f"{error.filename}: cannot be read ({error.strerror}); check the file") from None
        return f"bins:{digest.hexdigest()}"

    def read(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(batch, 3, 128, 128) and (batch, 5) float32. Raises DatasetError."""
        images, attributes = self.paths(index)
        return read_tensor(images, (self.batch, *SHAPE)), read_tensor(attributes, (self.batch, TARGETS))


def read_record(path: Path) -> PreparedRecord:
    """Read a `prepare.json`. Raises DatasetError for one that is damaged or of another version."""
    try:
        record = msgspec.json.decode(path.read_bytes(), type=PreparedRecord)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: is damaged ({error}); prepare into a new folder") from None
    if record.schema != 1 or record.batch < 1 or record.images < 1:
        raise DatasetError(f"{path}: is of another version; use the bench that wrote it, or prepare into a new folder")
    return record


def find_pairs(path: Path, batch: int | None = None) -> Pairs:
    """The pairs in a folder with `img` and `attr`, or in its folder `bin`; the batch size is told by the files' sizes.

    Raises DatasetError: not such a folder, a file without its partner, a gap in the numbers, a number of pairs that is
    no multiple of 5, or a size that is not that of `batch` (of the first pair's batch, where none is given).
    """
    folder = next((f for f in (path, path / "bin") if (f / IMAGES).is_dir() and (f / ATTRIBUTES).is_dir()), None)
    if folder is None:
        raise DatasetError(f"{path}: has no folders {IMAGES} and {ATTRIBUTES}; give one that `bench prepare` made")
    images, attributes = _numbered(folder / IMAGES), _numbered(folder / ATTRIBUTES)
    alone = sorted(set(images) ^ set(attributes))
    if alone:
        has, lacks = (IMAGES, ATTRIBUTES) if alone[0] in images else (ATTRIBUTES, IMAGES)
        raise DatasetError(
            f"{folder / has / f'{alone[0]}.bin'}: has no partner {folder / lacks / f'{alone[0]}.bin'}; prepare it again"
        )
    if not images:
        raise DatasetError(f"{folder}: holds no pairs 0.bin, 1.bin, ...; make them with `bench prepare`")
    gap = next((index for index in range(len(images)) if index not in images), None)
    if gap is not None:
        raise DatasetError(f"{folder / IMAGES}: {gap}.bin is missing, though there is {max(images)}.bin; prepare again")
    if len(images) % TARGETS:
        raise DatasetError(
            f"{folder}: {len(images)} pairs, no multiple of {TARGETS} target attributes; the last batch is incomplete,"
            " prepare it again"
        )
    size = batch or _batch_of(folder / IMAGES / "0.bin", images[0])
    for index in range(len(images)):
        _check_size(folder / IMAGES / f"{index}.bin", images[index], (size, *SHAPE))
        _check_size(folder / ATTRIBUTES / f"{index}.bin", attributes[index], (size, TARGETS))
    return Pairs(folder, size, len(images))


def _batch_of(path: Path, size: int) -> int:
    image = math.prod(SHAPE) * _BYTES
    if size == 0 or size % image:
        raise DatasetError(
            f"{path}: {size} bytes, expected a multiple of {image} (one float32 image); prepare it again"
        )
    return size // image


def _check_size(path: Path, size: int, shape: tuple[int, ...]) -> None:
    expected = math.prod(shape) * _BYTES
    if size != expected:
        image = expected // shape[0]
        fits = f" (that is a batch of {size // image})" if size and size % image == 0 else ""
        raise DatasetError(
            f"{path}: {size} bytes{fits}, expected {expected} for a batch of {shape[0]}; check --bs or prepare it again"
        )


def _numbered(folder: Path) -> dict[int, int]:
    """Number and size of every `<i>.bin`. Raises DatasetError for other .bin files."""
    sizes: dict[int, int] = {}
    try:
        for item in folder.iterdir():
            if item.suffix != ".bin" or item.name.startswith("."):
                continue
            if not (item.stem.isascii() and item.stem.isdecimal()) or str(int(item.stem)) != item.stem:
                raise DatasetError(f"{item}: is no numbered input; they are named 0.bin, 1.bin, ...")
            sizes[int(item.stem)] = item.stat().st_size
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror or error}); check it") from None
    return sizes
