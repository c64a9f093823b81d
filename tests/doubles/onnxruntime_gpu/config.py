"""What the simulated onnxruntime-gpu has and lacks."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.doubles.cuda import Config as Machine

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


@dataclass(frozen=True, kw_only=True)
class Config:
    """By default 1.31.1 with all of its libraries on a card with TF32, where every node runs wherever it is asked."""

    machine: Machine = field(default_factory=lambda: Machine(device_name="NVIDIA A10", capability=(8, 6)))
    version: str = "1.31.1"
    providers: tuple[str, ...] = (TENSORRT, CUDA, CPU)
    #: providers whose libraries are not there
    broken: frozenset[str] = frozenset()
    #: operators that each provider lacks
    lacks: dict[str, frozenset[str]] = field(default_factory=dict)
    #: options that are accepted and not taken
    ignored: frozenset[str] = frozenset()
    #: options that this version does not know
    unknown: frozenset[str] = frozenset()
    #: whether the nodes' providers are told (1.24 and newer)
    tells_nodes: bool = True
    #: whether a CUDA graph can be captured
    captures: bool = True
    #: the environment's NVIDIA_TF32_OVERRIDE, as the libraries read it
    override: str = ""
    #: device time of a run
    run_ms: float = 1.0
    cuda_modules: tuple[str, ...] = ("cuda-bindings", "pycuda")
