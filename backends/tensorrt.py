"""NVIDIA TensorRT engines: recognised and explained, not yet able to run."""

from __future__ import annotations

from collections.abc import Mapping

from backends import host
from backends.base import (
    Artifact,
    Availability,
    Backend,
    BackendUnavailable,
    Capabilities,
    Device,
    Model,
    OptionValue,
    Precision,
    Session,
)


class TensorRTBackend(Backend):
    """Probes for TensorRT and a driver. `prepare` and `open` refuse, and `probe` says so, until engines can be run.

    TensorRT itself is never initialised here: without a driver its Runtime crashes the process.
    """

    name = "tensorrt"
    title = "TensorRT"

    def probe(self) -> Availability:
        version = host.package_version("tensorrt", "tensorrt_cu13", "tensorrt_cu12")
        if version is None or not host.installed("tensorrt"):
            return Availability(
                False,
                "tensorrt is not installed; its wheels come from NVIDIA's own package index: follow NVIDIA's"
                " TensorRT installation guide for your CUDA version.",
            )
        if not host.nvidia_devices():
            return Availability(
                False,
                "no NVIDIA driver is loaded (/proc/driver/nvidia is absent); install the driver that nvidia-smi needs.",
                versions={"tensorrt": version},
            )
        return Availability(
            False,
            "this version recognises TensorRT but cannot run engines yet; use pytorch or onnxruntime on cuda.",
            versions={"tensorrt": version},
        )

    def capabilities(self, device: Device) -> Capabilities:
        return Capabilities(precisions=frozenset())

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        raise BackendUnavailable(f"backend 'tensorrt': {self.probe().reason}")

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        raise BackendUnavailable(f"backend 'tensorrt': {self.probe().reason}")
