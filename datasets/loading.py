"""Many entries -> arrays for the model: in order, by one worker or several, a bounded number of images ahead.

Who works: with `workers` = 1 the caller's thread. With more, that many threads, or processes where the dataset has its
own (`Kept`) and there are many images or the processes run already; the arrays are the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from datasets.attributes import Entry
from datasets.errors import DatasetError
from datasets.preprocess import SHAPE, preprocess_image
from datasets.processes import Kept
from datasets.spots import Spot

# Images a thread does per job, so that handing over a job costs little beside doing it.
_CHUNK: Final = 4
# Jobs finished or waiting beyond the running ones, so that a thread never waits for the caller.
_AHEAD: Final = 1


# A generator, so that a caller who stops early can close it.
Arrays = Generator[NDArray[np.float32], None, None]


class ImageFiles(Protocol):
    """What loading needs of a dataset; `datasets.celeba.CelebA` is one. `read` must work from any thread."""

    def read(self, entry: Entry) -> bytes: ...

    def where(self, entry: Entry) -> str: ...


@runtime_checkable
class Shared(ImageFiles, Protocol):
    """A dataset whose images processes can read, too, and which keeps the processes; none where `kept` is None."""

    kept: Kept | None

    def spot(self, entry: Entry) -> Spot: ...


class _Job(NamedTuple):
    entries: Sequence[Entry]
    out: NDArray[np.float32]  # (len(entries), 3, 128, 128)


def iter_images(dataset: ImageFiles, entries: Sequence[Entry], workers: int = 1) -> Arrays:
    """The entries' images in order, each (3, 128, 128) float32 in [-1, 1]; at most 8 * workers are ahead.

    `workers` threads or processes do the work; 1 means the caller's own thread, and none is started. Closing the
    iterator, or an exception, stops the threads before it returns; processes wait for the next call until the dataset
    is closed. Raises DatasetError at once for fewer than 1 worker, and while iterating for an image that cannot be read
    or decoded (see `datasets.preprocess.preprocess_image`), or if a process is lost.
    """
    batches = iter_batches(dataset, entries, _CHUNK, workers)

    def images() -> Arrays:
        try:
            for batch in batches:
                yield from batch
        finally:
            batches.close()

    return images()


def iter_batches(dataset: ImageFiles, entries: Sequence[Entry], batch_size: int, workers: int = 1) -> Arrays:
    """The entries' images in order as (n, 3, 128, 128) float32, n = `batch_size` but for the last batch.

    At most 2 * workers batches are ahead of the caller, each an array that stays as it is while anything refers to it.
    Workers and errors as in `iter_images`.
    """
    if batch_size < 1:
        raise DatasetError(f"batch_size is {batch_size}; give at least 1")
    return _stream(dataset, entries, batch_size, workers)


def load_batch(dataset: ImageFiles, entries: Sequence[Entry], workers: int = 1) -> NDArray[np.float32]:
    """All the entries' images in one (n, 3, 128, 128) float32 array. Workers and errors as in `iter_images`."""
    out = _empty(len(entries))
    for _ in _stream(dataset, entries, _CHUNK, workers, out):
        pass
    return out


def _empty(count: int) -> NDArray[np.float32]:
    return np.empty((count, *SHAPE), dtype=np.float32)


def _stream(
    dataset: ImageFiles, entries: Sequence[Entry], size: int, workers: int, out: NDArray[np.float32] | None = None
) -> Arrays:
    """Yield the images, `size` at a time, in arrays of their own or in `out`.

    Not a generator itself, so that a bad `workers` is told at once.
    """
    if workers < 1:
        raise DatasetError(f"workers is {workers}; give at least 1")
    if workers > 1 and isinstance(dataset, Shared) and dataset.kept is not None:
        return _shared(dataset, dataset.kept, entries, size, workers, out)
    return _local(dataset, entries, size, workers, out)


def _local(
    dataset: ImageFiles, entries: Sequence[Entry], size: int, workers: int, out: NDArray[np.float32] | None
) -> Arrays:
    jobs = (
        _Job(part, _empty(len(part)) if out is None else out[start : start + size])
        for start, part in _parts(entries, size)
    )
    return _serial(dataset, jobs) if workers == 1 else _threaded(dataset, jobs, workers)


def _shared(
    dataset: Shared, kept: Kept, entries: Sequence[Entry], size: int, workers: int, out: NDArray[np.float32] | None
) -> Arrays:
    """By processes, or by threads where processes do not pay."""
    processes = kept.take(workers, len(entries)) if entries else None
    if processes is None:
        yield from _local(dataset, entries, size, workers, out)
        return
    batches = (
        tuple((dataset.spot(entry), dataset.where(entry)) for entry in part) for _, part in _parts(entries, size)
    )
    try:
        if out is None:
            yield from processes.stream(batches, min(size, len(entries)))
            return
        with closing(processes.stream(batches, min(size, len(entries)))) as arrays:
            for start, array in zip(range(0, len(entries), size), arrays, strict=True):
                out[start : start + size] = array
                yield out[start : start + size]
    finally:
        kept.give_back(processes)


def _parts(entries: Sequence[Entry], size: int) -> Iterator[tuple[int, Sequence[Entry]]]:
    for start in range(0, len(entries), size):
        yield start, entries[start : start + size]


def _serial(dataset: ImageFiles, jobs: Iterator[_Job]) -> Arrays:
    for job in jobs:
        yield _fill(dataset, job)


def _threaded(dataset: ImageFiles, jobs: Iterator[_Job], workers: int) -> Arrays:
    """By threads: decoding, resizing and arithmetic run without the interpreter's lock, the rest takes turns."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="datasets")
    pending: deque[Future[NDArray[np.float32]]] = deque()
    try:
        pending.extend(pool.submit(_fill, dataset, job) for job in islice(jobs, workers + _AHEAD))
        while pending:
            done = pending.popleft().result()
            # The next job goes in before the caller gets this one, and only one: that bounds the memory.
            pending.extend(pool.submit(_fill, dataset, job) for job in islice(jobs, 1))
            yield done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _fill(dataset: ImageFiles, job: _Job) -> NDArray[np.float32]:
    for entry, out in zip(job.entries, job.out, strict=True):
        preprocess_image(dataset.read(entry), out, dataset.where(entry))
    return job.out
