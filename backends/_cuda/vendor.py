"""How NVIDIA's and pycuda's modules are found and imported; tests put doubles in their place."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any

from backends._cuda import driver
from backends._cuda.failures import NO_DRIVER
from backends.base import BackendUnavailable

Import = Callable[[str], Any]

#: The packages, in the order in which they are taken.
PACKAGES = ("cuda-bindings", "pycuda")


def installed() -> dict[str, str]:
    """Which of the two packages are installed, with their versions, best first. Imports nothing."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version_of(name)
        except PackageNotFoundError:
            continue
    return found


def load_bindings(import_module: Import = importlib.import_module) -> Any:
    """`cuda.bindings.runtime`. Raises BackendUnavailable."""
    try:
        return import_module("cuda.bindings.runtime")
    except Exception as error:  # a broken installation can raise anything at import
        raise BackendUnavailable(
            f"cuda-bindings does not load ({_reason(error)}); install it again, 12.8 or newer of your driver's major"
            " version."
        ) from None


def load_pycuda(import_module: Import = importlib.import_module) -> Any:
    """`pycuda.driver`. Raises BackendUnavailable."""
    try:
        return import_module("pycuda.driver")
    except Exception as error:  # a broken installation can raise anything at import
        if "libcuda.so" in str(error):
            raise BackendUnavailable(NO_DRIVER) from None
        raise BackendUnavailable(
            f"pycuda does not load ({_reason(error)}); it is built against one CUDA toolkit: build it again against the"
            " one that is here (pip install --force-reinstall --no-cache-dir pycuda)."
        ) from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())


@dataclass(frozen=True, slots=True)
class Vendor:
    """Where the modules come from and what is installed; of the driver its version (13000 for 13.0, 0 for none)."""

    bindings: Callable[[], Any] = load_bindings
    pycuda: Callable[[], Any] = load_pycuda
    installed: Callable[[], Mapping[str, str]] = installed
    driver_version: Callable[[], int] = driver.version
    pop_context: Callable[[], None] = driver.pop_context
