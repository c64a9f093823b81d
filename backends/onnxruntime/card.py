"""What must be known of a GPU to say which arithmetic runs there: its name and compute capability."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from backends import nvidia
from backends._cuda import Vendor, device_facts
from backends.base import BackendError

#: Tensor cores that round fp32 to TF32, from Ampere on.
_TF32_SINCE = (8, 0)


@dataclass(frozen=True, slots=True)
class Card:
    """`capability` is (7, 5) for a T4, None where nothing tells; `told_by` says what told."""

    name: str = ""
    capability: tuple[int, int] | None = None
    told_by: str = ""
    #: the PCI address, "" where CUDA itself does not tell it
    address: str = ""

    @property
    def has_tf32(self) -> bool | None:
        """None where it is not known."""
        return None if self.capability is None else self.capability >= _TF32_SINCE

    @property
    def dotted(self) -> str:
        """7.5, or words."""
        return "not known" if self.capability is None else f"{self.capability[0]}.{self.capability[1]}"


def card_of(index: int, vendor: Vendor) -> Card:
    """The GPU with that number: by CUDA where one of its Python modules is installed, else by NVML, else unknown."""
    if vendor.driver_version() and vendor.installed():
        with suppress(BackendError):
            facts = device_facts(index, "auto", vendor)
            return Card(facts.name, facts.capability, "CUDA", nvidia.plain_address(facts.address))
    return _by_nvml(index)


def _by_nvml(index: int) -> Card:
    """By the PCI address, since NVML numbers cards in its own way."""
    found = [info for info in nvidia.nvidia_devices() if info.device.index == index]
    if not found:
        return Card()
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # the package is not there, or its library, or the driver
        return Card(found[0].card)
    try:
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(found[0].address)
        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
        return Card(found[0].card, (int(major), int(minor)), "NVML")
    except Exception:  # NVMLError, or what an older package lacks
        return Card(found[0].card)
    finally:
        with suppress(Exception):
            pynvml.nvmlShutdown()
