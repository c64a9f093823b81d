"""A process that `datasets.processes` started: it reads and decodes images into memory shared with its parent.

It ends with the connection to its parent, however that ended.
"""

from __future__ import annotations

import mmap
import os
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import DatasetError
from datasets.preprocess import SHAPE, preprocess_image
from datasets.spots import FileSpot, Spot, unreadable

# A process that was forked off elsewhere may hold the parent's end open, so the parent's death is looked for, too.
_LOOK_S: Final = 1.0


class Memory(NamedTuple):
    """The images' places from now on. Its descriptor follows; `limit` is Pillow's of the parent."""

    images: int
    limit: int | None


class Job(NamedTuple):
    """Images to put from place `first` on; each has a name for messages."""

    number: int
    first: int
    images: tuple[tuple[Spot, str], ...]


class Done(NamedTuple):
    """A job's end: no error, or that of its first bad image."""

    number: int
    error: str = ""


def main(descriptor: int, parent: int) -> None:
    """Do jobs until the parent closes the connection or is gone."""
    connection: Connection[Done, Memory | Job] = Connection(descriptor)
    archives: dict[str, BinaryIO] = {}
    places: NDArray[np.float32] = np.empty((0, *SHAPE), np.float32)
    try:
        while True:
            while not connection.poll(_LOOK_S):
                if os.getppid() != parent:
                    return
            message = connection.recv()
            if isinstance(message, Memory):
                Image.MAX_IMAGE_PIXELS = message.limit
                places = _places(recv_handle(connection), message.images)
            else:
                connection.send(_do(message, places, archives))
    except (EOFError, ConnectionError):
        return


def _places(descriptor: int, images: int) -> NDArray[np.float32]:
    with os.fdopen(descriptor, "r+b", buffering=0) as file:  # closes it; the mapping stays
        memory = mmap.mmap(file.fileno(), 0)
    return np.frombuffer(memory, np.float32).reshape(images, *SHAPE)


def _do(job: Job, places: NDArray[np.float32], archives: dict[str, BinaryIO]) -> Done:
    try:
        for place, (spot, where) in enumerate(job.images, start=job.first):
            preprocess_image(_read(spot, archives), places[place], where)
    except DatasetError as error:
        return Done(job.number, str(error))
    return Done(job.number)


def _read(spot: Spot, archives: dict[str, BinaryIO]) -> bytes:
    if isinstance(spot, FileSpot):
        return spot.read()
    if spot.archive not in archives:
        try:
            archives[spot.archive] = Path(spot.archive).open("rb")  # noqa: SIM115 - as long as the process lives
        except OSError as error:
            raise unreadable(spot.shown, spot.member, error) from error
    return spot.read(archives[spot.archive])
