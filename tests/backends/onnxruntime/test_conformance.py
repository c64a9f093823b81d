"""The conformance kit on the double of onnxruntime-gpu, in real time."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.base import Device, OptionValue
from backends.conformance import check_backend
from backends.conformance.case import tiny_case
from tests.backends.onnxruntime.machines import Simulated
from tests.doubles.cuda import Timing
from tests.doubles.onnxruntime_gpu import Config


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({}, {"int8"}),
        ({"cuda_api": "none"}, {"int8"}),
        ({"graph": True, "cuda_api": "pycuda"}, {"int8"}),
        ({"provider": "tensorrt"}, {"int8"}),
    ],
)
def test_the_backend_passes_the_kit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, OptionValue], refused: set[str]
) -> None:
    override = ""
    if "provider" in options:  # without it there is no fp32 on this card
        override = "0"
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    here = Simulated(Config(run_ms=3.0, override=override), Timing())
    # The CPU's case, since ONNX Runtime on the CPU computes what the double gives.
    results = check_backend(here.backend, tiny_case(tmp_path, Device("cpu")), here.DEVICE, options)
    assert [result for result in results if not result.passed] == []
    messages = {result.name: result.message for result in results}
    assert {name for name in messages if messages[name].startswith("refused: ")} == {f"precision {p}" for p in refused}
    assert {"precision fp32", "precision tf32", "precision fp16", "waits", "computes", "leaks"} <= set(messages)
    has_events = options.get("cuda_api") != "none" and not options.get("graph")
    assert messages["device_events"] == ("" if has_events else "declared, but this session has none")
    assert here.faults() == []
