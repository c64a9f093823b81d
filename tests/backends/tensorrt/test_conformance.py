"""The conformance kit on the double, on the double's own clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.base import Device, OptionValue
from backends.conformance import check_backend
from backends.conformance.case import tiny_case
from tests.backends.tensorrt.machines import AMPERE, Simulated
from tests.doubles.cuda import Config as Machine
from tests.doubles.tensorrt import Config

#: What the backend declares and this version, or a file in fp32, has no way to.
REFUSED = {"8.6": {"precision int8"}, "10": {"precision int8"}, "11": {"precision int8"}}


@pytest.mark.parametrize(
    ("generation", "options"),
    [("8.6", {}), ("10", {"graph": True}), ("10", {"cuda_api": "pycuda", "profile": "range"}), ("11", {"graph": True})],
)
def test_the_backend_passes_the_kit(tmp_path: Path, generation: Any, options: dict[str, OptionValue]) -> None:
    config = Config(generation=generation, base_ms=3.0, machine=Machine(**AMPERE))
    here = Simulated(config)
    # The CPU's case, since ONNX Runtime computes what the double gives.
    results = check_backend(here.backend, tiny_case(tmp_path, Device("cpu")), here.DEVICE, options, clock=here.time.now)
    failed = {result.name: result.message for result in results if not result.passed}
    assert set(failed) <= REFUSED[generation], failed
    assert all(message.startswith(("ModelMismatch: ", "BackendUnavailable: ")) for message in failed.values())
    assert {result.name for result in results} >= {"precision fp32", "precision tf32", "waits", "computes", "leaks"}
    assert here.faults() == []
