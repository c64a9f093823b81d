"""What the host did between two moments: CPU time of us and of others, stolen and withheld time, heat, energy.

Counters are read before and after, in well under a millisecond, from files that the kernel keeps anyway:
/proc/stat, cpu.stat of our control groups, thermal_throttle (Intel), and RAPL through powercap, which on most
systems only root may read. `root` stands for "/".
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from backends import cgroup
from backends.cgroup import read


@dataclass(frozen=True, slots=True)
class PackageEnergy:
    """Energy counter of one CPU package, in microjoules; starts again at 0 after `range_uj`."""

    zone: str
    energy_uj: int
    range_uj: int


@dataclass(frozen=True, slots=True)
class HostCounters:
    """Counters at one moment, in seconds since some unknown start; None where the system does not tell.

    `own_s`: CPU time of this process, all threads, and of its children that have ended and were waited for.
    `busy_s` and `steal_s`: CPU time of everything on the machine, and what a hypervisor gave to other machines while
    it was wanted here. `quota_throttled_s` is summed over CPUs.
    """

    at_s: float
    own_s: float
    busy_s: float | None
    steal_s: float | None
    quota_throttled_s: float | None
    thermal_events: int | None
    energy: tuple[PackageEnergy, ...] = ()


@dataclass(frozen=True, slots=True)
class HostActivity:
    """What happened between two readings of the counters; None where the system does not tell.

    Cores are CPU time over elapsed time. `steal_share` is the stolen part of the CPU time that was wanted, 0 to 1.
    `quota_throttled_s` is the time a container's quota held processes back, summed over CPUs; `thermal_events` counts
    how often a CPU was slowed for heat; `energy_j` is of the CPU packages, right unless a counter went round twice.
    """

    other_cores: float | None = None
    own_cores: float | None = None
    steal_share: float | None = None
    quota_throttled_s: float | None = None
    thermal_events: int | None = None
    energy_j: float | None = None


def host_counters(root: Path = Path("/")) -> HostCounters:
    """Read the counters now. Raises nothing."""
    at_s = time.monotonic()
    times = os.times()
    own_s = time.process_time() + times.children_user + times.children_system
    busy_s, steal_s = _cpu_times(root)
    counts = [int(text) for path in _thermal_files(root) if (text := read(path)) and text.isdecimal()]
    return HostCounters(
        at_s=at_s,
        own_s=own_s,
        busy_s=busy_s,
        steal_s=steal_s,
        quota_throttled_s=cgroup.throttled_s(root),
        thermal_events=sum(counts) if counts else None,
        energy=tuple(energy for zone in _energy_zones(root) if (energy := _energy(zone))),
    )


def activity(before: HostCounters, after: HostCounters) -> HostActivity:
    """What happened between two readings; of others' CPU time, never less than 0."""
    elapsed = after.at_s - before.at_s
    if elapsed <= 0:
        return HostActivity()
    own = max(0.0, after.own_s - before.own_s)
    busy = _gain(before.busy_s, after.busy_s)
    stolen = _gain(before.steal_s, after.steal_s)
    events = _gain(before.thermal_events, after.thermal_events)
    return HostActivity(
        other_cores=None if busy is None else max(0.0, busy - own) / elapsed,
        own_cores=own / elapsed,
        steal_share=None if busy is None or stolen is None else stolen / max(busy + stolen, 1e-9),
        quota_throttled_s=_gain(before.quota_throttled_s, after.quota_throttled_s),
        thermal_events=None if events is None else int(events),
        energy_j=_energy_j(before.energy, after.energy),
    )


def _gain(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else max(0.0, after - before)


def _energy_j(before: tuple[PackageEnergy, ...], after: tuple[PackageEnergy, ...]) -> float | None:
    earlier = {energy.zone: energy.energy_uj for energy in before}
    if not after or set(earlier) != {energy.zone for energy in after}:
        return None
    return sum((energy.energy_uj - earlier[energy.zone]) % (energy.range_uj + 1) for energy in after) / 1e6


def _cpu_times(root: Path) -> tuple[float | None, float | None]:
    """Busy and stolen CPU seconds since boot; None from kernels that report only zeros, as some sandboxes do.

    Fields of proc_stat(5), in ticks: user nice system idle iowait irq softirq steal, then guest time, which user has.
    """
    lines = (read(root / "proc/stat") or "").splitlines()
    fields = lines[0].split() if lines else []
    if len(fields) < 9 or fields[0] != "cpu" or not all(field.isdecimal() for field in fields[1:9]):
        return None, None
    user, nice, system, idle, iowait, irq, softirq, steal = (int(field) for field in fields[1:9])
    busy = user + nice + system + irq + softirq
    if not busy + idle + iowait:
        return None, None
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    return busy * tick_s, steal * tick_s


@cache
def _thermal_files(root: Path) -> tuple[Path, ...]:
    """Counters of every CPU's own events, and of each package's from one of its CPUs."""
    files: list[Path] = []
    packages: set[str] = set()
    for folder in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle")):
        files.append(folder / "core_throttle_count")
        package = read(folder.parent / "topology/physical_package_id") or ""
        if package not in packages:
            packages.add(package)
            files.append(folder / "package_throttle_count")
    return tuple(files)


@cache
def _energy_zones(root: Path) -> tuple[Path, ...]:
    """RAPL's zones of whole packages; their parts (cores, memory) are inside of them."""
    zones = sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
    return tuple(zone for zone in zones if (read(zone / "name") or "").startswith("package"))


def _energy(zone: Path) -> PackageEnergy | None:
    counter, span = read(zone / "energy_uj"), read(zone / "max_energy_range_uj")
    if not counter or not span or not counter.isdecimal() or not span.isdecimal():
        return None
    return PackageEnergy(zone.name, int(counter), int(span))
