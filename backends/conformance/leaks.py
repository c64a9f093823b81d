"""Does closing a session give back what opening it took?"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from backends.base import Feeds, Session
from backends.conformance.errors import ConformanceError
from backends.conformance.results import infer

WARM_UP_CYCLES = 5
#: Cycles between two readings, and how many times in a row something must have grown.
CYCLES = 8
BLOCKS = 3
#: Memory that counts, a cycle: the larger of this share of the session's inputs and outputs, and of the floor. Over 120
#: cycles PyTorch, ONNX Runtime and OpenVINO grew by up to 50 KiB a cycle in one block, and by nothing in the next.
SHARE = 1 / 8
FLOOR_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Usage:
    """What this process holds: resident bytes, open files (or handles), threads."""

    memory: int
    files: int
    threads: int


def check_leaks(open_session: Callable[[], Session], feeds: Feeds) -> None:
    """Resident memory, open files and threads must not grow with every open, inference and close.

    Memory counts from SHARE of the session's own inputs and outputs a cycle on, and from FLOOR_BYTES; the other two
    from one in two cycles on. Memory of a device other than the CPU is not seen.
    """
    buffers = 0
    for _ in range(WARM_UP_CYCLES):
        buffers = _cycle(open_session, feeds)
    limit = _Usage(CYCLES * max(int(SHARE * buffers), FLOOR_BYTES), CYCLES // 2, CYCLES // 2)
    first = before = _usage()
    growing = {"memory", "files", "threads"}
    for _ in range(BLOCKS):
        for _ in range(CYCLES):
            _cycle(open_session, feeds)
        after = _usage()
        growing = {what for what in growing if getattr(after, what) - getattr(before, what) >= getattr(limit, what)}
        if not growing:  # a leak grows in every block, an allocator's reserve only until it is large enough
            return
        before = after
    cycles = BLOCKS * CYCLES
    grown = {
        "memory": f"{(before.memory - first.memory) / 2**20:.1f} MiB of memory",
        "files": f"{before.files - first.files} open files",
        "threads": f"{before.threads - first.threads} threads",
    }
    raise ConformanceError(
        f"{cycles} times open, infer and close left {' and '.join(grown[what] for what in sorted(growing))} behind;"
        f" inputs and outputs are {buffers / 2**20:.1f} MiB a session: release everything in _close."
    )


def _cycle(open_session: Callable[[], Session], feeds: Feeds) -> int:
    """Bytes of the session's inputs and outputs."""
    with open_session() as session:
        outputs = infer(session, feeds)
    return sum(array.nbytes for array in (*feeds.values(), *outputs.values()))


def _usage() -> _Usage:
    import psutil

    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)  # glibc keeps freed memory; what is left after this is in use
    process = psutil.Process()
    files = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    return _Usage(process.memory_info().rss, files, process.num_threads())
