"""NVIDIA's cards, found without opening one: names, PCI addresses, and the numbers that CUDA gives them."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends._cuda import driver
from backends.base import Device, DeviceInfo

_KERNEL = Path("/proc/driver/nvidia/gpus")
_NODES = Path("/dev")


@dataclass(frozen=True, slots=True)
class _Listed:
    """A card as the driver lists it; `uuid` as CUDA_VISIBLE_DEVICES takes it and `node` under /dev, "" if not told."""

    name: str
    address: str
    uuid: str = ""
    node: str = ""


def nvidia_devices(kernel: Path | None = None) -> tuple[DeviceInfo, ...]:
    """The cards that this process may use and CUDA_VISIBLE_DEVICES leaves, numbered as CUDA does.

    In PCI order, which is CUDA's under CUDA_DEVICE_ORDER=PCI_BUS_ID; workers are started with that. Their address is
    the PCI address, left out where it cannot be told which of several cards has which number: what is measured there
    is held against this by its name, once it runs.
    """
    cards = _listed(kernel or _KERNEL)
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    followed = list(cards) if mask is None else _masked(cards, mask)
    visible = list(cards) if followed is None else followed
    own_order = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID") != "PCI_BUS_ID"
    if len(cards) > 1 and (followed is None or own_order):
        visible = [replace(card, address="") for card in visible]
    return tuple(DeviceInfo(Device("cuda", index), card.name, card.address) for index, card in enumerate(visible))


def unlisted() -> str:
    """In one line that there is a driver and no card that it lists; "" where that is not so.

    Without it a runtime that also has a CPU would be measured there, on a machine with a GPU.
    """
    if not driver.version() or nvidia_devices():
        return ""
    if os.environ.get("CUDA_VISIBLE_DEVICES") is not None and _listed(_KERNEL):
        return ""  # hidden on purpose
    return (
        f"an NVIDIA driver is installed and no card is listed, neither in {_KERNEL} nor by NVML, so that CUDA is left"
        " out; see whether nvidia-smi lists one, and pip install nvidia-ml-py."
    )


def plain_address(text: str) -> str:
    """A PCI address in one spelling, 0000:3b:00.0: NVML has a longer domain, and CUDA upper case."""
    parts = re.fullmatch(r"([0-9a-fA-F]+):([0-9a-fA-F]+):([0-9a-fA-F]+)\.([0-9a-fA-F]+)", text.strip())
    if parts is None:
        return text
    domain, bus, device, function = (int(part, 16) for part in parts.groups())
    return f"{domain:04x}:{bus:02x}:{device:02x}.{function:x}"


def _masked(cards: tuple[_Listed, ...], mask: str) -> list[_Listed] | None:
    """What CUDA_VISIBLE_DEVICES leaves, in its order; None where it names cards in a way that cannot be followed."""
    visible: list[_Listed] = []
    for entry in map(str.strip, mask.split(",")):
        if entry.startswith("GPU-"):
            # CUDA takes the beginning of a UUID that no other card has.
            found = [card for card in cards if card.uuid.lower().startswith(entry.lower())]
            if not all(card.uuid for card in cards):
                return None
        elif entry.startswith("MIG-"):
            return None
        else:
            number = int(entry) if entry.isascii() and entry.isdecimal() else len(cards)
            found = list(cards[number : number + 1])
        if len(found) != 1:
            break  # CUDA stops at the first entry that is no device
        visible += found
    return visible


def _listed(kernel: Path) -> tuple[_Listed, ...]:
    """By the kernel's driver; where its folder is missing, as in WSL and some sandboxes, by NVML."""
    if kernel.is_dir():
        return _permitted([_by_kernel(folder) for folder in sorted(kernel.iterdir())])
    return _by_nvml() if driver.version() else ()


def _permitted(cards: list[_Listed]) -> tuple[_Listed, ...]:
    """Without those that CUDA does not show: the kernel lists a machine's cards to every container and batch job.

    Their nodes are missing there, or closed by the control group, which access(2) heeds. Where no node is open none has
    been made yet, as on a machine just started, or the user may use none, which CUDA is to say.
    """
    mine = tuple(card for card in cards if not card.node or os.access(_NODES / card.node, os.R_OK | os.W_OK))
    return mine or tuple(cards)


def _by_kernel(folder: Path) -> _Listed:
    try:
        text = (folder / "information").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    told = dict(re.findall(r"^(Model|GPU UUID|Device Minor):[ \t]*(\S.*?)\s*$", text, re.MULTILINE))
    uuid, minor = told.get("GPU UUID", ""), told.get("Device Minor", "")
    return _Listed(
        told.get("Model", "NVIDIA GPU"),
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
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            _Listed(
                _text(pynvml.nvmlDeviceGetName(handle)),
                plain_address(_text(pynvml.nvmlDeviceGetPciInfo(handle).busId)),
                _text(pynvml.nvmlDeviceGetUUID(handle)),
            )
            for handle in handles
        )
    except pynvml.NVMLError:
        return ()
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _text(told: Any) -> str:
    """Bytes in packages before 11.515."""
    return told.decode() if isinstance(told, bytes) else str(told)
