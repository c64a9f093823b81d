"""Which device gets which monitor, and the addresses by which processes agree on a card."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backends.base import Device
from backends.telemetry import Reading, TelemetryUnavailable, npu_smi, open_monitor, slowed
from tests.doubles import npu_smi as tables
from tests.doubles.fake_pynvml import Card, FakeNvml

FIRST, SECOND = "0000:3b:00.0", "0000:af:00.0"


def test_a_cuda_device_is_found_by_its_address_whatever_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml({FIRST: Card(celsius=50), SECOND: Card(celsius=60)}))
    with open_monitor(Device("cuda", 0), SECOND) as monitor:
        assert monitor.read().temperature_c == 60


def test_a_cuda_device_without_an_address_is_refused() -> None:
    with pytest.raises(TelemetryUnavailable, match="PCI address of cuda:1 is unknown"):
        open_monitor(Device("cuda", 1))


@pytest.mark.parametrize(("address", "celsius"), [("", 53), ("2", 88)])
def test_an_npu_is_found_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, celsius: int
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(npu_smi, "FOLDERS", ())
    tables.install(tmp_path, tables.CARD_300I)
    assert open_monitor(Device("npu", 1), address).read().temperature_c == celsius


@pytest.mark.parametrize("device", [Device("cpu"), Device("tpu", 3)])
def test_other_devices_have_no_source(device: Device) -> None:
    with pytest.raises(TelemetryUnavailable, match=f"no telemetry source for {device}"):
        open_monitor(device)


def test_an_empty_reading_knows_nothing() -> None:
    assert slowed(Reading()) is None
