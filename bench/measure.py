"""Warm up, then take samples until the stopping rule is content."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from backends.base import Feeds, Scope, Session
from bench import overhead, timing
from bench.clock import ClockNs
from bench.stopping import Limits, stop_reason, warm
from bench.watch import ClockGuard, Watch
from reports.records import Samples, StopReason
from reports.statistics import Interval
from reports.summary import examine

_NS_PER_S = 1_000_000_000
#: Between two blocks the rule is evaluated and progress is reported; inside one nothing but samples happens.
BLOCK_NS = _NS_PER_S // 2

#: Called between blocks with (phase, samples so far, median latency in ns of one call, its interval if there is one).
Progress = Callable[[str, int, float, Interval | None], None]


def take_samples(
    session: Session,
    scope: Scope,
    feeds: Sequence[Feeds],
    limits: Limits,
    clock: ClockNs,
    progress: Progress,
    watch: Watch | None = None,
) -> Samples:
    """Measure one open session; scope `compute` runs on `feeds[0]`, which is brought to the device first.

    `watch` looks at the device between blocks of samples. Exceptions of the session pass through.
    """
    watch = watch or Watch()
    session.copy_inputs(feeds[0])
    loop_ns = overhead.overhead_ns(clock)
    with timing.collector_off():
        warmup_ns = _warm_up(session, scope, feeds, limits, clock, progress)
        group, group_ns = overhead.choose_group(clock, loop_ns, statistics.median(warmup_ns))
        issue, complete = timing.compose(session, scope, feeds, group)
        stamps = timing.Stamps(limits.max_samples)
        guard = ClockGuard()
        watch.begin()
        reason = _until_stopped(_Blocks(issue, complete, clock, stamps, group), limits, progress, watch, guard)
        watch.end(calls=(stamps.count + guard.samples_discarded) * group)
    return Samples(
        samples_ns=stamps.durations_ns(),
        warmup_ns=warmup_ns,
        group=group,
        stop=reason,
        overhead_ns=group_ns,
        discarded_blocks=guard.discarded,
        clock_stayed_low=guard.gave_up,
    )


@dataclass(frozen=True, slots=True)
class _Blocks:
    """What a block of samples is made of."""

    issue: timing.Step
    complete: timing.Step
    clock: ClockNs
    stamps: timing.Stamps
    group: int


def _until_stopped(blocks: _Blocks, limits: Limits, progress: Progress, watch: Watch, guard: ClockGuard) -> StopReason:
    """Fill the stamps block by block until the stopping rule gives its reason."""
    clock, stamps = blocks.clock, blocks.stamps
    begin = clock()
    good = 0  # samples up to here were taken before a look that found the clock as it should be
    while True:
        end = min(clock() + BLOCK_NS, begin + int(limits.max_time_s * _NS_PER_S))
        timing.run_block(blocks.issue, blocks.complete, clock, stamps, until_ns=end)
        low = watch.clock_is_low()
        if low and guard.discard(stamps.count - good):
            stamps.count = good
            watch.pause(guard.pause_s)
            continue
        if low is False:
            good = stamps.count
            guard.good()
        stream = examine(stamps.durations_ns())
        progress("measure", stamps.count, float(np.median(stream.kept)) / blocks.group, stream.median)
        reason = stop_reason(limits, stamps.count, (clock() - begin) / _NS_PER_S, stream)
        if reason is not None:
            return reason


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
