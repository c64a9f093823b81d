"""NVIDIA's cards, found without opening one: names, PCI addresses, and the numbers that CUDA gives them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends._cuda import driver
from backends.base import Device, DeviceInfo

_KERNEL = Path("/proc/driver/nvidia/gpus")
_NODES = Path("/dev")
_UNNAMED = "NVIDIA GPU"
_NUMBER = re.compile(r"\+?[0-9]+")


@dataclass(frozen=True, slots=True)
class _Listed:
    """A card as the driver lists it; `uuid` as CUDA_VISIBLE_DEVICES takes it and `node` under /dev, "" if not told."""

    name: str
    address: str
    uuid: str = ""
    node: str = ""


def nvidia_devices() -> tuple[DeviceInfo, ...]:
    """The cards that this process may use and CUDA_VISIBLE_DEVICES leaves, numbered as CUDA does.

    In PCI order, which is CUDA's under CUDA_DEVICE_ORDER=PCI_BUS_ID; workers are started with that. Their address is
    the PCI address, left out where it cannot be told which of several cards has which number: what is measured there
    is held against this by its name, once it runs.
    """
    cards = _listed()
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    followed = list(cards) if mask is None else _masked(cards, mask)
    visible = list(cards) if followed is None else followed
    own_order = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID") != "PCI_BUS_ID"
    if len(cards) > 1 and (followed is None or own_order):
        visible = [replace(card, address="") for card in visible]
    return tuple(DeviceInfo(Device("cuda", index), card.name, card.address) for index, card in enumerate(visible))


def unlisted(devices: Sequence[DeviceInfo]) -> str:
    """In one line that there is a driver and no card that it lists; "" where that is not so, by what was found.

    Without it a runtime that also has a CPU would be measured there, on a machine with a GPU.
    """
    if devices or not driver.version():
        return ""
    if os.environ.get("CUDA_VISIBLE_DEVICES") is not None and _listed():
        return ""  # hidden on purpose
    return (
        f"an NVIDIA driver is installed and no card is listed, neither in {_KERNEL} nor by NVML, so that CUDA is left"
        " out; see whether nvidia-smi lists one, and pip install nvidia-ml-py."
    )


def same_card(listed: str, told: str) -> bool:
    """Whether CUDA may call that card by the name `told` which the driver lists as `listed`.

    CUDA adds the size of the part to a card's name where it shows a part (MIG). An L40S is no L4, though.
    """
    return listed in (told, _UNNAMED) or told.startswith(f"{listed} MIG ")


def plain_address(text: str) -> str:
    """A PCI address in one spelling, 0000:3b:00.0: NVML has a longer domain, and CUDA upper case."""
    parts = re.fullmatch(r"([0-9a-fA-F]+):([0-9a-fA-F]+):([0-9a-fA-F]+)\.([0-9a-fA-F]+)", text.strip())
    if parts is None:
        return text
    domain, bus, device, function = (int(part, 16) for part in parts.groups())
    return f"{domain:04x}:{bus:02x}:{device:02x}.{function:x}"


def _masked(cards: tuple[_Listed, ...], mask: str) -> list[_Listed] | None:
    """What CUDA_VISIBLE_DEVICES leaves, in its order; None where it names cards in a way that cannot be followed.

    CUDA stops at the first entry that is no device or of another kind than the first, takes the beginning of a UUID
    that no other card has, reads a number as strtoul does, and shows nothing at all where a card is named twice: so
    torch.cuda, which counts cards without CUDA, has it.
    """
    entries = [entry.strip() for entry in mask.split(",")]
    if entries[0].startswith("MIG-"):
        return None
    by_uuid = entries[0].startswith("GPU-")
    if by_uuid and not all(card.uuid for card in cards):
        return None
    visible: list[_Listed] = []
    for entry in entries:
        if by_uuid:
            is_uuid = entry.startswith("GPU-")
            found = [card for card in cards if is_uuid and card.uuid.lower().startswith(entry.lower())]
        else:
            number = _NUMBER.match(entry)
            found = [card for index, card in enumerate(cards) if number and index == int(number[0])]
        if len(found) != 1:
            break
        if found[0] in visible:
            return []
        visible += found
    return visible


def _listed() -> tuple[_Listed, ...]:
    """By the kernel's driver; where its folder is missing, as in WSL and some sandboxes, by NVML."""
    if _KERNEL.is_dir():
        return _permitted([card for folder in sorted(_KERNEL.iterdir()) if (card := _by_kernel(folder))])
    return _by_nvml() if driver.version() else ()


def _permitted(cards: list[_Listed]) -> tuple[_Listed, ...]:
    """Without those that CUDA does not show: the kernel lists a machine's cards to every container and batch job.

    Their nodes are missing there, or closed by the control group, which access(2) heeds. Where no node is open none has
    been made yet, as on a machine just started, or the user may use none, which CUDA is to say.
    """
    mine = tuple(card for card in cards if not card.node or os.access(_NODES / card.node, os.R_OK | os.W_OK))
    return mine or tuple(cards)


def _by_kernel(folder: Path) -> _Listed | None:
    """None for a card that the machine's owner has excluded, which CUDA does not count."""
    try:
        text = (folder / "information").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    told = dict(re.findall(r"^(Model|GPU UUID|Device Minor|GPU Excluded):[ \t]*(\S.*?)\s*$", text, re.MULTILINE))
    if told.get("GPU Excluded") == "Yes":
        return None
    uuid, minor = told.get("GPU UUID", ""), told.get("Device Minor", "")
    return _Listed(
        told.get("Model", _UNNAMED),
        plain_address(folder.name),
        "" if "?" in uuid else uuid,
        f"nvidia{minor}" if minor.isascii() and minor.isdecimal() else "",
    )


def _by_nvml() -> tuple[_Listed, ...]:
    """In NVML's order, which is that of the PCI addresses; nothing where its package or library is missing."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # the package is not there, or its library, or the driver
        return ()
    found = []
    try:
        count = pynvml.nvmlDeviceGetCount()
        for index in range(count):
            with suppress(pynvml.NVMLError):  # a card that is lost, or not this process's
                found.append(_told_by_nvml(pynvml, pynvml.nvmlDeviceGetHandleByIndex(index)))
    except pynvml.NVMLError:
        return ()
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    if len(found) < count:  # whether CUDA counts those that are missing is not known
        found = [replace(card, address="") for card in found]
    return tuple(found)


def _told_by_nvml(nvml: Any, handle: Any) -> _Listed:
    return _Listed(
        _text(nvml.nvmlDeviceGetName(handle)),
        plain_address(_text(nvml.nvmlDeviceGetPciInfo(handle).busId)),
        _text(nvml.nvmlDeviceGetUUID(handle)),
    )


def _text(told: Any) -> str:
    """Bytes in packages before 11.515."""
    return told.decode() if isinstance(told, bytes) else str(told)
