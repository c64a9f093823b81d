"""What the timing of this machine is good for: clock, loop, scheduler, and the noise between equal invocations."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from backends.telemetry import HostActivity, activity, host_counters
from bench import overhead, timing
from bench.clock import PERF_CLOCK
from bench.messages import NoiseTask, Ran
from bench.noise import Spin, take
from bench.process import run_worker
from reports.statistics import abba_order, call_cost, decide, minimum_detectable_effect, pairs_needed, percentile

SPIN_NS = 1_000_000
#: What a spin of one millisecond may read as on a quiet core.
SPIN_LIMIT = 1.01
SPIN_TAIL_LIMIT = 1.1
_SPINS = 400
_SAMPLES = 100
#: Slow-downs, as shares, that people ask about.
EFFECTS = (0.02, 0.03, 0.05, 0.10)


@dataclass(frozen=True, slots=True)
class ClockResult:
    """The clock's smallest step and the cost of reading it, in ns."""

    step_ns: int
    read_ns: float


@dataclass(frozen=True, slots=True)
class LoopResult:
    """What the loop adds to a sample (`bias_ns`), and what a call through it costs beside that (`call_ns`)."""

    bias_ns: float
    call_ns: float


@dataclass(frozen=True, slots=True)
class SpinResult:
    """A busy wait of SPIN_NS as the loop saw it, in ns."""

    median_ns: float
    p99_ns: float
    worst_ns: float

    @property
    def quiet(self) -> bool:
        """Whether the median is within the limit: this core belongs to the sample most of the time."""
        return self.median_ns <= SPIN_LIMIT * SPIN_NS

    @property
    def undisturbed(self) -> bool:
        """Whether 99 in 100 spins are, too."""
        return self.quiet and self.p99_ns <= SPIN_TAIL_LIMIT * SPIN_NS


@dataclass(frozen=True, slots=True)
class NoiseResult:
    """Pairs of equal invocations: each difference is the log of a ratio of medians that should be 0."""

    differences: tuple[float, ...]
    within_sd: float
    between_sd: float
    activity: HostActivity

    @property
    def pairs(self) -> int:
        return len(self.differences)

    @property
    def difference_sd(self) -> float:
        return statistics.stdev(self.differences)

    def detectable(self, pairs: int) -> float:
        """The slow-down, as a share, that so many pairs find 95 times in 100."""
        return minimum_detectable_effect(self.difference_sd, pairs)

    def pairs_for(self, effect: float) -> int | None:
        """Pairs that find a slow-down of that share; None if no reasonable number does."""
        return pairs_needed(self.difference_sd, effect)

    def false_alarm(self) -> bool:
        """Whether the rule of the regression check calls these equal invocations different."""
        return decide(self.differences) in ("regressed", "improved")


def clock() -> ClockResult:
    """Read the clock many times in a row."""
    readings = [PERF_CLOCK() for _ in range(20_000)]
    steps = [b - a for a, b in itertools.pairwise(readings)]
    return ClockResult(min(step for step in steps if step > 0), statistics.mean(steps))


def loop() -> LoopResult:
    """Run the loop over a session that does nothing, in samples of 1 to 64 calls."""
    counts = (1, 2, 4, 8, 16, 32, 64)
    times = [overhead.overhead_ns(PERF_CLOCK, group) * group for group in counts]
    cost, _ = call_cost(counts, times)
    return LoopResult(bias_ns=overhead.overhead_ns(PERF_CLOCK), call_ns=cost)


def spin() -> SpinResult:
    """Spin for a millisecond, again and again."""
    with timing.collector_off():
        durations = take(Spin(SPIN_NS), _SPINS).durations_ns()
    return SpinResult(statistics.median(durations), percentile(durations, 0.99) or math.nan, max(durations))


def noise(pairs: int, progress: Callable[[int], None]) -> NoiseResult:
    """Run `pairs` pairs of fresh processes that all do the same, in ABBA order; `progress` gets the pairs done.

    Raises UsageError when an invocation fails.
    """
    differences: list[float] = []
    medians: list[float] = []
    spreads: list[float] = []
    before = host_counters()
    for number, order in enumerate(abba_order(pairs)):
        pair = {}
        for side in order:
            outcome = run_worker(NoiseTask(samples=_SAMPLES), lambda _: None)
            ran = outcome.demand(Ran, "the selftest's own worker")
            durations = [end - start for start, end in zip(ran.starts_ns, ran.ends_ns, strict=True)]
            pair[side] = statistics.median(durations)
            low, middle, high = statistics.quantiles(durations, n=4)
            # Of a normal distribution 1.349 standard deviations lie between the quartiles; spikes do not count here.
            spreads.append((high - low) / 1.349 / middle)
        differences.append(math.log(pair["new"] / pair["base"]))
        medians += pair.values()
        progress(number + 1)
    return NoiseResult(
        differences=tuple(differences),
        within_sd=statistics.median(spreads),
        between_sd=statistics.stdev(math.log(median) for median in medians),
        activity=activity(before, host_counters()),
    )
