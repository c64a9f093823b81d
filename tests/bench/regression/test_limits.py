"""An invocation of a check: so many samples and a little time, not as long as it takes to be precise."""

from __future__ import annotations

import numpy as np
import pytest

from backends.base import Scope
from bench.measure import take_samples
from bench.stopping import Limits, stop_reason
from reports.records import Samples
from reports.statistics import Interval, SteadyState
from reports.summary import Stream
from tests.doubles.virtual import VirtualClock, VirtualSession, feeds

WIDE = Interval(100.0, 50.0, 150.0)


@pytest.mark.parametrize(
    ("samples", "elapsed_s", "reason"),
    [
        (100, 0.4, "sample limit"),
        (99, 0.4, None),
        (100, 0.39, None),
        (99, 10.0, "time limit"),
        (10, 10.0, "time limit"),
        (9, 10.0, None),
        (9, 100.0, None),
    ],
)
def test_it_ends_with_its_samples_or_with_ten_when_time_is_up(
    samples: int, elapsed_s: float, reason: str | None
) -> None:
    limits = Limits.invocation(100, max_time_s=10.0)
    stream = Stream(SteadyState(0, None, ""), np.full(samples, 100.0), float(samples), WIDE)
    assert stop_reason(limits, samples, elapsed_s, stream) == reason


def measured(
    job_ms: float, samples: int = 100, max_time_s: float = 10.0, turn_s: float | None = None
) -> tuple[Samples, list[int], VirtualSession]:
    """What a device gives that takes that long in virtual time, the samples before each turn, and the session."""
    clock = VirtualClock()
    session = VirtualSession(clock, job_ns=[round(job_ms * 1e6)], enqueue_ns=0)
    turns: list[int] = []

    def progress(phase: str, count: int, latency_ns: float, median: Interval | None) -> None:
        if phase == "turn":
            turns.append(count)
            clock.advance(10**11)  # the other process takes its time

    limits = Limits.invocation(samples, max_time_s, turn_s)
    return take_samples(session, Scope.COMPUTE, feeds(), limits, clock, progress), turns, session


def test_short_calls_fill_the_least_time() -> None:
    found, turns, _ = measured(job_ms=0.5)
    assert len(found.samples_ns) == 800
    assert 400 <= len(found.warmup_ns) <= 800
    assert turns == []


def test_longer_calls_are_as_many_as_asked_for() -> None:
    found, _, _ = measured(job_ms=20.0)
    assert 100 <= len(found.samples_ns) < 120  # up to the end of a block
    assert len(found.warmup_ns) == 10


def test_calls_too_long_for_their_time_are_at_least_ten() -> None:
    found, _, session = measured(job_ms=3000.0, max_time_s=10.0)
    assert (len(found.samples_ns), found.stop) == (10, "time limit")
    assert session.jobs < 20
    assert len(measured(job_ms=3000.0, samples=3)[0].samples_ns) == 3


def test_turns_are_waited_for_and_the_wait_does_not_count() -> None:
    found, turns, session = measured(job_ms=1.0, turn_s=0.02)
    assert turns == [20 * turn for turn in range(20)]
    assert len(found.samples_ns) == 400
    assert set(found.samples_ns) == {1_000_000}
    # Two calls before every turn bring the caches back and are no samples.
    assert session.jobs == len(found.warmup_ns) + len(found.samples_ns) + 2 * len(turns)


def test_a_call_longer_than_a_turn_is_a_turn() -> None:
    found, turns, session = measured(job_ms=50.0, turn_s=0.02)
    assert turns == list(range(100))
    assert len(found.samples_ns) == 100
    assert session.jobs == len(found.warmup_ns) + len(found.samples_ns) + 1
