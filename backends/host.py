"""What the host offers a runtime: CPU name, cores that this process may use, installed packages.

Everything is read from files and package metadata, so that a probe imports no vendor runtime.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

from backends.base import Device, DeviceInfo
from backends.cgroup import cpu_limit, read

CPU = Device("cpu")


def cpu_name() -> str:
    """Marketing name of the CPU, or the machine type where the system does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match.group(1).strip() if match else platform.machine()


def usable_cpus() -> frozenset[int]:
    """Logical CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def physical_cores() -> int:
    """Number of physical cores among the usable CPUs; the default thread count of every CPU engine here.

    Hyper-threads share one core's arithmetic units, and engines by default disagree on whether to use
    them; one explicit number keeps the comparison fair. A container's quota is rounded down, to at least 1.
    """
    quota = cpu_limit()
    cores = len(_cores())
    return cores if quota is None else min(cores, max(1, int(quota)))


def core_groups(count: int) -> list[frozenset[int]]:
    """The usable logical CPUs in `count` disjoint groups of whole physical cores, as equal as can be.

    Raises ValueError when there are fewer physical cores than that.
    """
    available = _cores()
    if count > min(len(available), physical_cores()):
        raise ValueError(f"{count} groups need {count} cores, {physical_cores()} are usable")
    # Neighbours stay together: they share a cache or a memory controller.
    bounds = [round(index * len(available) / count) for index in range(count + 1)]
    return [frozenset().union(*available[low:high]) for low, high in pairwise(bounds)]


def _cores() -> list[set[int]]:
    """The usable logical CPUs by physical core; each counts as a core where the system does not tell."""
    cores: dict[str, set[int]] = {}
    for cpu in sorted(usable_cpus()):
        siblings = read(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
        cores.setdefault(siblings or str(cpu), set()).add(cpu)
    return list(cores.values())


def cpu_flags() -> frozenset[str]:
    """Instruction set extensions as Linux names them; empty where it does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    match = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    return frozenset(match.group(1).split()) if match else frozenset()


def cpu_device() -> DeviceInfo:
    """The host CPU as a card with one chip."""
    return DeviceInfo(CPU, cpu_name())


def installed(module: str) -> bool:
    """Whether a top-level module can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def package_version(*distributions: str) -> str | None:
    """Version of the first of these distributions that is installed."""
    for name in distributions:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
