"""Which device gets which monitor, and the addresses by which processes agree on a card."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backends.base import Device, DeviceInfo
from backends.host import nvidia_devices
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


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel driver shows of two cards."""
    for variable in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(variable, raising=False)
    for address, name in ((SECOND, "Tesla T4"), (FIRST, "NVIDIA A10")):
        (tmp_path / address).mkdir()
        (tmp_path / address / "information").write_text(f"Model: \t\t {name}\nIRQ:   \t\t 105\n")
    return tmp_path


def info(number: int, name: str, address: str) -> DeviceInfo:
    return DeviceInfo(Device("cuda", number), name, address)


def test_cards_have_their_pci_address(driver: Path) -> None:
    assert nvidia_devices(driver) == (info(0, "NVIDIA A10", FIRST), info(1, "Tesla T4", SECOND))
    assert nvidia_devices(driver / "none") == ()


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("1", (info(0, "Tesla T4", SECOND),)),
        ("1,0", (info(0, "Tesla T4", SECOND), info(1, "NVIDIA A10", FIRST))),
        ("0,7,1", (info(0, "NVIDIA A10", FIRST),)),
        ("", ()),
        ("GPU-1234", (info(0, "NVIDIA A10", ""), info(1, "Tesla T4", ""))),
    ],
)
def test_addresses_follow_the_mask(
    driver: Path, monkeypatch: pytest.MonkeyPatch, mask: str, expected: tuple[DeviceInfo, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
    assert nvidia_devices(driver) == expected


def test_an_order_of_the_users_own_leaves_addresses_unknown(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    assert [each.address for each in nvidia_devices(driver)] == ["", ""]
    (driver / SECOND / "information").unlink()
    (driver / SECOND).rmdir()
    assert [each.address for each in nvidia_devices(driver)] == [FIRST]
