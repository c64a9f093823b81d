"""Whether TensorRT may be used here: the driver first, then what is installed. Initialises nothing.

Without a driver TensorRT's own objects end the process, so its module is not even imported here.
"""

from __future__ import annotations

from collections.abc import Sequence

from backends import host
from backends._cuda import Vendor
from backends.base import Availability, DeviceInfo
from backends.tensorrt.products import DRIVERS, Product, built_for

#: The oldest CUDA that the driver must know, for libraries built for a major version of CUDA: r580 and r535.
_OLDEST = {13: 13000, 12: 12020}


def availability(product: Product, devices: Sequence[DeviceInfo], vendor: Vendor) -> Availability:
    """`devices` are those that the kernel's driver lists; `vendor` tells of CUDA's modules. Never raises."""
    driver = vendor.driver_version()
    package, version = installed_package(product)
    modules = vendor.installed()
    versions = dict(modules)
    if version:
        versions = {package: version, **versions}
    if driver:
        versions["driver's CUDA"] = dotted(driver)
    reason = (
        _without_driver(product, devices, driver)
        or _without_library(product)
        or _driver_too_old(product, package, driver)
        or _without_cuda(modules, driver)
    )
    return Availability(not reason, reason, versions, tuple(devices) if not reason else ())


def installed_package(product: Product) -> tuple[str, str]:
    """Distribution and version by package metadata; "" where there is none, as for a system's own package."""
    for name in product.packages:
        if found := host.package_version(name):
            return name, found
    return "", ""


def dotted(version: int) -> str:
    """13.0 for 13000."""
    return f"{version // 1000}.{version % 1000 // 10}"


def _without_driver(product: Product, devices: Sequence[DeviceInfo], driver: int) -> str:
    if devices and driver:
        return ""
    if devices:
        return (
            "the kernel lists an NVIDIA card, and the driver's library libcuda.so.1 does not load; install the driver's"
            " user part, or start the container with --gpus all."
        )
    if driver:
        return (
            "the NVIDIA driver is installed and lists no card (/proc/driver/nvidia/gpus, NVML, CUDA_VISIBLE_DEVICES);"
            " see whether nvidia-smi does, and pip install nvidia-ml-py."
        )
    missing = "" if any(map(host.installed, product.modules)) else f"; {product.title} is not installed either"
    return f"no NVIDIA driver is loaded{missing}: {product.title} needs a machine with an NVIDIA GPU and its driver."


def _without_library(product: Product) -> str:
    if any(map(host.installed, product.modules)):
        return ""
    return f"{product.title} is not installed; {product.install}."


def _driver_too_old(product: Product, package: str, driver: int) -> str:
    major = built_for(product)
    if major is None or driver >= _OLDEST[major]:
        return ""
    older = f", or a {package.partition('-cu')[0]} for CUDA 12" if major > 12 and driver >= _OLDEST[12] else ""
    return (
        f"the NVIDIA driver is too old: it knows CUDA {dotted(driver)}, and this {product.title} is built for CUDA"
        f" {major}; install driver r{DRIVERS[major]} or newer{older}."
    )


def _without_cuda(modules: object, driver: int) -> str:
    if modules:
        return ""
    return (
        f"no Python module for CUDA is installed; pip install 'cuda-bindings=={driver // 1000}.*', or build pycuda"
        " against your CUDA toolkit."
    )
