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
#: Room for warm-up calls; in their own time limit no real model makes so many.
_WARMUP_ROOM = 100_000

#: Before a turn, so much of the time is spent on calls that are no samples: the caches are the other process's then.
_LEAD_IN_SHARE = 0.1
_LEAD_IN_ROOM = 10_000

#: Called between blocks with (phase, samples so far, median latency in ns of one call, its interval if there is one).
#: With the phase `turn` it returns when this process's turn has come.
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
    """Fill the stamps block by block until the stopping rule gives its reason. Time spent waiting does not count."""
    clock, stamps = blocks.clock, blocks.stamps
    block_ns = _block_ns(limits)
    begin = clock()
    good = 0  # samples up to here were taken before a look that found the clock as it should be
    while True:
        if limits.turn_s is not None:
            asked = clock()
            progress("turn", stamps.count, 0.0, None)
            _lead_in(blocks, block_ns)
            begin += clock() - asked
        end = min(clock() + block_ns, begin + int(limits.max_time_s * _NS_PER_S))
        timing.run_block(blocks.issue, blocks.complete, clock, stamps, until_ns=end)
        elapsed_s = (clock() - begin) / _NS_PER_S
        low = watch.clock_is_low()
        if low and guard.discard(stamps.count - good):
            stamps.count = good
            watch.pause(guard.pause_s)
            continue
        if low is False:
            good = stamps.count
            guard.good()
        stream = examine(stamps.durations_ns()) if limits.until_precise else None
        if stream is not None:
            progress("measure", stamps.count, float(np.median(stream.kept)) / blocks.group, stream.median)
        reason = stop_reason(limits, stamps.count, elapsed_s, stream)
        if reason is not None:
            return reason


def _block_ns(limits: Limits) -> int:
    if limits.turn_s is not None:
        return int(limits.turn_s * _NS_PER_S)
    return BLOCK_NS if limits.until_precise else min(BLOCK_NS, int(limits.min_time_s * _NS_PER_S))


def _lead_in(blocks: _Blocks, turn_ns: int) -> None:
    """Calls that are no samples, unless one takes a good part of a turn and brings its caches back by itself."""
    budget_ns = int(_LEAD_IN_SHARE * turn_ns)
    scratch = timing.Stamps(_LEAD_IN_ROOM)
    stamps = blocks.stamps
    last_ns = stamps.ends[stamps.count - 1] - stamps.starts[stamps.count - 1] if stamps.count else 0
    if last_ns <= 2 * budget_ns:
        timing.run_block(blocks.issue, blocks.complete, blocks.clock, scratch, until_ns=blocks.clock() + budget_ns)


def _warm_up(
    session: Session, scope: Scope, feeds: Sequence[Feeds], limits: Limits, clock: ClockNs, progress: Progress
) -> list[int]:
    """Durations in ns of the warm-up calls: kept in the file, never part of the samples."""
    issue, complete = timing.compose(session, scope, feeds)
    stamps = timing.Stamps(_WARMUP_ROOM)
    begin = clock()
    while stamps.count < stamps.capacity:
        # One call a turn while they are few, so that a slow model does not warm up longer than it must.
        few = stamps.count < limits.warmup_calls
        timing.run_block(issue, complete, clock, stamps, until_ns=0 if few else clock() + BLOCK_NS // 5)
        progress("warm up", stamps.count, float(stamps.ends[stamps.count - 1] - stamps.starts[stamps.count - 1]), None)
        if warm(limits, stamps.count, (clock() - begin) / _NS_PER_S):
            break
    return stamps.durations_ns()
