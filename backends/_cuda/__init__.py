"""CUDA for backends that have no memory and streams of their own: one narrow interface over two Python modules.

NVIDIA's cuda-bindings come as wheels and have CUDA graphs; pycuda is built against the CUDA toolkit and has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backends._cuda import bindings, pycuda
from backends._cuda.base import Cuda, DeviceMemory, Event, Graph, PinnedMemory
from backends._cuda.failures import NO_DRIVER
from backends._cuda.staging import Slot, slot
from backends._cuda.vendor import PACKAGES, Vendor, installed
from backends.base import BackendUnavailable

__all__ = [
    "APIS",
    "Cuda",
    "DeviceFacts",
    "DeviceMemory",
    "Event",
    "Graph",
    "PinnedMemory",
    "Slot",
    "Vendor",
    "device_facts",
    "installed",
    "open_cuda",
    "slot",
]

#: What the user can ask for; `auto` is the first that is installed.
APIS = ("auto", *PACKAGES)


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A device as CUDA shows it. `driver` is the newest CUDA that the driver knows, `runtime` the module's own.

    `capability` is the compute capability, (7, 5) for a T4; `address` the PCI address; memory is in bytes.
    """

    name: str
    capability: tuple[int, int]
    address: str
    total_bytes: int
    free_bytes: int
    driver: str
    runtime: str


def open_cuda(device_index: int, api: str = "auto", vendor: Vendor | None = None) -> Cuda:
    """CUDA on a device, for the thread that calls. `vendor` stands in for the modules in tests.

    Raises BackendUnavailable where no module, no driver, one too old, or no such device is there; DeviceError where
    the device fails; ValueError for an `api` that is none of APIS.
    """
    vendor = vendor or Vendor()
    name, version, module = _choose(api, vendor)
    if name == bindings.NAME:
        return bindings.BindingsCuda(module, device_index, version)
    return pycuda.PycudaCuda(module, device_index, version, vendor.pop_context)


def device_facts(device_index: int, api: str = "auto", vendor: Vendor | None = None) -> DeviceFacts:
    """What CUDA tells of a device. Opens it, since free memory is known only then. Raises as `open_cuda` does."""
    vendor = vendor or Vendor()
    name, _, module = _choose(api, vendor)
    if name == bindings.NAME:
        return DeviceFacts(**bindings.facts(module, device_index))
    return DeviceFacts(**pycuda.facts(module, device_index, vendor.pop_context))


def _choose(api: str, vendor: Vendor) -> tuple[str, str, Any]:
    """Name, version and module."""
    if api not in APIS:
        raise ValueError(f"no CUDA interface {api!r}; there are {', '.join(APIS)}")
    # Some versions of cuda-bindings raise anything at all where there is no driver, so none is asked.
    if not vendor.driver_version():
        raise BackendUnavailable(NO_DRIVER)
    there = vendor.installed()
    wanted = [name for name in PACKAGES if name in there and api in ("auto", name)]
    if not wanted:
        raise BackendUnavailable(_missing(api, there, vendor.driver_version()))
    failed: list[BackendUnavailable] = []
    for name in wanted:
        try:
            return name, there[name], vendor.bindings() if name == bindings.NAME else vendor.pycuda()
        except BackendUnavailable as error:
            failed.append(error)
    raise failed[0]


def _missing(api: str, there: Any, driver_version: int) -> str:
    """The one line for what is not installed."""
    by_pip = f"pip install 'cuda-bindings=={driver_version // 1000}.*' (this driver's CUDA)"
    by_toolkit = "pip install pycuda (built here, which needs the CUDA toolkit and a C++ compiler)"
    if api == bindings.NAME:
        return f"cuda-bindings is not installed; {by_pip}."
    if api == pycuda.NAME:
        return f"pycuda is not installed; {by_toolkit}{'; or use cuda-bindings, which is installed' if there else ''}."
    return f"no Python module for CUDA is installed; {by_pip}, or {by_toolkit}."
