"""Looking at the device between blocks of samples, with a monitor that says what the test wants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

import pytest

from backends.base import Scope
from backends.telemetry import Monitor, Reading
from bench.measure import take_samples
from bench.stopping import Limits
from bench.watch import MAX_DISCARDS, Watch
from tests.doubles.virtual import VirtualClock, VirtualSession, feeds

FULL = Reading(clock_mhz=1500.0, max_clock_mhz=1500.0)
LOW = Reading(clock_mhz=500.0, max_clock_mhz=1500.0, throttle_reasons=("thermal slowdown",))
CAPPED = Reading(clock_mhz=500.0, max_clock_mhz=1500.0, throttle_reasons=("power cap",))


class Told(Monitor):
    """Gives the readings that it was told to, then the last one for ever."""

    source, driver = "told", "1.0"

    def __init__(self, readings: Sequence[Reading], light: bool = True) -> None:
        self.light = light
        self._readings: Iterator[Reading] = iter([*readings])
        self._last = readings[-1]
        self.reads = 0

    def read(self) -> Reading:
        self.reads += 1
        return next(self._readings, self._last)

    def close(self) -> None:
        pass


def quiet(*_: object) -> None:
    """Progress that nobody watches."""


def watched(monitor: Monitor, clock: VirtualClock) -> tuple[Watch, list[float]]:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(int(seconds * 1e9))

    return Watch(monitor, now=lambda: clock.now / 1e9, sleep=sleep), pauses


def measure(readings: Sequence[Reading], light: bool = True) -> tuple[Watch, Told, list[float], object]:
    session = VirtualSession(VirtualClock())
    monitor = Told(readings, light)
    watch, pauses = watched(monitor, session.clock)
    watch.look("before")
    samples = take_samples(session, Scope.COMPUTE, feeds(8), Limits(), session.clock, quiet, watch)
    watch.look("after")
    return watch, monitor, pauses, samples


def test_a_clock_that_stays_low_ends_after_twenty_discards_and_is_flagged() -> None:
    _, _, pauses, samples = measure([LOW])
    assert samples.discarded_blocks == MAX_DISCARDS == 20
    assert samples.clock_stayed_low
    assert samples.stop == "converged", "it measures all the same"
    assert pauses[:3] == pytest.approx([0.05, 0.10, 0.15])
    assert max(pauses) == 0.5
    assert len(pauses) == 20


def test_a_clock_that_recovers_costs_only_the_blocks_at_the_low_one() -> None:
    # before, begin, then the looks between blocks
    watch, _, pauses, samples = measure([FULL, FULL, LOW, LOW, FULL])
    assert samples.discarded_blocks == 2
    assert len(pauses) == 2
    assert not samples.clock_stayed_low
    throttled, reason = watch.throttling()
    assert throttled is True
    assert "thermal slowdown" in reason


def test_a_power_cap_is_how_a_card_works_and_discards_nothing() -> None:
    watch, _, pauses, samples = measure([CAPPED])
    assert samples.discarded_blocks == 0
    assert not pauses
    assert watch.throttling()[1] == "" or "power cap" not in watch.throttling()[1]


def test_a_monitor_that_is_slow_to_read_is_left_alone_while_samples_are_taken() -> None:
    watch, monitor, _, _ = measure([FULL], light=False)
    assert monitor.reads == 2
    assert [reading.moment for reading in watch.telemetry(1).readings] == ["before", "after"]


def test_readings_are_at_least_a_second_apart() -> None:
    _, monitor, _, samples = measure([FULL])
    seconds = sum(samples.samples_ns) / 1e9
    assert monitor.reads <= 4 + seconds + 1


def test_not_throttled_is_only_said_of_a_device_that_somebody_looked_at() -> None:
    """The host's quota and heat say nothing of a card; nor does a look before and after."""
    unlimited = Reading(throttle_reasons=("none",))
    assert measure([unlimited])[0].throttling() == (False, "")
    assert measure([Reading(power_w=30.0)])[0].throttling() == (None, "")
    assert measure([unlimited], light=False)[0].throttling() == (None, "")
    assert measure([LOW])[0].throttling()[0] is True


def test_all_samples_since_the_last_good_look_are_discarded() -> None:
    # A clock that was low from the start (before, begin): not even the samples before the first look stay.
    _, _, _, samples = measure([LOW, LOW, LOW, LOW, FULL])
    assert samples.discarded_blocks == 2
    # Seconds are counted from the beginning, so two that were thrown away leave one block, and what it takes to 2 s.
    assert len(samples.samples_ns) < 1_000


def test_energy_per_image_is_the_counters_difference_over_the_images() -> None:
    watch, _, _, samples = measure([Reading(energy_j=100.0), Reading(energy_j=110.0), Reading(energy_j=150.0)])
    images = 4 * len(samples.samples_ns)
    assert watch.telemetry(4).energy_per_image_j == pytest.approx(40.0 / images)


def test_energy_from_power_where_there_is_no_counter() -> None:
    watch, _, _, _ = measure([*repeat(Reading(power_w=50.0), 3)])
    found = watch.telemetry(4).energy_per_image_j
    # Virtual time: the host's counters saw next to none of it, so only the sign is known.
    assert found is not None
    assert found > 0


def test_device_memory_is_what_the_model_added() -> None:
    watch, _, _, _ = measure([Reading(memory_used_bytes=100), Reading(memory_used_bytes=350)])
    assert watch.telemetry(4).device_memory_bytes == 250


def test_without_a_monitor_the_host_is_watched_all_the_same() -> None:
    session = VirtualSession(VirtualClock())
    watch = Watch(missing="nobody looks", on_cpu=True)
    take_samples(session, Scope.COMPUTE, feeds(8), Limits.quick(), session.clock, quiet, watch)
    seen = watch.telemetry(1)
    assert seen.missing == "nobody looks"
    assert seen.activity is not None
    assert seen.activity.own_cores is not None
