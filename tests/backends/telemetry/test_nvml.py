"""NVML through a double that enforces its order of calls, and the double against the real package."""

from __future__ import annotations

import inspect
import os
import sys

import pytest

from backends.telemetry import NvmlMonitor, Reading, TelemetryUnavailable, slowed
from backends.telemetry import nvml as module
from tests.doubles import fake_pynvml
from tests.doubles.fake_pynvml import FUNCTION_NOT_FOUND, NOT_SUPPORTED, Card, FakeNvml

FIRST, SECOND = "0000:3b:00.0", "0000:af:00.0"


def install(monkeypatch: pytest.MonkeyPatch, **settings) -> FakeNvml:
    nvml = FakeNvml({FIRST: Card(), SECOND: Card(celsius=40)}, **settings)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return nvml


def test_a_reading_has_every_figure_in_our_units(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    with NvmlMonitor(FIRST) as monitor:
        assert (monitor.source, monitor.driver, monitor.light) == ("NVML", "550.54.15", True)
        assert monitor.read() == Reading(
            clock_mhz=1350, max_clock_mhz=1590, power_w=68.5, energy_j=7000.25, temperature_c=71, utilization=0.93,
            memory_used_bytes=2 * 2**30, memory_total_bytes=15 * 2**30, other_processes=monitor.read().other_processes,
            throttle_reasons=("none",),
        )  # fmt: skip
    with NvmlMonitor(SECOND) as monitor:
        assert monitor.read().temperature_c == 40


def test_only_queries_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch)
    with NvmlMonitor(FIRST) as monitor:
        monitor.read()
    assert nvml.calls
    assert all(name.startswith(("nvmlDeviceGet", "nvmlSystemGet")) for name in nvml.calls)


QUERIES = {
    "nvmlDeviceGetClockInfo": {"clock_mhz"},
    "nvmlDeviceGetMaxClockInfo": {"max_clock_mhz"},
    "nvmlDeviceGetPowerUsage": {"power_w"},
    "nvmlDeviceGetTotalEnergyConsumption": {"energy_j"},
    "nvmlDeviceGetTemperature": {"temperature_c"},
    "nvmlDeviceGetUtilizationRates": {"utilization"},
    "nvmlDeviceGetMemoryInfo": {"memory_used_bytes", "memory_total_bytes"},
}


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("how", ["errors", "lacking"])
def test_what_a_card_or_a_package_does_not_tell_is_none_and_nothing_else_is(
    monkeypatch: pytest.MonkeyPatch, query: str, how: str
) -> None:
    install(monkeypatch, **({"errors": {query: NOT_SUPPORTED}} if how == "errors" else {"lacking": (query,)}))
    reading = NvmlMonitor(FIRST).read()
    told = {name for names in QUERIES.values() for name in names if getattr(reading, name) is not None}
    assert told == {name for names in QUERIES.values() for name in names} - QUERIES[query]


@pytest.mark.parametrize(
    ("mask", "words", "held_back"),
    [
        (0x0, ("none",), False),
        (0x1, ("idle",), False),
        (0x4, ("power cap",), False),
        (0x24, ("power cap", "thermal slowdown"), True),
        (0x8, ("hardware slowdown",), True),
        (0x48, ("hardware slowdown", "hardware thermal slowdown"), True),
        (0x80, ("power brake",), True),
        (0x4000, ("reason 0x4000",), False),
    ],
)
def test_reasons_in_words(monkeypatch: pytest.MonkeyPatch, mask: int, words: tuple[str, ...], held_back: bool) -> None:
    install(monkeypatch).cards[FIRST].reasons = mask
    reading = NvmlMonitor(FIRST).read()
    assert reading.throttle_reasons == words
    assert slowed(reading) is held_back


NEW, OLD = "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"


@pytest.mark.parametrize(
    "settings",
    [{"lacking": (NEW,)}, {"lacking": (OLD,)}, {"errors": {NEW: NOT_SUPPORTED}}, {"errors": {NEW: FUNCTION_NOT_FOUND}}],
)
def test_either_name_of_the_reasons_will_do(monkeypatch: pytest.MonkeyPatch, settings) -> None:
    install(monkeypatch, **settings).cards[FIRST].reasons = 0x40
    assert NvmlMonitor(FIRST).read().throttle_reasons == ("hardware thermal slowdown",)


