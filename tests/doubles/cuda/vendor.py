"""The modules of one simulated machine, as backends take them in the place of NVIDIA's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends._cuda.vendor import PACKAGES, Vendor, load_pycuda
from tests.doubles.cuda.world import World

VERSIONS = {"cuda-bindings": "13.5.0", "pycuda": "2026.1"}


def vendor(world: World, installed: Sequence[str] = PACKAGES) -> Vendor:
    """Both modules, or those that are named."""

    def imported(_name: str) -> Any:
        return world.pycuda()

    return Vendor(
        bindings=world.runtime,
        pycuda=lambda: load_pycuda(imported),
        installed=lambda: {name: VERSIONS[name] for name in installed},
        driver_version=lambda: world.config.driver_version,
        pop_context=world.context_pop,
    )
