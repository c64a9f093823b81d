"""Which TensorRT is simulated, how long its engines take, and what goes wrong: JSON, for worker processes too."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from tests.doubles.cuda import Config as Machine
from tests.doubles.simulated import described, faults

Generation = Literal["8.6", "10", "11", "rtx"]
GENERATIONS: tuple[Generation, ...] = ("8.6", "10", "11", "rtx")
VERSIONS = {"8.6": "8.6.1", "10": "10.16.1.11", "11": "11.4.0.106", "rtx": "1.7.1.116"}

#: What a fault does. `value`: the call does nothing, says `message` in the log and returns what means failure. `raise`:
#: it raises RuntimeError. `hang`: it never returns. `exit`: the process dies by SIGSEGV.
EFFECTS = ("value", "raise", "hang", "exit")
#: Every call that can be made to fail -> what it returns then; an exception's type where it raises.
CALLS: dict[str, object] = {
    "init_libnvinfer_plugins": False, "Builder": TypeError, "create_network": None, "create_builder_config": None,
    "create_optimization_profile": None, "OnnxParser": TypeError, "parse_from_file": False,
    "add_optimization_profile": -1, "create_timing_cache": None, "set_timing_cache": False,
    "set_compute_capability": False, "build_serialized_network": None, "Runtime": TypeError,
    "deserialize_cuda_engine": None, "create_execution_context": None, "set_optimization_profile_async": False,
    "set_input_shape": False, "infer_shapes": RuntimeError, "set_tensor_address": False, "execute_async_v3": False,
    "create_engine_inspector": None,
}  # fmt: skip


class Fault(faults.Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong; `call` is one of CALLS."""

    message: str = "Error Code 2: Internal Error (the fault that was asked for)"
    effect: str = "value"

    effects = EFFECTS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.call not in CALLS:
            raise ValueError(f"no call {self.call!r} to fail; there are {', '.join(CALLS)}")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By default TensorRT 10 on one T4, whose executions take no simulated time."""

    generation: Generation = "10"
    #: "" for the version whose names the double has
    version: str = ""
    machine: Machine = Machine()
    #: One execution of batch n takes `base_ms` + n * `image_ms` of the device.
    base_ms: float = 0.0
    image_ms: float = 0.0
    faults: tuple[Fault, ...] = ()
    #: The FP16 flag is set, and TensorRT finds every layer quicker in fp32.
    prefers_fp32: bool = False
    #: An execution may be captured in a CUDA graph.
    capturable: bool = True
    #: What CUDA is reached through where the client may choose: cuda-bindings, pycuda.
    cuda_modules: tuple[str, ...] = ("cuda-bindings", "pycuda")
    #: The name under which the driver lists the card; "" for the one that CUDA tells.
    listed: str = ""

    @property
    def full_version(self) -> str:
        return self.version or VERSIONS[self.generation]


def read(path: Path) -> Config:
    """The configuration in a JSON file. Raises ValueError naming the file and the field."""
    return described.read(path, Config)
