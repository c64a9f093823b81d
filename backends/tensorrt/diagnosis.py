"""What someone asks first who is to find out from afar why this backend fails. Runs in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from backends import host
from backends._cuda import Vendor, device_facts, open_cuda
from backends.base import BackendError
from backends.tensorrt.library import Library, library_of
from backends.tensorrt.precision import dotted as capability_words
from backends.tensorrt.probe import dotted
from backends.tensorrt.products import Product

_VARIABLES = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_MODULE_LOADING", "LD_LIBRARY_PATH")
_MIB = 2**20
#: Whatever differs between versions and is used where it is there.
_FEATURES = ("EXPLICIT_BATCH", "STRONGLY_TYPED")


def diagnose(product: Product, device: int, vendor: Vendor, load: Callable[[], Any]) -> Iterator[str]:
    """A line a fact. TensorRT is touched only once the driver has answered; after that the process may end."""
    for name in _VARIABLES:
        yield f"{name}={os.environ.get(name, '(not set)')}"
    found = [f"{name} {version}" for name in product.packages if (version := host.package_version(name))]
    yield f"packages: {', '.join(found) or f'none of {product.title}'}"
    modules = ", ".join(f"{name} {version}" for name, version in vendor.installed().items())
    yield f"CUDA modules: {modules or 'none'}"
    driver = vendor.driver_version()
    yield f"driver: {f'knows CUDA {dotted(driver)}' if driver else 'none'}"
    try:
        facts = device_facts(device, vendor=vendor)
    except BackendError as error:
        yield f"cuda:{device}: {error}"
        return
    yield (
        f"cuda:{device}: {facts.name} at {facts.address}, compute capability {capability_words(facts.capability)},"
        f" {facts.free_bytes // _MIB} of {facts.total_bytes // _MIB} MiB free"
    )
    try:
        library = library_of(load(), product)
    except BackendError as error:
        yield str(error)
        return
    yield f"{library.title} is {getattr(library.module, '__file__', None) or 'built in'}"
    yield from _features(library)
    yield from _trial(library, device, vendor)


def _features(library: Library) -> Iterator[str]:
    flags = library.module.NetworkDefinitionCreationFlag
    there = [name for name in _FEATURES if hasattr(flags, name)]
    there += [name for name in ("FP16", "INT8", "TF32") if library.has_flag(name)]
    yield f"flags: {', '.join(there) or 'none'}"


def _trial(library: Library, device: int, vendor: Vendor) -> Iterator[str]:
    """Make what every use of it makes, and say how far that came."""
    try:
        with open_cuda(device, vendor=vendor):
            library.get("Runtime", library.module.Runtime, library.logger)
            yield "a runtime was made"
            library.get("Builder", library.module.Builder, library.logger)
            yield f"a builder was made; plugins {'found' if library.plugins else 'not found'}"
    except BackendError as error:
        yield str(error)
    for line in (*library.messages.errors(), *library.messages.warnings()):
        yield f"it said: {line}"
