"""CelebA as StarGAN uses it: entries with selected labels, the published split, and the target labels."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from datasets.attributes import AttributeTable, Entry, parse_attributes
from datasets.errors import DatasetError
from datasets.processes import SUPPORTED, Kept
from datasets.sources import Source, open_source
from datasets.spots import Spot

DEFAULT_ATTRIBUTES: Final = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
HAIR_COLOURS: Final = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")

_SPLIT_SEED: Final = 1234
# The published loader puts entry i, counted from 0 after the shuffle, in the test set if i + 1 < 2000.
TEST_ENTRIES: Final = 1999


@dataclass(frozen=True, slots=True)
class Split:
    """The published split, each part in the order the shuffle left it in."""

    train: tuple[Entry, ...]
    test: tuple[Entry, ...]


class CelebA:
    """An opened CelebA folder or .zip: `entries` in file order, `attributes` as selected, `names` all of them.

    Any number of threads may call `read`. It holds an open file for a zip, and worker processes once many images were
    loaded with several workers (see `datasets.processes`), so it is not picklable, and `close` is not to be forgotten.
    """

    def __init__(self, path: Path, source: Source, table: AttributeTable, attributes: tuple[str, ...]) -> None:
        self.path = path
        self.names = table.names
        self.entries = table.entries
        self.attributes = attributes
        self._source = source
        self.kept = Kept() if SUPPORTED and source.movable else None

    @classmethod
    def open(cls, path: Path, attributes: Sequence[str] = DEFAULT_ATTRIBUTES) -> CelebA:
        """Open a folder, or a .zip without extracting it, and check its list and that every image is there.

        Raises DatasetError for a missing or unsafe path or member, a zip that is damaged or encrypted, a list
        that breaks the format (naming its line), an unknown attribute, or an image that is not there.
        """
        source = open_source(path)
        try:
            table = parse_attributes(source.read_attributes(), attributes, source.attribute_file)
            present = source.image_names()
            for entry in table.entries:
                if entry.filename not in present:
                    raise DatasetError(
                        f"{source.attribute_file} line {entry.line}: {entry.filename!r} is not in {source.images}; "
                        "add the image or remove its line and correct the count"
                    )
        except BaseException:
            source.close()
            raise
        return cls(path, source, table, tuple(attributes))

    def split(self) -> Split:
        """The split of the published loader (github.com/yunjey/stargan): 1,999 test entries, the rest train.

        A list of fewer than 2,000 entries is all test.
        """
        shuffled = list(self.entries)
        random.Random(_SPLIT_SEED).shuffle(shuffled)
        return Split(train=tuple(shuffled[TEST_ENTRIES:]), test=tuple(shuffled[:TEST_ENTRIES]))

    def labels(self, entries: Sequence[Entry]) -> NDArray[np.float32]:
        """The selected labels as (n, c) float32 of 0 and 1, in the order of `attributes`."""
        rows = [entry.labels for entry in entries]
        return np.array(rows, dtype=np.float32).reshape(len(rows), len(self.attributes))

    def read(self, entry: Entry) -> bytes:
        """The entry's image file as it is stored. Raises DatasetError if it cannot be read."""
        return self._source.read_image(entry.filename)

    def spot(self, entry: Entry) -> Spot:
        """Where a worker process finds the entry's image file. Raises DatasetError if it could not read it."""
        return self._source.spot(entry.filename)

    def where(self, entry: Entry) -> str:
        """The entry in words, for messages: its images folder or zip member, and its file name."""
        return f"{self._source.images}/{entry.filename}"

    def close(self) -> None:
        """Stop worker processes, if there are any, and close the zip, if it is one; it cannot be read after that."""
        if self.kept is not None:
            self.kept.close()
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def target_labels(original: NDArray[np.float32], attributes: Sequence[str]) -> NDArray[np.float32]:
    """StarGAN's target labels, (n, c) float32 of 0 and 1 -> (c, n, c) float32: block i asks for attribute i.

    If attribute i is a hair colour it is set and the other selected hair colours are cleared; any other
    attribute is flipped. Raises DatasetError if the shape does not fit `attributes` or a value is not 0 or 1.
    """
    if original.ndim != 2 or original.shape[1] != len(attributes):
        raise DatasetError(
            f"original labels have shape {original.shape} but {len(attributes)} attributes are selected; "
            "give an array (n, attributes)"
        )
    if not np.isin(original, (0.0, 1.0)).all():
        raise DatasetError("original labels hold a value that is not 0 or 1; map CelebA's -1 to 0 first")
    hair = [index for index, name in enumerate(attributes) if name in HAIR_COLOURS]
    targets = np.repeat(original[np.newaxis].astype(np.float32), len(attributes), axis=0)
    for index in range(len(attributes)):
        if index in hair:
            targets[index][:, hair] = 0.0
            targets[index][:, index] = 1.0
        else:
            targets[index][:, index] = 1.0 - original[:, index]
    return targets
