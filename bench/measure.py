"""Warm up, then take samples until the stopping rule is content."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from backends.base import Feeds, Scope, Session
from bench import overhead, timing
from bench.clock import ClockNs
from bench.stopping import Limits, stop_reason, warm
from reports.records import Samples
from reports.statistics import Interval, median_interval

_NS_PER_S = 1_000_000_000
#: Between two blocks the rule is evaluated and progress is reported; inside one nothing but samples happens.
BLOCK_NS = _NS_PER_S // 2

#: Called between blocks with (phase, samples so far, median latency in ns of one call, its interval if there is one).
Progress = Callable[[str, int, float, Interval | None], None]


def take_samples(
    session: Session, scope: Scope, feeds: Sequence[Feeds], limits: Limits, clock: ClockNs, progress: Progress
) -> Samples:
    """Measure one open session whose inputs `feeds[0]` lie on the device already.

    Exceptions of the session pass through.
    """
    loop_ns = overhead.overhead_ns(clock)
    warmup_ns = _warm_up(session, scope, feeds, limits, clock, progress)
    group = overhead.group_size(loop_ns, statistics.median(warmup_ns))
    if scope is Scope.COMPUTE:
        # An end-to-end warm-up is not needed here, but the bound batch must be the first one again.
        session.copy_inputs(feeds[0])
    issue, complete = timing.compose(session, scope, feeds, group)
    stamps = timing.Stamps(limits.max_samples)
    begin = clock()
    while True:
        now = clock()
        end = min(now + BLOCK_NS, begin + int(limits.max_time_s * _NS_PER_S))
        timing.run_block(issue, complete, clock, stamps, until_ns=end)
        durations = stamps.durations_ns()
        median = median_interval(durations)
        reason = stop_reason(limits, stamps.count, (clock() - begin) / _NS_PER_S, median)
        progress("measure", stamps.count, statistics.median(durations) / group, median)
        if reason is not None:
            return Samples(samples_ns=durations, warmup_ns=warmup_ns, group=group, stop=reason, overhead_ns=loop_ns)


def _warm_up(
    session: Session, scope: Scope, feeds: Sequence[Feeds], limits: Limits, clock: ClockNs, progress: Progress
) -> list[int]:
    """Durations in ns of the warm-up calls: kept in the file, never part of the samples."""
    issue, complete = timing.compose(session, scope, feeds)
    stamps = timing.Stamps(limits.max_samples)
    begin = clock()
    while stamps.count < stamps.capacity:
        # One call a turn while they are few, so that a slow model does not warm up longer than it must.
        few = stamps.count < limits.warmup_calls
        timing.run_block(issue, complete, clock, stamps, until_ns=0 if few else clock() + BLOCK_NS // 5)
        progress("warm up", stamps.count, float(stamps.ends[stamps.count - 1] - stamps.starts[stamps.count - 1]), None)
        if warm(limits, stamps.count, (clock() - begin) / _NS_PER_S):
            break
    return stamps.durations_ns()
