"""The loop, on virtual time: every expected figure is exact."""

from __future__ import annotations

import gc
import statistics
import time

import pytest

from backends.base import Scope
from backends.conformance import ConformanceError, check_device_time, check_waits
from bench import overhead, timing
from bench.clock import PERF_CLOCK
from bench.measure import take_samples
from bench.stopping import Limits
from reports.records import Samples
from reports.summary import derived_fps_per_card, summarise
from tests.doubles.virtual import VirtualClock, VirtualSession, feeds

FOREVER = 2**63 - 1


def quiet(*_: object) -> None:
    """Progress that nobody watches."""


def block(session: VirtualSession, scope: Scope, count: int, group: int = 1) -> list[int]:
    issue, complete = timing.compose(session, scope, feeds(8), group)
    stamps = timing.Stamps(count)
    timing.run_block(issue, complete, session.clock, stamps, FOREVER)
    return stamps.durations_ns()


def test_compute_sample_is_enqueue_plus_job_exactly() -> None:
    assert block(VirtualSession(VirtualClock()), Scope.COMPUTE, 100) == [1_005_000] * 100


def test_fps_of_batch_4_at_1_005_ms() -> None:
    samples = Samples(samples_ns=[1_005_000] * 100, warmup_ns=[], group=1, stop="converged", overhead_ns=0)
    summary = summarise(samples)
    assert summary is not None
    assert derived_fps_per_card(1, 4, summary.mean_ms) == pytest.approx(3980.1, abs=0.01)


def test_a_session_that_does_not_wait_gives_5_us_and_fails_the_kit() -> None:
    liar = VirtualSession(VirtualClock(), waits=False)
    assert block(liar, Scope.COMPUTE, 10) == [5_000] * 10
    with pytest.raises(ConformanceError, match="synchronize does not wait"):
        check_device_time(liar, feeds()[0], liar.clock, device_time_ns=1_000_000)


def test_an_honest_session_passes_the_kit() -> None:
    honest = VirtualSession(VirtualClock())
    check_device_time(honest, feeds()[0], honest.clock, device_time_ns=1_000_000)
    check_waits(honest, feeds()[0], honest.clock)
    assert honest.jobs == 11, "1 for its time; then 1 to be ready, 1 alone and 8 in a row"


def test_alternating_latencies_give_fps_of_the_mean() -> None:
    durations = block(VirtualSession(VirtualClock(), job_ns=(1_000_000, 9_000_000), enqueue_ns=0), Scope.COMPUTE, 100)
    samples = Samples(samples_ns=durations, warmup_ns=[], group=1, stop="converged", overhead_ns=0)
    summary = summarise(samples)
    assert summary is not None
    assert derived_fps_per_card(1, 4, summary.mean_ms) == pytest.approx(200 * 4)


def test_copies_are_in_end_to_end_and_never_in_compute() -> None:
    assert block(VirtualSession(VirtualClock(), copy_ns=200_000), Scope.COMPUTE, 5) == [1_005_000] * 5
    assert block(VirtualSession(VirtualClock(), copy_ns=200_000), Scope.END_TO_END, 5) == [1_405_000] * 5


def test_end_to_end_rotates_through_all_host_batches() -> None:
    session = VirtualSession(VirtualClock())
    issue, complete = timing.compose(session, Scope.END_TO_END, feeds(8))
    seen = []
    for _ in range(16):
        issue()
        complete()
        seen.append(float(session.copy_outputs()["y"][0, 0]))
    assert seen == [float(index + 1) for index in range(8)] * 2


@pytest.mark.parametrize("scope", list(Scope))
def test_grouped_sample_covers_whole_inferences(scope: Scope) -> None:
    session = VirtualSession(VirtualClock(), job_ns=(1_000,), enqueue_ns=0, copy_ns=10)
    single = 1_000 if scope is Scope.COMPUTE else 1_020
    assert block(session, scope, 3, group=7) == [7 * single] * 3
    assert session.jobs == 21


def test_group_size_keeps_the_overhead_below_a_thousandth() -> None:
    assert overhead.group_size(overhead=100, latency_ns=1_000_000) == 1
    assert overhead.group_size(overhead=100, latency_ns=1_000) == 100
    assert overhead.group_size(overhead=0, latency_ns=0) == 1


def test_the_group_that_is_chosen_keeps_the_measured_overhead_below_a_thousandth() -> None:
    """Whatever this machine's overhead is: a call of 2/3 of a thousand of them needs more than the formula's group."""
    alone = overhead.overhead_ns(PERF_CLOCK)
    for share in (0.5, 0.8, 1.2):
        latency = 1000 * alone * share
        group, _ = overhead.choose_group(PERF_CLOCK, alone, latency)
        assert group >= overhead.group_size(alone, latency)
        assert (group == 1) == (share > 1)
    assert overhead.choose_group(PERF_CLOCK, alone, alone)[0] >= 1000, "no group helps a call of the loop's own length"


