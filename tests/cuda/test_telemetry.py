"""NVML on a real card: found by its PCI address, read, and nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from backends._cuda import device_facts, installed
from backends.nvidia import plain_address
from backends.telemetry import Monitor, TelemetryUnavailable, open_monitor
from tests.cuda.machine import gpu

pynvml: Any = pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed: pip install '.[nvml]'")

#: Whatever NVML can be told to change of a card, asked for by queries alone.
_SETTINGS: dict[str, tuple[Any, ...]] = {
    "nvmlDeviceGetPersistenceMode": (),
    "nvmlDeviceGetComputeMode": (),
    "nvmlDeviceGetEnforcedPowerLimit": (),
    "nvmlDeviceGetPowerManagementLimit": (),
    "nvmlDeviceGetEccMode": (),
    "nvmlDeviceGetMigMode": (),
    "nvmlDeviceGetApplicationsClock": (pynvml.NVML_CLOCK_SM,),
    "nvmlDeviceGetMaxClockInfo": (pynvml.NVML_CLOCK_SM,),
    "nvmlDeviceGetAutoBoostedClocksEnabled": (),
}


def address() -> str:
    found = gpu().address
    if not found:
        pytest.skip("which of several cards has which number is not told here")
    return found


@pytest.fixture
def monitor() -> Any:
    with open_monitor(gpu().device, address()) as opened:
        yield opened


def settings_now() -> dict[str, Any]:
    """The settings of the card, by NVML itself; what it does not have is left out."""
    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(address())
        told = {}
        for name, arguments in _SETTINGS.items():
            try:
                told[name] = getattr(pynvml, name)(handle, *arguments)
            except (pynvml.NVMLError, AttributeError):
                continue
        return told
    finally:
        pynvml.nvmlShutdown()


def test_clocks_power_temperature_and_memory_are_read(monitor: Monitor) -> None:
    reading = monitor.read()
    assert (monitor.source, monitor.light) == ("NVML", True)
    assert monitor.driver.split(".")[0].isdecimal()
    assert reading.clock_mhz is not None
    assert reading.max_clock_mhz is not None
    assert 0 < reading.clock_mhz <= reading.max_clock_mhz <= 10_000
    assert reading.temperature_c is not None
    assert 0 < reading.temperature_c < 120
    if reading.power_w is not None:  # some cards have no sensor
        assert 1 < reading.power_w < 2_000
    if reading.utilization is not None:
        assert 0 <= reading.utilization <= 1
    if reading.memory_total_bytes is not None:  # those that share the host's memory do not tell
        assert reading.memory_used_bytes is not None
        assert 0 <= reading.memory_used_bytes <= reading.memory_total_bytes
    assert reading.throttle_reasons


def test_the_counter_of_energy_never_goes_back(monitor: Monitor) -> None:
    counted = [reading.energy_j for reading in (monitor.read() for _ in range(20))]
    if counted[0] is None:
        pytest.skip("this card does not count energy")
    known = [energy_j for energy_j in counted if energy_j is not None]
    assert len(known) == len(counted)
    assert known == sorted(known)


def test_reading_changes_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a setting was changed")

    for name in dir(pynvml):
        if name.startswith(("nvmlDeviceSet", "nvmlDeviceReset", "nvmlDeviceClear", "nvmlSystemSet", "nvmlUnitSet")):
            monkeypatch.setattr(pynvml, name, refuse)
    before = settings_now()
    assert before, "this card tells none of its settings, so that nothing can be seen of them"
    with open_monitor(gpu().device, address()) as opened:
        for _ in range(5):
            opened.read()
    assert settings_now() == before


def test_the_card_is_the_one_that_cuda_has_under_that_number() -> None:
    if not installed():
        pytest.skip("neither cuda-bindings nor pycuda is installed")
    facts = device_facts(gpu().device.index)
    assert plain_address(facts.address) == address()
    pynvml.nvmlInit()
    try:
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByPciBusId(address()))
    finally:
        pynvml.nvmlShutdown()
    assert (name.decode() if isinstance(name, bytes) else name) == facts.name


def test_a_card_at_another_address_is_not_there() -> None:
    with pytest.raises(TelemetryUnavailable, match="0000:fe:1f"):
        open_monitor(gpu().device, "0000:fe:1f.0")


def test_after_close_there_is_nothing_to_read() -> None:
    opened = open_monitor(gpu().device, address())
    opened.close()
    opened.close()
    assert opened.read().clock_mhz is None
