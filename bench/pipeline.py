"""Reading, working and writing at the same time, with a bounded number of items in between."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import Generic, TypeVar

_T = TypeVar("_T")
_U = TypeVar("_U")

#: Items that may wait between two stages: enough to even out a slow one, few enough to keep memory flat.
_DEPTH = 2


def run_stages(source: Generator[_T, None, None], work: Callable[[_T], _U], sink: Callable[[_U], None]) -> None:
    """Give every item of `source` to `work`, and every result to `sink`, in order.

    `source` runs in a thread of its own and so does `sink`; `work` runs in the caller's, since a session belongs to
    one thread. The first exception of any stage stops the others and is raised here, once both threads have ended; by
    then `source` is closed. What was handed to `sink` before is finished, unless `sink` itself failed.
    """
    stop = threading.Event()
    read: _Hose[_T] = _Hose(stop)
    done: _Hose[_U] = _Hose(stop)
    failures: list[BaseException] = []

    def guard(stage: Callable[[], None]) -> None:
        try:
            stage()
        except _Stopped:
            pass
        except BaseException as error:
            failures.append(error)
            stop.set()

    def pull() -> None:
        with closing(source):
            for item in source:
                read.put(item)
        read.end()

    def push() -> None:
        for result in done:
            sink(result)

    threads = [threading.Thread(target=guard, args=(stage,), name=stage.__name__) for stage in (pull, push)]
    for thread in threads:
        thread.start()
    try:
        for item in read:
            done.put(work(item))
    except _Stopped:
        pass
    except BaseException as error:
        failures.insert(0, error)
        read.drop()
    finally:
        done.end()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


class _Stopped(Exception):  # noqa: N818 - no error: another stage has failed, and its error is the one to tell
    """The others have given up."""


class _Hose(Generic[_T]):
    """A bounded queue with an end, which both sides leave when `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._queue: queue.Queue[tuple[_T] | None] = queue.Queue(_DEPTH)
        self._stop = stop
        self._dropped = threading.Event()

    def put(self, item: _T) -> None:
        self._put((item,))

    def end(self) -> None:
        """No more items; those that wait are still given out."""
        with suppress(_Stopped):
            self._put(None)

    def drop(self) -> None:
        """Nobody takes items any more."""
        self._dropped.set()

    def _put(self, item: tuple[_T] | None) -> None:
        while not (self._stop.is_set() or self._dropped.is_set()):
            try:
                return self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
        raise _Stopped

    def __iter__(self) -> Generator[_T, None, None]:
        while True:
            try:
                item = self._queue.get(timeout=0.1)
            except queue.Empty:
                if self._stop.is_set():
                    raise _Stopped from None
                continue
            if item is None:
                return
            yield item[0]
