"""The same work on many independent pieces, in processes of their own where that pays."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from backends.host import usable_cpus
from bench.errors import UsageError

_T = TypeVar("_T")
_U = TypeVar("_U")

#: Pieces handed out and not yet fetched, for each process: bounds the memory that results take.
_AHEAD = 3


def map_pieces(work: Callable[[_T], _U], pieces: Sequence[_T], many: bool) -> Iterator[_U]:
    """`work` of every piece, in order; in a process for each usable CPU if there are `many`, else in this one.

    `work` is a module's function, pieces and results are picklable. Raises what `work` raises, and UsageError when a
    process was killed. No process is left when the iterator is closed or this process dies.
    """
    workers = min(len(usable_cpus()), len(pieces))
    if workers < 2 or not many:
        yield from map(work, pieces)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_serve)
    try:
        waiting: deque[Future[_U]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise UsageError("a process of ours was killed, most often for lack of memory; run again.") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _serve() -> None:
    """What a process begins with: Ctrl-C is for the parent to deal with, and nobody outlives it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
