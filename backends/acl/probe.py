"""Whether the backend can be used here, and with which chips: from files and npu-smi, with nothing opened."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from backends import cards, host
from backends.acl import diagnosis
from backends.acl.library import NO_CANN
from backends.base import Availability, Device, DeviceInfo
from backends.convert import cann
from backends.telemetry import npu_smi
from backends.telemetry.npu_nodes import device_nodes
from backends.telemetry.npu_table import NpuChip

_KIND = "npu"
_PATIENT_S = 10.0
#: Hides chips from a process, and numbers the rest anew.
_MASK = "ASCEND_RT_VISIBLE_DEVICES"
#: A card that nothing names.
_UNKNOWN = "Ascend NPU"


def availability() -> Availability:
    """Where the module may be there. Never raises. npu-smi may take seconds, and without it no card is known."""
    if mask := os.environ.get(_MASK):
        return Availability(
            False,
            f"{_MASK}={mask} gives the chips other numbers than npu-smi does; unset it, and name a chip with --device"
            f" npu:{mask.split(',')[0].strip()}.",
        )
    versions = {"CANN": cann.version_here() or "unknown"}
    seen = npu_smi.survey(_PATIENT_S)
    if seen.driver:
        versions["driver"] = seen.driver
    if seen.chips:
        devices, warnings = _devices(seen)
        return Availability(True, "", versions, devices, (*warnings, *seen.warnings))
    nodes = device_nodes()
    if not nodes.chips or nodes.problem:
        return Availability(False, f"{seen.problem}.", versions)
    # That npu-smi fails does not prove that a model cannot run.
    blind = tuple(DeviceInfo(Device(_KIND, index), _UNKNOWN) for index in range(len(nodes.chips)))
    return Availability(
        True, "", versions, blind, (f"{seen.problem}; so the card is not known, and counts as one chip.",)
    )


def soc_name(device: int) -> str:
    """`--soc-version` of the chip with that device number, as Ascend310; "" where npu-smi does not tell."""
    return next((chip.soc_version for chip in npu_smi.survey(_PATIENT_S).chips if chip.device == device), "")


def diagnose(device: int, load: Callable[[], ModuleType]) -> list[str]:
    """Everything at once, for a report from afar; opens the chip."""
    user = f"user {os.getuid()}, groups {' '.join(map(str, sorted(os.getgroups())))}"
    return [
        *diagnosis.environment(), f"CANN {cann.version_here() or 'of unknown version'}", user,
        *diagnosis.module(load), *_survey_told(), *diagnosis.trial(device, load),
    ]  # fmt: skip


def _survey_told() -> list[str]:
    seen, nodes = npu_smi.survey(_PATIENT_S), device_nodes()
    there = f"device nodes: {', '.join(nodes.chips) or 'none'}"
    return [*seen.told(), there, *filter(None, [nodes.problem])]


def _devices(seen: npu_smi.NpuSurvey) -> tuple[tuple[DeviceInfo, ...], list[str]]:
    """The chips by device number, each with the card that carries it, and what is worth a warning."""
    found: list[DeviceInfo] = []
    warnings: list[str] = []
    for chips in seen.cards:
        card, warning = _card(chips)
        warnings += [warning] if warning else []
        board = f"{_KIND}:{min(chip.device for chip in chips)}"
        found += [DeviceInfo(Device(_KIND, chip.device), card, chip.bus_id, board) for chip in chips]
    return tuple(sorted(found, key=lambda info: info.device.index)), warnings


def _card(chips: tuple[NpuChip, ...]) -> tuple[str, str]:
    """The card that carries these, and a warning where the catalogue has none with so many of them."""
    chip = chips[0].soc_version or f"Ascend {chips[0].name}"
    of_chip = [card for card in cards.CATALOGUE.values() if card.chip == chip]
    fitting = [card for card in of_chip if card.chips == len(chips)]
    if len(fitting) == 1:
        return fitting[0].name, ""
    if not of_chip:
        return chip, ""
    known = " or ".join(f"{card.name} with {card.chips}" for card in of_chip)
    return chip, (
        f"{len(chips)} of {chip} are seen together here, which is no card that is known ({known}): FPS per card are"
        " those of one chip."
    )


def missing_module() -> str:
    """Why CANN's module cannot be there, "" if it may be. Imports nothing."""
    unrelated = host.package_version("pyacl", "pylibacl")
    if host.installed("acl") and not _is_python_package("acl"):
        return ""
    if unrelated:
        return f"PyPI's pyacl {unrelated} is installed, a library of access-control lists; {NO_CANN}"
    return NO_CANN


def _is_python_package(module: str) -> bool:
    """CANN's acl is a compiled extension, alone or in a folder of its own; a plain .py `acl` is another project."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return spec is None
    origin = Path(spec.origin)
    return origin.suffix == ".py" and not list(origin.parent.glob("acl*.so"))
