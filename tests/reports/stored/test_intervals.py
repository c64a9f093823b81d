"""Ratios of stored medians and their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reports.matching import Taken, held
from reports.records import Samples
from reports.statistics import welch_log_ratio
from reports.stored.intervals import Side, StoredRatio, side_of, stored_ratio
from reports.summary import summarise
from tests.reports.samples import cell
from tests.reports.stored.made import run_of, timed


def side(*medians: float, name: str = "a") -> Sequence[Taken]:
    cells = [timed("pytorch", 1, median, invocation=number) for number, median in enumerate(medians)]
    return held([run_of(name, *cells)])[0].usable


def test_several_processes_on_both_sides_get_welchs_interval() -> None:
    base, new = (10.0, 10.2, 9.9, 10.1), (11.0, 11.1, 10.8)
    found, known = stored_ratio(side(*base), side(*new)), welch_log_ratio(new, base)
    assert (found.value, found.low, found.high) == (known.estimate, known.low, known.high)
    assert not found.within_process
    assert not found.enough


def test_one_process_a_side_combines_the_medians_own_intervals() -> None:
    found = stored_ratio(side(10.0), side(11.0))
    assert found.within_process
    assert found.value == pytest.approx(1.1)
    assert found.low == pytest.approx(1.1 * math.exp(-math.hypot(math.log(1 / 0.995), math.log(1.005))))
    assert found.high == pytest.approx(1.1 * math.exp(math.hypot(math.log(1.005), math.log(1 / 0.995))))


def test_a_median_without_an_interval_leaves_the_ratio_without_one() -> None:
    made = timed("pytorch", 1, 10.0)
    assert made.latency is not None
    bare = replace(made, latency=replace(made.latency, median_low_ms=None, median_high_ms=None))
    found = stored_ratio(held([run_of("a", bare)])[0].usable, side(20.0))
    assert (found.value, found.low, found.high) == (2.0, None, None)
    assert found.word() == "inconclusive"


def test_runs_of_several_processes_count_once_each() -> None:
    taken = [*side(10.0, 10.1, 10.2, name="a"), *side(12.0, 12.1, name="b")]
    found = side_of(taken)
    assert found.by_run
    assert found.units == pytest.approx([(10.0 * 10.1 * 10.2) ** (1 / 3), math.sqrt(12.0 * 12.1)])
    assert found.told == "2 runs"
    assert side_of([*side(10.0, name="a"), *side(12.0, name="b")]).told == "2 processes"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (1.011, 1.02, "slower"), (1.009, 1.02, "same within 3 %"),
        (0.95, 0.989, "faster"), (0.95, 0.995, "inconclusive"),
        (0.991, 1.009, "same within 1 %"), (0.98, 1.029, "same within 3 %"), (0.98, 1.04, "inconclusive"),
        (None, None, "inconclusive"),
    ],
)  # fmt: skip
def test_the_word_follows_from_where_the_interval_lies(low: float | None, high: float | None, word: str) -> None:
    one = Side((1.0,), by_run=False, own=None)
    assert StoredRatio(one, one, 1.0, low, high).word() == word


@given(
    st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=6), st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=6)
)  # fmt: skip
def test_the_ratio_lies_in_its_interval_and_turns_over_with_the_sides(base: list[float], new: list[float]) -> None:
    forth, back = stored_ratio(side(*base), side(*new)), stored_ratio(side(*new), side(*base))
    assert forth.low is not None
    assert forth.high is not None
    assert back.low is not None
    assert forth.low <= forth.value * (1 + 1e-12)
    assert forth.high >= forth.value * (1 - 1e-12)
    assert forth.value * back.value == pytest.approx(1)
    assert forth.high * back.low == pytest.approx(1)


def test_intervals_of_single_processes_cover_the_ratio_of_their_medians() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(300):
        sides = []
        for name, scale in (("a", 10e6), ("b", 11e6)):
            drawn = np.round(scale * generator.lognormal(0, 0.03, 200)).astype(int).tolist()
            samples = Samples(samples_ns=drawn, warmup_ns=[], group=1, stop="converged", overhead_ns=90.0)
            made = replace(cell("pytorch", 1, 10.0, count=100), samples=samples, latency=summarise(samples))
            sides.append(held([run_of(name, made)])[0].with_median)
        found = stored_ratio(*sides)
        covered += found.low is not None and found.high is not None and found.low <= 1.1 <= found.high
    assert 0.93 * 300 <= covered <= 300
