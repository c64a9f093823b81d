"""A test double of NVIDIA's Python module `tensorrt`: 8.6, 10, 11, and TensorRT for RTX, on the simulated CUDA machine.

`build` makes one such module on a `World` of tests.doubles.cuda; `load` the one of a worker process, described by the
file that BENCH_TENSORRT_DOUBLE names; `install` lays down a backend that finds it. What it computes is computed by ONNX
Runtime, and how long it takes is set: nothing here says anything about a real card.

Names that a version lacks are AttributeErrors, failures are values with the reason in the log, and objects live until
nothing refers to them. Broken rules go to the CUDA double's journal.
"""

from __future__ import annotations

import atexit
import os
from functools import cache
from typing import Any

from tests.doubles.cuda import Timing, World
from tests.doubles.simulated import described
from tests.doubles.simulated.described import write
from tests.doubles.tensorrt.config import CALLS, GENERATIONS, Config, Fault, Generation, read
from tests.doubles.tensorrt.machine import Machine
from tests.doubles.tensorrt.plan import Plan, packed, unpacked
from tests.doubles.tensorrt.plugin import VARIABLE, install
from tests.doubles.tensorrt.surface import module_of

__all__ = [
    "CALLS",
    "GENERATIONS",
    "VARIABLE",
    "Config",
    "Fault",
    "Generation",
    "Machine",
    "Plan",
    "Timing",
    "World",
    "build",
    "install",
    "load",
    "packed",
    "read",
    "unpacked",
    "vendor",
    "write",
]


def build(config: Config | None = None, timing: Timing | None = None, world: World | None = None) -> Any:
    """A module like `tensorrt`; its `state` is the Machine, whose `world` is the one given or one of its own."""
    config = config or Config()
    return module_of(config, world or World(config.machine, timing))


def vendor(module: Any) -> Any:
    """CUDA's modules on the same machine, as the backend takes them."""
    from tests.doubles.cuda.vendor import vendor as of_world

    return of_world(module.state.world, module.state.config.cuda_modules)


@cache
def load() -> Any:
    """The module of this process, as the file named by BENCH_TENSORRT_DOUBLE describes it.

    What is still alive when the process ends is written to the journal. Raises RuntimeError without the variable.
    """
    module = build(read(described.of_process(VARIABLE, "tensorrt")))
    world = module.state.world
    world.journal.add("start")
    atexit.register(lambda: world.end() if os.getpid() == world.pid else None)
    return module
