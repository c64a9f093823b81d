"""Whether there is anything to test on this GPU at all: a run in which all is skipped must not pass."""

from __future__ import annotations

from backends import registry

#: The backends that can use a GPU of NVIDIA's.
_NAMES = ("pytorch", "onnxruntime", "tensorrt", "tensorrt-rtx")


def test_at_least_one_backend_can_use_the_gpu() -> None:
    told = {}
    for name in _NAMES:
        availability = registry.probe(registry.load(name))
        if any(info.device.kind == "cuda" for info in availability.devices):
            return
        told[name] = availability.reason or "it is built for the CPU alone"
    raise AssertionError("; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in told.items()))
