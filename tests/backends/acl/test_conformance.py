"""The conformance kit on the double, on the double's own clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.base import Device, OptionValue
from backends.conformance import check_backend
from backends.conformance.case import tiny_case
from tests.backends.acl.machines import Simulated
from tests.doubles import atc
from tests.doubles.acl import Config


@pytest.mark.parametrize("options", [{}, {"batch": "dynamic"}, {"mode": "sync"}], ids=str)
def test_the_backend_passes_the_kit(
    tmp_path: Path, options: dict[str, OptionValue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(atc.install(tmp_path / "cann", runnable=True)), prepend=":")
    here = Simulated(Config(base_ms=3.0))
    given = {"soc": "Ascend310", **options}
    # The CPU's case, since ONNX Runtime computes what the double gives; atc makes its .om, in fp16 and in fp32.
    results = check_backend(here.backend, tiny_case(tmp_path, Device("cpu")), Device("npu"), given, clock=here.time.now)
    assert [result for result in results if not result.passed] == []
    assert {result.name for result in results} >= {"precision fp16", "precision fp32", "waits", "computes", "leaks"}
    assert here.faults() == []
