"""The state the host is in: frequencies, limits, load, settings of the environment, and who else is busy.

`root` stands for "/" where files of /proc and /sys are read; on systems without them the answers are None.
"""

from __future__ import annotations

import os
import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backends import cgroup
from backends.cgroup import read
from backends.telemetry.processes import BusyProcess, busy_processes

#: Variables of the environment that set thread counts, their binding, or how idle threads wait.
THREAD_SETTINGS = (
    "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OMP_DYNAMIC", "OMP_PROC_BIND", "OMP_PLACES", "OMP_WAIT_POLICY",
    "GOMP_CPU_AFFINITY", "GOMP_SPINCOUNT", "KMP_AFFINITY", "KMP_HW_SUBSET", "KMP_BLOCKTIME",
    "MKL_NUM_THREADS", "MKL_DYNAMIC", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
#: What makers of virtual machines call their machines (DMI), for processors without a flag that tells.
_VIRTUAL = re.compile(r"QEMU|KVM|VMware|VirtualBox|Xen|Bochs|Virtual Machine", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HostConditions:
    """What a reader must know of the host's state; None where the system does not tell.

    `frequency_mhz` is the mean over the CPUs at that moment, `max_frequency_mhz` what the hardware can reach.
    `cpu_limit` (CPUs by quota) and `memory_limit_bytes` are a container's limits, None without one.
    `virtualisation` says in words which container and virtual machine were recognised, "" if none.
    """

    governor: str | None
    frequency_mhz: float | None
    max_frequency_mhz: float | None
    load_1m: float | None
    cpu_limit: float | None
    memory_limit_bytes: int | None
    thread_settings: dict[str, str]
    busy_processes: tuple[BusyProcess, ...]
    virtualisation: str


def host_conditions(
    root: Path = Path("/"), look_s: float = 0.25, environment: Mapping[str, str] = os.environ
) -> HostConditions:
    """Look at the host; takes `look_s` seconds, for which its processes are watched. Raises nothing."""
    policies = root / "sys/devices/system/cpu/cpufreq"
    maxima = _numbers(policies, "policy*/cpuinfo_max_freq")
    return HostConditions(
        governor=", ".join(sorted(set(_texts(policies, "policy*/scaling_governor")))) or None,
        frequency_mhz=_frequency_mhz(root),
        max_frequency_mhz=max(maxima) / 1e3 if maxima else None,
        load_1m=_load(root),
        cpu_limit=cgroup.cpu_limit(root),
        memory_limit_bytes=cgroup.memory_limit_bytes(root),
        thread_settings={name: environment[name] for name in THREAD_SETTINGS if name in environment},
        busy_processes=busy_processes(look_s),
        virtualisation=virtualisation(root),
    )


def virtualisation(root: Path = Path("/")) -> str:
    """Container and virtual machine that this process runs in, such as "docker, virtual machine (QEMU)"."""
    found = [kind] if (kind := cgroup.container_kind(root)) else []
    maker = read(root / "sys/class/dmi/id/sys_vendor") or ""
    product = read(root / "sys/class/dmi/id/product_name") or ""
    flags = re.search(r"^flags\s*:(.*)$", read(root / "proc/cpuinfo") or "", re.MULTILINE)
    if re.search("-microsoft|wsl", read(root / "proc/version") or "", re.IGNORECASE):
        found.append("WSL")
    elif flags and "hypervisor" in flags[1].split():
        found.append(f"virtual machine ({maker})" if maker else "virtual machine")
    elif not flags and _VIRTUAL.search(f"{maker} {product}"):
        found.append(f"virtual machine ({maker or product})")
    return ", ".join(found)


def peak_memory_bytes(root: Path = Path("/")) -> int | None:
    """The most memory of this process that was ever resident: VmHWM. None where the system does not tell.

    Not getrusage's ru_maxrss, which a child takes over from the parent that started it.
    """
    match = re.search(r"^VmHWM:\s*(\d+) kB$", read(root / "proc/self/status") or "", re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _frequency_mhz(root: Path) -> float | None:
    # One look at /proc/cpuinfo serves all CPUs; sysfs may take 10 ms for each, and is for processors not shown there.
    shown = re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", read(root / "proc/cpuinfo") or "", re.MULTILINE)
    values = [float(text) for text in shown if text.count(".") <= 1]
    if not values:
        values = [khz / 1e3 for khz in _numbers(root / "sys/devices/system/cpu/cpufreq", "policy*/scaling_cur_freq")]
    return statistics.fmean(values) if values else None


def _load(root: Path) -> float | None:
    match = re.match(r"\d+\.\d+", read(root / "proc/loadavg") or "")
    return float(match[0]) if match else None


def _texts(folder: Path, pattern: str) -> list[str]:
    return [text for path in sorted(folder.glob(pattern)) if (text := read(path))]


def _numbers(folder: Path, pattern: str) -> list[int]:
    return [int(text) for text in _texts(folder, pattern) if text.isdecimal()]
