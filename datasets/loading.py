"""Many entries -> arrays for the model: in order, by one thread or several, a bounded number of images ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from datasets.attributes import Entry
from datasets.errors import DatasetError
from datasets.preprocess import SHAPE, preprocess_image

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


class _Job(NamedTuple):
    entries: Sequence[Entry]
    out: NDArray[np.float32]  # (len(entries), 3, 128, 128)


def iter_images(dataset: ImageFiles, entries: Sequence[Entry], workers: int = 1) -> Arrays:
    """The entries' images in order, each (3, 128, 128) float32 in [-1, 1]; at most 4 * (workers + 1) are ahead.

    `workers` threads do the work; 1 means the caller's own, and none is started. Closing the iterator, or an
    exception, stops the threads before it returns. Raises DatasetError at once for fewer than 1 worker, and while
    iterating for an image that cannot be read or decoded (see `datasets.preprocess.preprocess_image`).
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

    At most workers + 1 batches are ahead of the caller, each a new array. Threads and errors as in `iter_images`.
    """
    if batch_size < 1:
        raise DatasetError(f"batch_size is {batch_size}; give at least 1")
    starts = range(0, len(entries), batch_size)
    parts = (entries[start : start + batch_size] for start in starts)
    return _stream(dataset, (_Job(part, _empty(len(part))) for part in parts), workers)


def load_batch(dataset: ImageFiles, entries: Sequence[Entry], workers: int = 1) -> NDArray[np.float32]:
    """All the entries' images in one (n, 3, 128, 128) float32 array. Threads and errors as in `iter_images`."""
    out = _empty(len(entries))
    starts = range(0, len(entries), _CHUNK)
    jobs = (_Job(entries[start : start + _CHUNK], out[start : start + _CHUNK]) for start in starts)
    for _ in _stream(dataset, jobs, workers):
        pass
    return out


def _empty(count: int) -> NDArray[np.float32]:
    return np.empty((count, *SHAPE), dtype=np.float32)


def _stream(dataset: ImageFiles, jobs: Iterator[_Job], workers: int) -> Arrays:
    """Do the jobs and yield their `out` in order. Not a generator itself, so that a bad `workers` is told at once."""
    if workers < 1:
        raise DatasetError(f"workers is {workers}; give at least 1")
    return _serial(dataset, jobs) if workers == 1 else _threaded(dataset, jobs, workers)


def _serial(dataset: ImageFiles, jobs: Iterator[_Job]) -> Arrays:
    for job in jobs:
        yield _fill(dataset, job)


def _threaded(dataset: ImageFiles, jobs: Iterator[_Job], workers: int) -> Arrays:
    """Threads, not processes: decoding, resizing and numpy's arithmetic run without the interpreter's lock.

    Two processes get about a quarter more out of two cores, but each would have to open a zip of 202,599 members
    itself, for seconds, and forking is unsafe once an inference engine has started its own threads.
    """
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
