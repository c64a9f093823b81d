"""The whole procedure of the regression check: who is measured when, what is said, and how often it is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from reports.regression import (
    Check,
    Measure,
    Missing,
    Pairs,
    Row,
    RowVerdict,
    Settings,
    detectable,
    judge,
    run_procedure,
)
from reports.statistics import decide
from tests.reports.hosts import NOISY, QUIET, checks, from_pool, verdicts

GENERATOR = np.random.default_rng


class Recorded:
    """A way to measure that remembers what it was asked for."""

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.asked: list[tuple[tuple[str, ...], int, int]] = []

    def __call__(self, names: Sequence[str], first_pair: int, pairs: int) -> dict[str, Pairs | Missing]:
        self.asked.append((tuple(names), first_pair, pairs))
        return dict(self.measure(names, first_pair, pairs))


def pool(*parts: tuple[float, float, int]) -> list[float]:
    """Log differences: for each (mean, sd, count) so many that have exactly that mean and standard deviation."""
    row: list[float] = []
    for mean, sd, count in parts:
        half = sd * math.sqrt((count - 1) / count)
        # Slightly uneven, since ties cost signed ranks their exactness.
        steps = [(half + 1e-9 * index) * (1 if index % 2 else -1) for index in range(count)]
        row += [mean + step for step in steps]
    return row


def run(rows: dict[str, list[float]], settings: Settings | None = None) -> tuple[Check, Recorded]:
    measure = Recorded(from_pool(rows))
    return run_procedure(list(rows), measure, settings), measure


def by_name(check: Check) -> dict[str, Row]:
    return {row.name: row for row in check.rows}


def test_what_is_clear_at_once_is_measured_once() -> None:
    check, measure = run({"same": pool((0.0, 0.01, 12)), "faster": pool((-0.05, 0.01, 12))})
    assert measure.asked == [(("same", "faster"), 0, 12)]
    assert {name: row.verdict for name, row in by_name(check).items()} == {"same": "unchanged", "faster": "improved"}
    assert check.answer == "passed"
    same = by_name(check)["same"]
    assert (same.pairs, same.test, same.remeasured) == (12, "student", False)
    assert same.sd == pytest.approx(0.01)
    assert same.change == pytest.approx(0.0, abs=1e-8)
    # t(0.99, 11) = 2.718079183812
    assert same.low == pytest.approx(math.expm1(-2.718079183812 * 0.01 / math.sqrt(12)), rel=1e-6)
    assert same.high == pytest.approx(math.expm1(2.718079183812 * 0.01 / math.sqrt(12)), rel=1e-6)
    assert same.differences == pytest.approx(pool((0.0, 0.01, 12)))


def test_only_what_fails_is_measured_again_and_regresses_when_it_fails_twice() -> None:
    rows = {"slower": pool((0.05, 0.01, 24)), "same": pool((0.0, 0.01, 12))}
    check, measure = run(rows)
    assert measure.asked == [(("slower", "same"), 0, 12), (("slower",), 12, 12)]
    slower = by_name(check)["slower"]
    assert (slower.verdict, slower.pairs, slower.remeasured) == ("regressed", 24, True)
    assert slower.change == pytest.approx(math.expm1(0.05))
    assert check.answer == "regressed"
    assert [row.name for row in check.named("regressed")] == ["slower"]


def test_what_fails_once_only_is_judged_by_all_its_pairs() -> None:
    check, _ = run(
        {"mostly": pool((0.06, 0.01, 12), (0.0, 0.01, 12)), "hardly": pool((0.03, 0.01, 12), (-0.01, 0.01, 12))}
    )
    assert by_name(check)["mostly"].verdict == "inconclusive"
    assert by_name(check)["hardly"].verdict == "unchanged"
    assert all(row.remeasured for row in check.rows)
    assert check.answer == "inconclusive"


def test_without_a_second_measurement_the_first_decides() -> None:
    check, measure = run({"slower": pool((0.05, 0.01, 12))}, Settings(remeasure=False))
    assert len(measure.asked) == 1
    assert check.answer == "regressed"


def test_noisy_rows_go_on_to_forty_pairs_and_signed_ranks() -> None:
    rows = {"noisy": pool((0.0, 0.05, 40)), "calm": pool((0.0, 0.01, 12))}
    check, measure = run(rows)
    assert measure.asked == [(("noisy", "calm"), 0, 12), (("noisy",), 12, 28)]
    noisy = by_name(check)["noisy"]
    assert (noisy.verdict, noisy.pairs, noisy.test) == ("unchanged", 40, "signed rank")
    assert by_name(check)["calm"].pairs == 12
    # The noisy row's own pairs in a measurement tell what it can find.
    assert noisy.mde == pytest.approx(detectable(noisy.sd or 0, 40, Settings(), 2))


def test_a_noisy_row_that_is_slower_beyond_doubt_needs_no_more_pairs() -> None:
    check, measure = run({"noisy": pool((0.2, 0.05, 24)), "calm": pool((0.0, 0.01, 12))})
    assert measure.asked == [(("noisy", "calm"), 0, 12), (("noisy",), 12, 12)]
    noisy = by_name(check)["noisy"]
    assert (noisy.verdict, noisy.pairs, noisy.test) == ("regressed", 24, "signed rank")


def test_a_row_that_turns_noisy_is_measured_as_long_as_any_noisy_one() -> None:
    check, measure = run({"row": pool((0.06, 0.01, 12), (0.0, 0.05, 40))})
    assert measure.asked == [(("row",), 0, 12), (("row",), 12, 12), (("row",), 24, 28)]
    assert by_name(check)["row"].test == "signed rank"


def test_wild_pairs_on_a_noisy_host_neither_hide_nor_make_a_regression() -> None:
    quiet = GENERATOR(2).normal(0.0, 0.01, 80)
    quiet[[5, 30, 45, 70]] = [-0.4, 0.5, -0.3, 0.4]
    check, _ = run({"same": list(quiet), "slower": list(quiet + 0.04)})
    assert {name: row.verdict for name, row in by_name(check).items()} == {"same": "unchanged", "slower": "regressed"}
    assert by_name(check)["slower"].change == pytest.approx(0.04, abs=0.005)
    assert (by_name(check)["slower"].low or 0) > 0.01


def test_a_row_alone_fails_where_one_of_sixteen_does_not() -> None:
    suspicious = pool((0.02, 0.01, 24))  # p is 0.003
    alone, _ = run({"row": suspicious})
    assert alone.answer == "regressed"
    others = {f"other {number}": pool((0.0, 0.01, 12)) for number in range(15)}
    among, measure = run({"row": suspicious, **others})
    assert by_name(among)["row"].verdict == "unchanged"  # shown to be below 3 %
    assert len(measure.asked) == 1
    # A family makes each of its rows harder to call regressed, and its rows say so.
    assert (by_name(among)["row"].mde or 0) > (by_name(alone)["row"].mde or 1)


def test_a_row_that_cannot_be_measured_leaves_the_others_alone() -> None:
    pools = from_pool({"good": pool((0.05, 0.01, 24)), "late": pool((0.05, 0.01, 24))})

    def measure(names: Sequence[str], first_pair: int, pairs: int) -> dict[str, Pairs | Missing]:
        found: dict[str, Pairs | Missing] = dict(pools([name for name in names if name != "dead"], first_pair, pairs))
        if first_pair:
            found["late"] = Missing("the worker died of SIGSEGV")
        return found | {"dead": Missing("the model does not load")}

    check = run_procedure(["dead", "late", "good"], measure)
    assert by_name(check)["dead"] == Row("dead", "not measured", reason="the model does not load")
    assert by_name(check)["late"] == Row("late", "not measured", reason="the worker died of SIGSEGV", remeasured=True)
    assert by_name(check)["good"].verdict == "regressed"
    assert check.answer == "regressed"


def rows(*verdicts: RowVerdict) -> Check:
    return Check("paired", tuple(Row(str(n), verdict) for n, verdict in enumerate(verdicts)), 0.01, 0.01, 0.03)


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        (["unchanged", "improved"], "passed"),
        (["unchanged", "inconclusive"], "inconclusive"),
        (["unchanged", "inconclusive", "not measured"], "incomplete"),
        (["unchanged", "regressed", "not measured", "inconclusive"], "regressed"),
        (["not measured", "not measured"], "nothing comparable"),
        ([], "nothing comparable"),
    ],
)
def test_the_answer_is_the_worst_that_is_proven(verdicts: list[RowVerdict], answer: str) -> None:
    assert rows(*verdicts).answer == answer


def test_wrong_outputs_of_the_new_side_are_an_answer_of_their_own() -> None:
    row = Row("row", "not measured", reason="wrong outputs", inaccurate=True)
    check = Check("paired", (row, Row("other", "inconclusive")), 0.01, 0.01, 0.03)
    assert check.answer == "inaccurate"
    assert Check("paired", (row,), 0.01, 0.01, 0.03).answer == "inaccurate"
    assert Check("paired", (row, Row("other", "regressed")), 0.01, 0.01, 0.03).answer == "regressed"
    measured = run_procedure(["row"], lambda *_: {"row": Missing("wrong outputs", inaccurate=True)})
    assert measured.rows == (row,)


def test_what_measures_must_give_what_was_asked_for() -> None:
    with pytest.raises(ValueError, match="row was not measured"):
        run_procedure(["row"], lambda *_: {})
    with pytest.raises(ValueError, match="12 pairs were asked for, not 2"):
        run_procedure(["row"], lambda *_: {"row": Pairs((1.0, 1.0), (1.0, 1.0))})
    with pytest.raises(ValueError, match="1 medians of the base and 2 of the new side"):
        Pairs((1.0,), (1.0, 2.0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pairs": 1}, "pairs"),
        ({"pairs": 60}, "pairs"),
        ({"alpha": 0.5}, "alpha"),
        ({"margin": -0.01}, "margin"),
        ({"margin": 0.05}, "margin"),
    ],
)
def test_settings_that_are_no_rule_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**given)  # type: ignore[arg-type]


def test_the_verdict_is_that_of_the_rule() -> None:
    generator = GENERATOR(4)
    for mean in np.linspace(-0.05, 0.05, 41):
        trial = generator.normal(mean, 0.01, 12)
        verdict = decide(trial)
        assert judge(trial, verdict == "regressed", Settings()) == verdict


def test_medians_are_shown_as_measured() -> None:
    pairs = Pairs(tuple(float(n) for n in range(1, 13)), tuple(n * 1.05 for n in range(1, 13)))
    (row,) = run_procedure(["row"], lambda *_: {"row": pairs}).rows
    assert (row.base_ms, row.new_ms) == (6.5, pytest.approx(6.825))
    assert row.verdict == "regressed"
    assert row.change == pytest.approx(0.05)
    assert row.sd == pytest.approx(0, abs=1e-12)


def test_without_a_change_nothing_regresses() -> None:
    found = verdicts(checks(QUIET, GENERATOR(15), 1000))
    assert found["regressed"] <= 10
    assert found["unchanged"] >= 950
    noisy = verdicts(checks(NOISY, GENERATOR(16), 400))
    assert noisy["regressed"] <= 4
    assert noisy["unchanged"] >= 350


def test_three_percent_slower_is_found() -> None:
    assert verdicts(checks(QUIET, GENERATOR(17), 1000, slowdown=0.03))["regressed"] >= 950
    assert verdicts(checks(NOISY, GENERATOR(18), 300, slowdown=0.03))["regressed"] >= 240


def test_two_percent_slower_is_between_the_margin_and_what_can_be_detected() -> None:
    found = list(checks(QUIET, GENERATOR(19), 300, slowdown=0.02))
    told = verdicts(iter(found))
    assert told["inconclusive"] >= 20
    assert told["improved"] == 0
    assert np.median([check.rows[0].mde or 0 for check in found]) == pytest.approx(0.027, abs=0.001)


def test_the_first_measurement_alone_is_calibrated() -> None:
    # Without a margin one row in a hundred fails, and one family of sixteen; without Holm one family in six would.
    alone = Settings(margin=0.0, remeasure=False)
    assert 2 <= verdicts(checks(QUIET, GENERATOR(20), 1000, settings=alone))["regressed"] <= 22
    assert verdicts(checks(NOISY, GENERATOR(21), 300, settings=alone))["regressed"] <= 9
    families = checks(QUIET, GENERATOR(22), 100, rows=16, settings=alone)
    assert sum(check.answer == "regressed" for check in families) <= 5


def test_the_second_measurement_makes_false_alarms_rare() -> None:
    twice = Settings(margin=0.0)
    families = checks(QUIET, GENERATOR(22), 100, rows=16, settings=twice)
    assert sum(check.answer == "regressed" for check in families) == 0


@pytest.mark.parametrize("family", [1, 4])
def test_a_slow_down_of_the_minimum_detectable_effect_is_found_in_95_percent(family: int) -> None:
    effect = detectable(0.012, 12, Settings(), family)
    trials = GENERATOR(23).normal(0.0, 0.012, (1000, family, 104))
    trials[:, 0] += math.log1p(effect)
    names = [f"row {number}" for number in range(family)]
    found = sum(
        run_procedure(names, from_pool(dict(zip(names, trial, strict=True)))).rows[0].verdict == "regressed"
        for trial in trials
    )
    assert 0.935 <= found / 1000 <= 0.985


def test_too_few_pairs_for_signed_ranks_are_judged_by_t() -> None:
    few = Settings(pairs=4, noisy_pairs=4)
    check, measure = run({"row": pool((0.4, 0.05, 8))}, few)
    assert len(measure.asked) == 2
    assert (check.rows[0].verdict, check.rows[0].test) == ("regressed", "student")
    assert (check.rows[0].low or 0) > 0.3
