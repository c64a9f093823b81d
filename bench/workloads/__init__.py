"""The workloads by name."""

from __future__ import annotations

from bench.workloads.base import Workload

NAMES = ("stargan", "onnx")


def load(name: str) -> Workload:
    """The workload of that name (one of NAMES); imports only what describes it, no framework."""
    if name == "stargan":
        from bench.workloads.stargan import StarGAN

        return StarGAN()
    if name == "onnx":
        from bench.workloads.onnx_model import OnnxModel

        return OnnxModel()
    raise KeyError(name)
