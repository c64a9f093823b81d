"""Worker processes for pictures: started once for a dataset, fed with jobs, handing back shared memory.

Threads contend for the interpreter's lock: two of them give about 1.6 times the images of one, two processes 1.9
times. Starting them takes as long as several hundred images, so they are started only for many images, and then
kept until the dataset is closed. They are fresh interpreters (never forked: an inference engine may have threads), and
import Pillow and numpy but no engine.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Generator, Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import DatasetError
from datasets.preprocess import SHAPE
from datasets.process_worker import Done, Job, Memory
from datasets.spots import Spot

#: Memory without a name, and an interpreter to start: Linux.
SUPPORTED: Final = hasattr(os, "memfd_create") and bool(sys.executable)
#: From this many images on it pays to start processes: two threads were done with 1,000 in 0.5 s, two processes, from
#: their start, in 0.65 s; with 2,000 both in about 1.1 s.
START_FROM: Final = 2000
#: Jobs of a process: one that it does and one that waits, so that it never waits for its parent.
_JOBS: Final = 2
#: Batches that a caller may hold on to before the next ones are copied for it: the last one and the one before.
_HELD: Final = 2
_END_S: Final = 5.0

_IMAGE_BYTES: Final = int(np.prod(SHAPE)) * np.dtype(np.float32).itemsize
# sys.path as here, so that the same packages are found, and this package first.
_CODE: Final = "import sys; sys.path[:] = {path!r}; from datasets.process_worker import main; main({end}, {parent})"
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Item = tuple[Spot, str]


class Processes:
    """Running worker processes, for one stream of batches at a time. All are dead after `stop`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._workers: list[_Worker] = []
        self._done: dict[int, str] = {}  # jobs that have ended, each with its error or nothing
        # Also when this object is forgotten, and when the interpreter ends.
        self.stop = weakref.finalize(self, _stop, self._workers, os.getpid())
        try:
            for _ in range(count):
                self._workers.append(_Worker())
        except BaseException:
            self.stop()
            raise

    @property
    def usable(self) -> bool:
        """Whether every process lives, and is a child of this one (not so after a fork)."""
        return self.stop.alive and all(worker.lives() for worker in self._workers)

    def stream(self, batches: Iterable[tuple[Item, ...]], size: int) -> Generator[NDArray[np.float32], None, None]:
        """Each batch, of up to `size` images, as a new (n, 3, 128, 128) float32 array, in order.

        At most twice as many batches as processes are ahead. The arrays lie in shared memory, which is used again
        once nothing refers to an array any more. Raises DatasetError for an image that cannot be read or decoded, and
        if a process is lost; then all are stopped.
        """
        places = _Places(_JOBS * self.count + _HELD, size)
        jobs = enumerate(batches)
        sent: deque[tuple[int, int, int]] = deque()  # number, slot, images
        try:
            with places.file as file:
                self._share(places.images, file.fileno())
            while True:
                while len(sent) < _JOBS * self.count and places.free and (job := next(jobs, None)):
                    number, images = job
                    slot = places.free.popleft()
                    self._send(Job(number, slot * size, images))
                    sent.append((number, slot, len(images)))
                if not sent:
                    return
                number, slot, count = sent.popleft()
                self._await(number)
                array = places.hand_over(slot, count)
                yield array
                del array  # else this frame would hold on to it
        except (Exception, GeneratorExit):
            self._drain(number for number, _, _ in sent)
            raise
        except BaseException:  # Ctrl-C may have cut a message in two
            self.stop()
            raise

    def _share(self, images: int, descriptor: int) -> None:
        for worker in self._workers:
            with self._told(worker):
                worker.connection.send(Memory(images, Image.MAX_IMAGE_PIXELS))
                send_handle(worker.connection, descriptor, worker.child.pid)

    def _send(self, job: Job) -> None:
        worker = min(self._workers, key=lambda worker: worker.jobs)
        with self._told(worker):
            worker.connection.send(job)
        worker.jobs += 1

    def _await(self, number: int, ignore: bool = False) -> None:
        while number not in self._done:
            ready = wait([worker.connection for worker in self._workers])
            for worker in self._workers:
                if worker.connection in ready:
                    with self._told(worker):
                        done = worker.connection.recv()
                    worker.jobs -= 1
                    self._done[done.number] = done.error
        error = self._done.pop(number)
        if error and not ignore:
            raise DatasetError(error)

    def _drain(self, numbers: Iterable[int]) -> None:
        """Wait for what was sent, so that the next stream finds idle processes, unless they are stopped or lost."""
        if self.usable:
            with contextlib.suppress(DatasetError):  # one is lost now
                for number in numbers:
                    self._await(number, ignore=True)

    @contextlib.contextmanager
    def _told(self, worker: _Worker) -> Generator[None, None, None]:
        try:
            yield
        except (EOFError, ConnectionError) as error:
            how = worker.ending()
            self.stop()
            raise DatasetError(
                f"a process that prepares images {how}; is memory short? try it again, or with fewer workers"
            ) from error


