"""What the host offers a runtime: CPU name, cores that this process may use, installed packages, NVIDIA cards.

Everything is read from files and package metadata, so that a probe imports no vendor runtime.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backends.base import Device, DeviceInfo

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
    them; one explicit number keeps the comparison fair.
    """
    siblings: set[str] = set()
    cpus = usable_cpus()
    for cpu in cpus:
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            siblings.add(path.read_text(encoding="ascii").strip())
        except OSError:
            return len(cpus)
    return len(siblings)


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


def nvidia_devices() -> tuple[DeviceInfo, ...]:
    """NVIDIA cards that the kernel driver lists, in PCI order; empty without a driver.

    PCI order is CUDA's only under CUDA_DEVICE_ORDER=PCI_BUS_ID; sessions read the name back from the runtime.
    """
    found: list[DeviceInfo] = []
    root = Path("/proc/driver/nvidia/gpus")
    if not root.is_dir():
        return ()
    for index, folder in enumerate(sorted(root.iterdir())):
        try:
            text = (folder / "information").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        match = re.search(r"^Model:\s*(.+)$", text, re.MULTILINE)
        found.append(DeviceInfo(Device("cuda", index), match.group(1).strip() if match else "NVIDIA GPU"))
    return tuple(found)
