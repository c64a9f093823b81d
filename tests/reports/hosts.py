"""Synthetic hosts with noise of known size, and how the regression check fares on them.

Assumed, not measured on any card: what a machine really does, `tests/benchmarks/real_false_alarms.py` tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reports.regression import Check, Measure, Pairs, Settings, run_procedure
from tests.reports.statistics.noise import Floats, ar1, differences, sides

_SAMPLES = 100
#: Simulated invocations at a time: a hundred samples of each fit into the processor's cache better than all.
_STREAMS = 20_000


@dataclass(frozen=True)
class Host:
    """Shares of the duration. Within an invocation AR(1) 0.7 of sd 2 % with spikes of mean +20 %."""

    invocation_sd: float
    #: of the machine's random walk, a slot
    drift_sd: float
    spiked: float
    #: share of slots in which something else runs, and how much longer they take on average then
    slowed: float = 0.0
    slowed_by: float = 0.0

    def log_medians(self, generator: np.random.Generator, trials: int, slots: int) -> Floats:
        """(trials, slots) of the logarithms of the invocations' medians, one after another in time."""
        streams = trials * slots
        medians = np.concatenate(
            [self._medians(generator, min(_STREAMS, streams - start)) for start in range(0, streams, _STREAMS)]
        ).reshape(trials, slots)
        medians += self.invocation_sd * generator.standard_normal((trials, slots))
        medians += np.cumsum(self.drift_sd * generator.standard_normal((trials, slots)), axis=1)
        disturbed = generator.random((trials, slots)) < self.slowed
        medians[disturbed] += np.log1p(generator.exponential(self.slowed_by, np.count_nonzero(disturbed)))
        return medians

    def _medians(self, generator: np.random.Generator, streams: int) -> Floats:
        durations = np.exp(0.02 * ar1(generator, 0.7, streams, _SAMPLES))
        spiked = generator.random(durations.shape) < self.spiked
        durations[spiked] *= 1 + generator.exponential(0.2, np.count_nonzero(spiked))
        medians: Floats = np.log(np.median(durations, axis=1))
        return medians

    def paired(self, generator: np.random.Generator, trials: int, pairs: int, slowdown: float = 0.0) -> Floats:
        """(trials, pairs) of log differences, new - base, measured in ABBA order."""
        medians = self.log_medians(generator, trials, 2 * pairs)
        return differences(medians + np.log1p(slowdown) * sides(pairs), pairs)


QUIET = Host(invocation_sd=0.007, drift_sd=0.003, spiked=0.02)
NOISY = Host(invocation_sd=0.012, drift_sd=0.006, spiked=0.05, slowed=0.08, slowed_by=0.08)


def from_pool(rows: dict[str, Sequence[float]]) -> Measure:
    """A way to measure that reads a row's log differences off a list, pair by pair."""

    def measure(names: Sequence[str], first_pair: int, pairs: int) -> dict[str, Pairs]:
        taken = {name: rows[name][first_pair : first_pair + pairs] for name in names}
        return {name: Pairs((1.0,) * pairs, tuple(np.exp(row))) for name, row in taken.items()}

    return measure


def checks(
    host: Host,
    generator: np.random.Generator,
    trials: int,
    rows: int = 1,
    slowdown: float = 0.0,
    settings: Settings | None = None,
) -> Iterator[Check]:
    """Whole checks of `rows` rows each, from the first pair to the second measurement of what fails."""
    rule = settings or Settings()
    pool = host.paired(generator, trials * rows, 2 * rule.noisy_pairs, slowdown)
    names = [f"row {number}" for number in range(rows)]
    for trial in pool.reshape(trials, rows, -1):
        yield run_procedure(names, from_pool(dict(zip(names, trial, strict=True))), rule)


def verdicts(found: Iterator[Check]) -> Counter[str]:
    """How often each verdict came up, over all rows of all checks."""
    return Counter(row.verdict for check in found for row in check.rows)