class _Worker:
    """One process, its connection, and how many jobs it has."""

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parents[1])
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                code = _CODE.format(path=[root, *map(str, sys.path)], end=theirs.fileno(), parent=os.getpid())
                self.child = subprocess.Popen(
                    [sys.executable, "-P", "-c", code],
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),), env={**os.environ, **_ONE_THREAD},
                    process_group=0,  # Ctrl-C is for the parent to deal with
                )  # fmt: skip
            except BaseException:
                ours.close()
                raise
        self.connection: Connection[Memory | Job, Done] = Connection(ours.detach())
        self.jobs = 0

    def lives(self) -> bool:
        return self.child.poll() is None

    def ending(self) -> str:
        """How it ended, in words, now that its connection has."""
        try:
            status = self.child.wait(_END_S)
        except subprocess.TimeoutExpired:
            return "went silent"
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"ended by itself with status {status}"


def _stop(workers: list[_Worker], owner: int) -> None:
    if os.getpid() != owner:  # forked: they are the parent's
        return
    for worker in workers:
        worker.child.kill()  # it holds nothing that it would have to give back
    for worker in workers:
        worker.child.wait()
        worker.connection.close()


class _Places:
    """Shared memory for `slots` batches of up to `images` images each; it has no name that could be left behind."""

    def __init__(self, slots: int, images: int) -> None:
        self._slot_bytes = images * _IMAGE_BYTES
        self.images = slots * images
        self.free = deque(range(slots))
        self.file = os.fdopen(os.memfd_create("datasets"), "r+b", buffering=0)
        try:
            self.file.truncate(slots * self._slot_bytes)
            self._memory = mmap.mmap(self.file.fileno(), 0)
        except BaseException:
            self.file.close()
            raise

    def hand_over(self, slot: int, count: int) -> NDArray[np.float32]:
        """The slot's first images: the memory itself as long as there is more, else a copy of it."""
        values = count * _IMAGE_BYTES // np.dtype(np.float32).itemsize
        flat = np.frombuffer(self._memory, np.float32, values, slot * self._slot_bytes)
        if not self.free:
            copy = flat.reshape(count, *SHAPE).copy()
            self.free.append(slot)
            return copy
        # Every view of `flat`, and what torch makes of one, refers to `flat`: when it goes, nobody sees the slot.
        weakref.finalize(flat, self.free.append, slot).atexit = False
        return flat.reshape(count, *SHAPE)


class Kept:
    """A dataset's processes between two streams, until it is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: Processes | None = None
        self._closed = False

    def take(self, count: int, images: int) -> Processes | None:
        """`count` running processes; None if there are none and it does not pay to start them for so few images."""
        with self._lock:
            idle = self._idle
            if idle is not None and idle.count == count and idle.usable:
                self._idle = None
                return idle
        return Processes(count) if images >= START_FROM else None

    def give_back(self, processes: Processes) -> None:
        """Keep them for the next stream, instead of others that are kept."""
        out: Processes | None = processes
        with self._lock:
            if not self._closed and processes.usable:
                out, self._idle = self._idle, processes
        if out is not None:
            out.stop()

    def close(self) -> None:
        """Stop them; those of a stream that still runs are stopped when it ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, None
        if idle is not None:
            idle.stop()
