"""Synthetic noise with known properties, many streams at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.statistics import abba_order

Floats = NDArray[np.float64]


def ar1(generator: np.random.Generator, phi: float, streams: int, count: int) -> Floats:
    """(streams, count) of stationary AR(1) processes with mean 0 and standard deviation 1."""
    steps = generator.standard_normal((count, streams))
    steps[1:] *= np.sqrt(1 - phi**2)
    for now in range(1, count):
        steps[now] += phi * steps[now - 1]
    return np.ascontiguousarray(steps.T)


def paired_differences(
    generator: np.random.Generator, trials: int, pairs: int, slowdown: float = 0.0, samples: int = 100
) -> Floats:
    """(trials, pairs) of differences of log medians, new - base, of invocations in ABBA order.

    Within an invocation AR(1) 0.7 of sd 2 % and 2 % spikes of mean +20 %; between invocations sd 0.7 %; the machine
    drifts as a random walk of 0.3 % a slot.
    """
    slots = 2 * pairs
    streams = trials * slots
    durations = np.exp(0.02 * ar1(generator, 0.7, streams, samples))
    spiked = generator.random(durations.shape) < 0.02
    durations[spiked] *= 1 + generator.exponential(0.2, np.count_nonzero(spiked))
    medians = np.log(np.median(durations, axis=1)).reshape(trials, slots)
    medians += 0.007 * generator.standard_normal((trials, slots))
    medians += np.cumsum(0.003 * generator.standard_normal((trials, slots)), axis=1)
    return differences(medians + np.log1p(slowdown) * sides(pairs), pairs)


def sides(pairs: int) -> NDArray[Any]:
    """By slot: 1 where the order measures the new side, 0 for the base."""
    return np.array([side == "new" for pair in abba_order(pairs) for side in pair], dtype=float)


def differences(by_slot: Floats, pairs: int) -> Floats:
    """New - base of each pair, from figures by slot in ABBA order."""
    first, second = by_slot[..., 0::2], by_slot[..., 1::2]
    base_first = np.array([pair[0] == "base" for pair in abba_order(pairs)])
    return np.where(base_first, second - first, first - second)
