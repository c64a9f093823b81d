"""Limits that a container or a service manager puts on this process: control groups, version 1 and version 2.

Limits hold along the whole path from our group to the top, so all visible levels count. Sources: Linux
Documentation/admin-guide/cgroup-v1, cgroup-v2.rst and scheduler/sched-bwc.rst. `root` stands for "/".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

#: Version 1 writes "no limit" as the largest multiple of a page.
_NO_LIMIT_BYTES = 2**60


@dataclass(frozen=True, slots=True)
class _Levels:
    """Folders of one controller, from our own group upwards; `unified` is version 2."""

    unified: bool
    folders: tuple[Path, ...]


def cpu_limit(root: Path = Path("/")) -> float | None:
    """CPUs that the tightest quota leaves, such as 1.5; None without one."""
    levels = _levels(root, "cpu")
    limits = []
    for folder in levels.folders:
        if levels.unified:
            text = read(folder / "cpu.max") or ""
        else:
            text = f"{read(folder / 'cpu.cfs_quota_us')} {read(folder / 'cpu.cfs_period_us')}"
        match text.split():
            case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period):
                limits.append(int(quota) / int(period))  # without a quota it is "max" or -1
    return min(limits, default=None)


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """The tightest memory limit; None without one."""
    levels = _levels(root, "memory")
    name = "memory.max" if levels.unified else "memory.limit_in_bytes"
    texts = [read(folder / name) or "" for folder in levels.folders]
    return min((int(text) for text in texts if text.isdecimal() and int(text) < _NO_LIMIT_BYTES), default=None)


def throttled_s(root: Path = Path("/")) -> float | None:
    """Seconds, added up over CPUs, for which quotas kept our groups from running; None if the kernel does not count."""
    levels = _levels(root, "cpu")
    name, unit = ("throttled_usec", 1e-6) if levels.unified else ("throttled_time", 1e-9)
    found = []
    for folder in levels.folders:
        lines = [line.split() for line in (read(folder / "cpu.stat") or "").splitlines()]
        found += [int(line[1]) for line in lines if len(line) == 2 and line[0] == name and line[1].isdecimal()]
    return sum(found) * unit if found else None


def container_kind(root: Path = Path("/")) -> str:
    """Which kind of container this process runs in, "" if none is recognised."""
    if (root / "run/.containerenv").exists():
        return "podman"
    match = re.search(r"/(kubepods|docker(?=[-/])|lxc)", read(root / "proc/self/cgroup") or "")
    if match:
        return "kubernetes" if match[1] == "kubepods" else match[1]
    return "docker" if (root / ".dockerenv").exists() else ""


def read(path: Path) -> str | None:
    """Text of a small file of the kernel, stripped; None where there is none or it may not be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - half the time of Path.read_text
            return file.read().strip()
    except OSError:
        return None


def _levels(root: Path, controller: str) -> _Levels:
    """Where a controller's files for this process are; without folders where there are no control groups."""
    mount = root / "sys/fs/cgroup"
    unified = ""
    for line in (read(root / "proc/self/cgroup") or "").splitlines():
        match line.split(":", 2):
            case ["0", "", path]:
                unified = path
            case [_, controllers, path] if controller in controllers.split(","):
                base = mount / controllers if (mount / controllers).is_dir() else mount / controller
                return _Levels(False, _upwards(base, path))
    return _Levels(True, _upwards(mount, unified))


def _upwards(base: Path, path: str) -> tuple[Path, ...]:
    """The folders from `base`/`path` up to `base` that exist.

    A container sees its own group mounted as the top, and may be told a path that holds outside of it only.
    """
    parts = [part for part in path.split("/") if part]
    folders = [base.joinpath(*parts[:count]) for count in range(len(parts), -1, -1)]
    return tuple(folder for folder in folders if folder.is_dir())