def test_without_reasons_it_is_unknown_whether_the_card_was_slowed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lacking=(NEW, OLD))
    assert slowed(NvmlMonitor(FIRST).read()) is None


@pytest.mark.parametrize("errors", [{}, {"nvmlDeviceGetComputeRunningProcesses": FUNCTION_NOT_FOUND}])
def test_our_own_process_is_no_other(monkeypatch: pytest.MonkeyPatch, errors) -> None:
    monkeypatch.setattr(module, "count_others", lambda pids: len(set(pids) - {os.getpid()}))
    install(monkeypatch, errors=errors).cards[FIRST].pids = [os.getpid(), 4194301, 4194302]
    assert NvmlMonitor(FIRST).read().other_processes == 2


def test_a_closed_monitor_reads_nothing_and_lets_go_once(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch)
    first, second = NvmlMonitor(FIRST), NvmlMonitor(SECOND)
    first.close()
    first.close()
    assert nvml.users == 1
    assert first.read() == Reading()
    assert second.read().temperature_c == 40


def test_a_card_that_is_lost_meanwhile_gives_an_empty_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = install(monkeypatch)
    monitor = NvmlMonitor(FIRST)
    nvml.cards.clear()
    assert monitor.read() == Reading()


@pytest.mark.parametrize(
    ("settings", "address", "words"),
    [
        ({"init_error": 12}, FIRST, "libnvidia-ml was not found"),
        ({"init_error": 9}, FIRST, "driver is not loaded"),
        ({"init_error": 4}, FIRST, "no permission"),
        ({"init_error": 18}, FIRST, "different versions"),
        ({"init_error": 999}, FIRST, "NVML failed with: NVML Error with code 999"),
        ({"errors": {"nvmlDeviceGetHandleByPciBusId": 4}}, FIRST, "no permission"),
        ({}, "0000:11:00.0", "no card at 0000:11:00.0"),
        ({}, "3", "does not take 3 for a PCI address"),
    ],
)
def test_failures_are_told_apart(monkeypatch: pytest.MonkeyPatch, settings, address: str, words: str) -> None:
    nvml = install(monkeypatch, **settings)
    with pytest.raises(TelemetryUnavailable, match=words) as caught:
        NvmlMonitor(address)
    assert "\n" not in str(caught.value)
    assert nvml.users == 0


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(TelemetryUnavailable, match=r"pip install '\.\[nvml\]'"):
        NvmlMonitor(FIRST)


def test_old_packages_give_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, driver=b"418.67")
    assert NvmlMonitor(FIRST).driver == "418.67"


def test_the_double_is_like_the_package() -> None:
    real = pytest.importorskip("pynvml")
    double = FakeNvml({FIRST: Card()})
    for name, query in double._queries().items():
        ours, theirs = inspect.signature(query).parameters, inspect.signature(getattr(real, name)).parameters
        required = [each for each in theirs.values() if each.default is each.empty]
        assert len(ours) == len(required), name
    for name in ("UNINITIALIZED", "INVALID_ARGUMENT", "NOT_SUPPORTED", "NO_PERMISSION", "NOT_FOUND"):
        assert getattr(real, f"NVML_ERROR_{name}") == getattr(fake_pynvml, name)
        assert real.NVMLError(getattr(fake_pynvml, name)).value == getattr(fake_pynvml, name)
    assert (real.NVML_CLOCK_SM, real.NVML_TEMPERATURE_GPU) == (double.NVML_CLOCK_SM, double.NVML_TEMPERATURE_GPU)
    assert not issubclass(real.NVMLLibraryMismatchError, real.NVMLError)
    assert real.nvmlClocksEventReasonHwThermalSlowdown == 0x40
    assert real.nvmlClocksEventReasonSwThermalSlowdown == 0x20


def test_the_real_package_without_a_driver() -> None:
    real = pytest.importorskip("pynvml")
    try:
        real.nvmlInit()
    except real.NVMLError_LibraryNotFound:
        with pytest.raises(TelemetryUnavailable, match="libnvidia-ml was not found; install the driver"):
            NvmlMonitor(FIRST)
    else:
        real.nvmlShutdown()
        pytest.skip("this machine has a driver")