def test_block_ends_at_the_deadline_and_goes_on_where_it_stopped() -> None:
    session = VirtualSession(VirtualClock(), enqueue_ns=0)
    stamps = timing.Stamps(100)
    timing.run_block(session.enqueue, session.synchronize, session.clock, stamps, until_ns=3_000_000)
    assert stamps.count == 3
    timing.run_block(session.enqueue, session.synchronize, session.clock, stamps, until_ns=0)
    assert stamps.count == 4
    assert list(stamps.starts[:4]) == [0, 1_000_000, 2_000_000, 3_000_000]


def test_garbage_collector_is_off_while_measuring_and_restored_after_an_error() -> None:
    seen: list[bool] = []

    def fail() -> None:
        seen.append(gc.isenabled())
        if len(seen) == 3:
            raise RuntimeError("device lost")

    stamps = timing.Stamps(10)
    with pytest.raises(RuntimeError, match="device lost"), timing.collector_off():
        timing.run_block(fail, lambda: None, VirtualClock(), stamps, FOREVER)
    assert seen == [False] * 3
    assert gc.isenabled()
    assert stamps.count == 2


def test_measuring_stops_when_the_median_is_known() -> None:
    session = VirtualSession(VirtualClock())
    samples = take_samples(session, Scope.COMPUTE, feeds(8), Limits(), session.clock, quiet)
    assert samples.stop == "converged"
    assert set(samples.samples_ns) == {1_005_000}
    assert sum(samples.samples_ns) >= 2_000_000_000
    assert len(samples.warmup_ns) >= 10
    assert sum(samples.warmup_ns) >= 500_000_000


def test_measuring_stops_at_the_time_limit_when_it_is_not() -> None:
    session = VirtualSession(VirtualClock(), job_ns=(1_000_000, 9_000_000))
    limits = Limits(max_time_s=3.0)
    samples = take_samples(session, Scope.COMPUTE, feeds(8), limits, session.clock, quiet)
    assert samples.stop == "time limit"
    assert 3.0e9 <= sum(samples.samples_ns) <= 3.01e9
    summary = summarise(samples)
    assert summary is not None
    assert not summary.converged


def test_a_slow_model_is_warmed_up_within_its_limit() -> None:
    session = VirtualSession(VirtualClock(), job_ns=(4_000_000_000,))
    samples = take_samples(session, Scope.COMPUTE, feeds(8), Limits.within(20), session.clock, quiet)
    assert len(samples.warmup_ns) == 3
    assert len(samples.samples_ns) == 5


def test_compute_measures_the_bound_batch_zero() -> None:
    session = VirtualSession(VirtualClock())
    session.copy_inputs(feeds(8)[5])
    take_samples(session, Scope.COMPUTE, feeds(8), Limits.quick(), session.clock, quiet)
    assert float(session.copy_outputs()["y"][0, 0]) == 1.0


def test_null_session_overhead_is_real_and_small() -> None:
    assert overhead.overhead_ns(PERF_CLOCK) > 0


def test_a_tiny_job_is_measured_in_groups_without_percentiles() -> None:
    class Nothing(VirtualSession):
        """A session whose work is over before the clock can see it."""

        def enqueue(self) -> None:
            pass

        def synchronize(self) -> None:
            pass

    limits = Limits(max_time_s=0.2, min_time_s=0.05, warmup_min_s=0.01)
    samples = take_samples(Nothing(VirtualClock()), Scope.COMPUTE, feeds(8), limits, time.perf_counter_ns, quiet)
    assert samples.group > 1
    summary = summarise(samples)
    assert summary is not None
    assert (summary.p90_ms, summary.p95_ms, summary.p99_ms) == (None, None, None)
    # The latency of one call is the sample over its group; the start may have been cut off.
    kept = samples.samples_ns[summary.cut :]
    assert summary.median_ms == pytest.approx(statistics.median(kept) / samples.group / 1e6)


def test_a_spinning_job_is_never_measured_as_shorter_than_it_is() -> None:
    class Spin(VirtualSession):
        """Occupies the processor for one real millisecond."""

        def enqueue(self) -> None:
            until = time.perf_counter_ns() + 1_000_000
            while time.perf_counter_ns() < until:
                pass

        def synchronize(self) -> None:
            pass

    limits = Limits(max_time_s=0.2, min_time_s=0.05, warmup_min_s=0.01)
    samples = take_samples(Spin(VirtualClock()), Scope.COMPUTE, feeds(8), limits, time.perf_counter_ns, quiet)
    # Only the lower bound is a matter of correctness; the upper one is a matter of the machine (tests/benchmarks).
    assert min(samples.samples_ns) >= 1_000_000 * samples.group
