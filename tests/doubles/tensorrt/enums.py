"""The enumerations of each generation: a member that a version lacks is an AttributeError, as in the bindings."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any

_WEAK = ("8.6", "10")


class BoundEnum(Enum):
    """As pybind11 makes them: int() gives the number, and only members are equal to members."""

    def __int__(self) -> int:
        return int(self.value)


@cache
def enums(generation: str) -> dict[str, Any]:
    """Every enumeration that clients use, by its name in the module; made once, since making them is slow."""
    weak = generation in _WEAK
    flags = ["DEBUG", "GPU_FALLBACK", "REFIT", "DISABLE_TIMING_CACHE", "TF32", "VERSION_COMPATIBLE"]
    if weak:
        flags += ["FP16", "INT8", "OBEY_PRECISION_CONSTRAINTS", "PREFER_PRECISION_CONSTRAINTS"]
    if generation == "10":
        flags += ["BF16", "FP8", "INT4"]
    types = ["FLOAT", "HALF", "INT8", "INT32", "BOOL", "UINT8", "FP8"]
    if generation != "8.6":
        types += ["BF16", "INT64", "INT4"]
    creation = {"EXPLICIT_BATCH": 0} if weak else {}
    if generation != "8.6":
        creation |= {"STRONGLY_TYPED": 1}
    made = {
        "BuilderFlag": flags,
        "DataType": types,
        "NetworkDefinitionCreationFlag": creation,
        "OnnxParserFlag": ["NATIVE_INSTANCENORM"],
        "MemoryPoolType": ["WORKSPACE", "DLA_MANAGED_SRAM"],
        "ProfilingVerbosity": ["LAYER_NAMES_ONLY", "NONE", "DETAILED"],
        "TensorIOMode": ["NONE", "INPUT", "OUTPUT"],
        "TensorLocation": ["DEVICE", "HOST"],
        "LayerInformationFormat": ["ONELINE", "JSON"],
        "ErrorCode": ["SUCCESS", "INTERNAL_ERROR", "MEM_ALLOC_FAILED", "MODEL_DESERIALIZE_FAILED", "INVALID_VALUE",
                      "INVALID_GRAPH", "INVALID_NODE", "UNSUPPORTED_GRAPH", "UNSUPPORTED_NODE"],
    }  # fmt: skip
    if generation == "rtx":
        made["ComputeCapability"] = {
            "NONE": 0, "CURRENT": 1, "SM75": 75, "SM80": 80, "SM86": 86, "SM89": 89, "SM120": 120, "SM121": 121,
        }  # fmt: skip
        made["DynamicShapesKernelSpecializationStrategy"] = ["LAZY", "EAGER", "NONE"]
    return {name: _enum(name, members) for name, members in made.items()}


def _enum(name: str, members: Any) -> Any:
    numbered = members if isinstance(members, dict) else {member: number for number, member in enumerate(members)}
    made: Any = BoundEnum
    return made(name, numbered)


class Severity(BoundEnum):
    """Of a message."""

    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4
