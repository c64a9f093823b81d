"""Who else is at work: on the CPUs, and on a device whose driver lists processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: A process that uses less of a core than this is not worth a line.
BUSY_CORES = 0.05
#: Number of the namespace in which the machine's own process numbers hold (PROC_PID_INIT_INO, linux/proc_ns.h).
_MACHINE_NAMESPACE = "pid:[4026531836]"


@dataclass(frozen=True, slots=True)
class BusyProcess:
    """A process and the CPU time it took over the time it was watched for, in cores."""

    name: str
    pid: int
    cores: float


@dataclass(frozen=True, slots=True)
class _Usage:
    name: str
    parent: int
    started_s: float
    cpu_s: float


def busy_processes(look_s: float = 0.25, most: int = 5) -> tuple[BusyProcess, ...]:
    """The busiest processes that are not ours, busiest first, watched for `look_s` seconds.

    Ours are this process, what it started, and its process group. Processes that may not be looked at, or that begin
    or end meanwhile, are left out.
    """
    before, begun = _usages(), time.monotonic()
    time.sleep(look_s)
    after, elapsed = _usages(), time.monotonic() - begun
    found = [
        BusyProcess(usage.name, pid, round((usage.cpu_s - before[pid].cpu_s) / elapsed, 3))
        for pid, usage in after.items()
        if pid in before and before[pid].started_s == usage.started_s and not _is_ours(pid, after)
    ]
    busy = [process for process in found if process.cores > BUSY_CORES]
    return tuple(sorted(busy, key=lambda process: -process.cores)[:most])


def _usages() -> dict[int, _Usage]:
    import psutil

    found = {}
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                times = process.cpu_times()
                found[process.pid] = _Usage(
                    process.name(), process.ppid(), process.create_time(), times.user + times.system
                )
        except psutil.Error:  # ended meanwhile, or not ours to look at
            continue
    return found


def _is_ours(pid: int, processes: Mapping[int, _Usage]) -> bool:
    if _in_our_group(pid):
        return True
    seen: set[int] = set()
    while pid in processes and pid not in seen:
        if pid == os.getpid():
            return True
        seen.add(pid)
        pid = processes[pid].parent
    return False


def _in_our_group(pid: int) -> bool:
    if pid == os.getpid():
        return True
    try:
        return os.getpgid(pid) == os.getpgrp()
    except (AttributeError, OSError):  # no process groups on this system; ended, or not ours to ask about
        return False


def count_others(pids: Iterable[int], root: Path = Path("/")) -> int | None:
    """How many of the processes that a driver lists are neither this one nor of its process group; None if unknown.

    Drivers number processes as the machine does. A container with process numbers of its own cannot match them.
    """
    try:
        if str((root / "proc/self/ns/pid").readlink()) != _MACHINE_NAMESPACE:
            return None
    except OSError:  # a system without namespaces
        pass
    return sum(not _in_our_group(pid) for pid in set(pids))
