"""A run against a stored baseline: verdicts, their error rates, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from reports.matching import held
from reports.records import CellRecord, Flags, Host, Run, Skipped
from reports.regression import Check, Settings
from reports.statistics.student import t_quantile
from reports.stored import BaselineError, NothingComparableError, check_stored
from reports.stored.effects import binding_effect
from reports.stored.sessions import Session, Spread, sessions, spread
from tests.reports.samples import failed, header, wrong
from tests.reports.stored.made import Sessions, run_of, timed

UNSTEADY = Flags(steady=False, converged=True, throttled=False, overhead_ok=True, placement_ok=True, accuracy=True)


def five(*cells: CellRecord, **changes: Any) -> list[Run]:
    """A history whose medians have a spread of 0.5 %: exp(±0.5 %, ±0.5 %, 0) about those of the cells."""
    runs = []
    for number, log in enumerate((0.005, -0.005, 0.005, -0.005, 0.0)):
        moved = [timed(one.identity.label(), one.identity.batch, 10.0 * math.exp(log)) for one in cells]
        runs.append(run_of(f"h{number}", *moved, day=number + 1, **changes))
    return runs


def one_row(base: Run, new: Run, history: list[Run] | None = None, **options: Any) -> Check:
    return check_stored([base], [new], history or [], **options)


BASE = run_of("base", timed("pytorch", 1, 10.0), day=6)
NEW = run_of("new", timed("pytorch", 1, 10.1), day=7)


def test_the_standard_error_holds_all_three_spreads() -> None:
    base = Session(header(), (1.0, 1.02))
    new = Session(header(id="n"), (1.1, 1.11, 1.12))
    known = Spread(sessions=6, sd=0.005, within_sd=0.5)
    effect = binding_effect([base], [new], known)
    assert effect.difference == pytest.approx(0.1)
    assert effect.error**2 == pytest.approx(0.0002 / 2 + 0.0001 / 3 + 2 * 0.005**2)
    assert effect.degrees == 5


def test_a_side_of_one_process_takes_the_spread_between_processes_from_the_history() -> None:
    one = Session(header(), (1.0,))
    assert binding_effect([one], [one], Spread(5, 0.005, 0.01)).error ** 2 == pytest.approx(2 * (0.005**2 + 0.01**2))
    assert binding_effect([one], [one], Spread(5, 0.005, None)).error ** 2 == pytest.approx(2 * 0.005**2)


def test_the_spread_between_sessions_is_that_of_their_mean_logarithms() -> None:
    taken = [Session(header(id=str(n)), (value, value + 0.02)) for n, value in enumerate((1.0, 1.01, 1.03))]
    found = spread(taken)
    assert found is not None
    assert found.sd == pytest.approx(np.std([1.01, 1.02, 1.04], ddof=1))
    assert found.within_sd == pytest.approx(math.sqrt(2 * 0.01**2))
    assert spread(taken[:1]) is None


def test_a_row_is_judged_by_students_t_with_sessions_minus_one_degrees() -> None:
    check = one_row(BASE, NEW, five(*BASE.cells))
    (row,) = check.rows
    sd = float(np.std([0.005, -0.005, 0.005, -0.005, 0.0], ddof=1))
    reach = t_quantile(4, 0.99) * math.sqrt(2) * sd
    assert not check.advisory
    assert row.change == pytest.approx(0.01)
    assert row.low == pytest.approx(1.01 * math.exp(-reach) - 1)
    assert row.high == pytest.approx(1.01 * math.exp(reach) - 1)
    assert row.sd == pytest.approx(math.sqrt(2) * sd)
    assert row.mde == pytest.approx(0.01 + (t_quantile(4, 0.99) + t_quantile(4, 0.95)) * math.sqrt(2) * sd)
    assert (row.base_ms, row.new_ms) == (10.0, 10.1)


@pytest.mark.parametrize(
    ("slowdown", "answer"),
    [(0.2, "regressed"), (0.02, "inconclusive"), (0.0, "passed"), (-0.2, "passed")],
)
def test_the_four_verdicts(slowdown: float, answer: str) -> None:
    history = five(*BASE.cells)
    quiet = [replace(run, run=replace(run.run, id=f"q{n}{run.run.id}")) for n in range(6) for run in history]
    new = run_of("new", timed("pytorch", 1, 10.0 * (1 + slowdown)), day=7)
    check = one_row(BASE, new, quiet)
    assert check.answer == answer
    assert (check.rows[0].verdict == "improved") == (slowdown < -0.1)


def test_equal_runs_are_called_slower_in_at_most_one_of_a_hundred_checks() -> None:
    alarms = 0
    for seed in range(200):
        days = Sessions(seed)
        history = [days.run() for _ in range(5)]
        alarms += bool(check_stored([days.run()], [days.run()], history).named("regressed"))
    assert alarms <= 2


def test_five_per_cent_are_found() -> None:
    found = 0
    for seed in range(60):
        days = Sessions(seed, invocations=3)
        history = [days.run() for _ in range(10)]
        found += check_stored([days.run()], [days.run(0.05)], history).answer == "regressed"
    assert found >= 57


def test_without_a_margin_the_level_is_the_nominal_one() -> None:
    generator = np.random.default_rng(11)
    trials, alarms = 3000, 0
    for _ in range(trials):
        drawn = [Session(header(id=str(n)), (value,)) for n, value in enumerate(generator.normal(0, 0.005, 7))]
        known = spread(drawn[2:])
        assert known is not None
        alarms += binding_effect(drawn[:1], drawn[1:2], known).p_value(0.0) < 0.01
    assert 0.004 * trials <= alarms <= 0.017 * trials


def test_without_a_history_every_check_is_advisory_however_large_the_difference() -> None:
    for count in (1, 5):
        days = Sessions(1, invocations=count)
        check = check_stored([days.run()], [days.run(0.5)])
        assert check.advisory
        assert all(row.change is not None and row.change > 0.4 for row in check.rows)
        assert check.notes[0].startswith("Advisory: no history")
        assert "--history with at least 5 earlier runs" in check.notes[0]


def test_four_sessions_are_too_few_and_the_compared_runs_do_not_count() -> None:
    history = five(*BASE.cells)
    assert one_row(BASE, NEW, history[:4]).advisory
    check = one_row(BASE, NEW, [*history[:4], BASE, NEW])
    assert check.advisory
    assert any("1 of 1 rows have only 4 sessions" in note for note in check.notes)


def test_sessions_under_other_conditions_do_not_count() -> None:
    head = header()
    assert head.host is not None
    assert one_row(BASE, NEW, five(*BASE.cells, host=replace(head.host, name="other"))).advisory
    flagged = [replace(run, cells=[replace(run.cells[0], flags=UNSTEADY)]) for run in five(*BASE.cells)]
    assert one_row(BASE, NEW, flagged).advisory


def test_a_row_without_a_history_is_at_best_inconclusive_beside_one_that_has_one() -> None:
    base = run_of("base", timed("pytorch", 1, 10.0), timed("openvino", 1, 10.0), day=6)
    new = run_of("new", timed("pytorch", 1, 10.0), timed("openvino", 1, 20.0), day=7)
    check = one_row(base, new, five(timed("pytorch", 1, 10.0)))
    assert not check.advisory
    assert check.rows[1].verdict == "inconclusive"
    assert check.answer == "inconclusive"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (timed("pytorch", 1, 10.0, session={"threads": "1"}), "threads: 1 against 2"),
        (timed("pytorch", 1, 10.0, clock="device-events"), "clock: device-events against host"),
        (failed("pytorch", 1), "new run: it failed: the worker died of SIGSEGV"),
        (timed("pytorch", 1, 10.0, flags=UNSTEADY), "new run: flagged: not steady"),
    ],
)
def test_a_row_that_is_not_comparable_says_what_differs(made: CellRecord, told: str) -> None:
    check = one_row(BASE, run_of("new", made))
    assert check.answer == "nothing comparable"
    assert told in check.rows[0].reason


def test_another_model_or_machine_is_compared_only_when_allowed_by_name() -> None:
    made = timed("pytorch", 1, 10.0)
    changed = replace(made, identity=replace(made.identity, model_sha256="1" * 64))
    host = Host(name="new", os="Linux", cpu="New CPU", logical_cpus=4, physical_cores=2, memory_bytes=None, python="3")
    new = run_of("new", changed, host=host)
    refused = one_row(BASE, new).rows[0].reason
    assert "model: 111111111111 against aaaaaaaaaaaa" in refused
    assert "CPU: New CPU against Some CPU" in refused
    assert "--allow-change model host allows it" in refused
    assert one_row(BASE, new, allowed=["model"]).answer == "nothing comparable"
    assert one_row(BASE, new, allowed=["model", "host"]).rows[0].verdict == "unchanged"


def test_new_outputs_that_are_wrong_where_the_baselines_are_right_are_told_apart() -> None:
    (row,) = one_row(BASE, run_of("new", wrong("pytorch", 1))).rows
    assert row.inaccurate
    assert row.reason == "new run: its outputs are wrong"
    assert not one_row(run_of("base", wrong("pytorch", 1)), run_of("new", wrong("pytorch", 1))).rows[0].inaccurate


def test_a_flagged_baseline_is_refused_with_its_flags() -> None:
    flagged = run_of("base", timed("pytorch", 1, 10.0, flags=UNSTEADY))
    with pytest.raises(
        BaselineError, match=r"pytorch bs1 .* is flagged: not steady, and what is flagged never becomes"
    ):
        one_row(flagged, NEW)


def test_a_run_is_never_its_own_baseline() -> None:
    with pytest.raises(BaselineError, match="run base is its own baseline"):
        one_row(BASE, BASE)


def test_runs_without_a_common_cell_are_refused() -> None:
    with pytest.raises(NothingComparableError, match="differs in batch size: 4 against 1"):
        one_row(BASE, run_of("new", timed("pytorch", 4, 10.0)))


def test_cells_that_only_one_side_holds_are_told_and_skipped_backends_are_rows() -> None:
    base = run_of("base", timed("pytorch", 1, 10.0), timed("acl", 1, 5.0), timed("openvino", 1, 7.0))
    new = run_of(
        "new", timed("pytorch", 1, 10.0), timed("tensorrt", 1, 3.0),
        skipped=[Skipped(backend="acl", reason="CANN is gone")],
    )  # fmt: skip
    check = one_row(base, new)
    assert [(row.name.split()[0], row.verdict) for row in check.rows] == [
        ("pytorch", "unchanged"), ("acl", "not measured"),
    ]  # fmt: skip
    assert check.rows[1].reason == "new run: CANN is gone"
    assert any(note.startswith("Not in the baseline, so not checked: tensorrt") for note in check.notes)


def test_an_unfinished_run_and_a_distant_baseline_are_told() -> None:
    new = run_of("new", timed("pytorch", 1, 10.0), day=40, cells_planned=3)
    notes = one_row(BASE, new, five(*BASE.cells)).notes
    assert "Run new is unfinished: 1 of 3 cells were measured." in notes
    assert any("34 days apart, the sessions of the history 4 days" in note for note in notes)


def test_sessions_are_those_of_a_run_in_order_of_time() -> None:
    days = Sessions(1, invocations=3)
    runs = [days.run(), days.run()]
    found = sessions(reversed(held(runs)[0].usable))
    assert [(one.run.id, len(one.logs)) for one in found] == [("session-1", 3), ("session-2", 3)]


def test_a_stricter_rule_is_followed() -> None:
    quiet = [replace(run, run=replace(run.run, id=f"q{n}{run.run.id}")) for n in range(20) for run in five(*BASE.cells)]
    new = run_of("new", timed("pytorch", 1, 10.2), day=7)
    assert one_row(BASE, new, quiet).answer != "regressed"
    assert one_row(BASE, new, quiet, rule=Settings(margin=0.0)).answer == "regressed"
