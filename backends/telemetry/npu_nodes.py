"""The device nodes of Ascend NPUs: which are there, and whether this user may use them.

One node a chip, and some that every process needs besides; a container has those that it was started with. Names and
the group: the driver's installation guide, and for boards without PCI the guide to their containers. `root` stands
for "/".
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from backends.cgroup import container_kind

_CHIP = re.compile(r"davinci(\d+)")
_SHARED = ("davinci_manager", "devmm_svm", "hisi_hdc")
_SHARED_ON_BOARDS = ("davinci_manager", "svm0")
GROUP = "HwHiAiUser"
JOIN_GROUP = f"; add this user to the group {GROUP} (sudo usermod -a -G {GROUP} $USER) and log in again"
_START_WITH = "start it with --device for each of"


@dataclass(frozen=True, slots=True)
class DeviceNodes:
    """`chips` are the nodes of the chips in their order, `missing` the shared ones that are not there.

    `refused` are those that this user may not read and write. `problem` is "" where a process can reach a chip through
    them, else one line, why not and what to do, without a full stop.
    """

    chips: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[str, ...]
    problem: str


def device_nodes(root: Path = Path("/")) -> DeviceNodes:
    """Look for them; opens none, and never raises."""
    folder = root / "dev"
    try:
        numbers = sorted(int(match[1]) for node in folder.iterdir() if (match := _CHIP.fullmatch(node.name)))
    except OSError:
        numbers = []
    needed = _SHARED_ON_BOARDS if (folder / "svm0").exists() else _SHARED
    chips = tuple(f"/dev/davinci{number}" for number in numbers)
    missing = tuple(f"/dev/{name}" for name in needed if not (folder / name).exists())
    shared = (f"/dev/{name}" for name in needed if (folder / name).exists())
    refused = tuple(path for path in (*chips, *shared) if not os.access(root / path[1:], os.R_OK | os.W_OK))
    return DeviceNodes(chips, missing, refused, _problem(chips, missing, refused, container_kind(root)))


def _problem(chips: tuple[str, ...], missing: tuple[str, ...], refused: tuple[str, ...], container: str) -> str:
    every = ", ".join(("/dev/davinciN", *(f"/dev/{name}" for name in _SHARED)))
    if container and not chips:
        return f"this container was started without an NPU; {_START_WITH} {every}"
    if container and missing:
        return f"this container was started without {', '.join(missing)}; {_START_WITH} {every}"
    if not chips:
        return "there is no /dev/davinciN: the NPU driver is not installed, or not loaded; see lsmod | grep drv"
    if missing:
        return f"there is no {', '.join(missing)}: the NPU driver is only partly loaded; reboot, or install it again"
    if refused:
        return f"no permission to use {', '.join(refused)}{JOIN_GROUP}"
    return ""
