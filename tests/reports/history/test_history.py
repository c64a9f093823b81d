"""Cells over time."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image
from rich.console import Console

from reports.history import all_series, changes, plots, tables
from reports.matching import held
from reports.records import Flags, Git, Run
from reports.stored.sessions import sessions, spread
from tests.reports.samples import cell, failed, header, wrong
from tests.reports.stored.made import Sessions, run_of, timed

UNSTEADY = Flags(steady=False, converged=True, throttled=False, overhead_ok=True, placement_ok=True, accuracy=True)


def shown(runs: list[Run], include_flagged: bool = False) -> str:
    console = Console(width=120, highlight=False)
    with console.capture() as capture:
        console.print(tables.table(all_series(runs), include_flagged))
        for note in tables.notes(all_series(runs), include_flagged):
            console.print(note, soft_wrap=True)
    return capture.get()


def test_a_series_a_cell_with_a_point_a_run_in_order_of_time() -> None:
    runs = [run_of(name, timed("pytorch", 1, ms), timed("pytorch", 4, 4 * ms), day=day)
            for name, ms, day in (("late", 11.0, 9), ("early", 10.0, 2))]  # fmt: skip
    one, four = all_series(runs)
    assert [point.run.id for point in one.points] == ["early", "late"]
    assert [point.latency.estimate for point in four.points if point.latency] == [40.0, 44.0]
    assert one.points[0].fps is not None
    assert one.points[0].fps.estimate == pytest.approx(100.0)


def test_invocations_of_a_run_are_one_point_with_an_interval_between_them() -> None:
    (series,) = all_series([run_of("a", *(timed("pytorch", 1, ms, invocation=int(ms)) for ms in (10.0, 11.0, 12.0)))])
    (point,) = series.points
    assert point.latency is not None
    assert point.latency.estimate == pytest.approx((10 * 11 * 12) ** (1 / 3))
    assert point.latency.low < 10.0
    assert len(point.taken) == 3


def test_another_machine_model_or_test_double_is_another_series() -> None:
    head = header()
    assert head.host is not None
    made = timed("pytorch", 1, 10.0)
    runs = [
        run_of("a", made),
        run_of("b", made, host=replace(head.host, name="other")),
        run_of("c", replace(made, identity=replace(made.identity, model_sha256="1" * 64))),
        run_of("d", replace(made, provenance="simulated")),
    ]
    series = all_series(runs)
    assert len(series) == 4
    assert plots.titles(series) == [
        "pytorch lab model aaaaaaaa", "pytorch other model aaaaaaaa", "pytorch lab model 11111111",
        "pytorch SIMULATED lab model aaaaaaaa",
    ]  # fmt: skip


def test_names_hold_no_more_than_tells_series_apart() -> None:
    made = timed("pytorch", 1, 10.0)
    workload = replace(made.identity, workload="onnx", model_sha256="1" * 64, inputs_sha256="2" * 64)
    runs = [run_of("a", made, timed("openvino", 1, 9.0), timed("openvino", 4, 36.0)),
            run_of("b", replace(made, identity=workload))]  # fmt: skip
    assert plots.titles(all_series(runs)) == ["pytorch stargan", "openvino stargan", "openvino stargan", "pytorch onnx"]
    assert plots.titles(all_series(runs[:1])) == ["pytorch", "openvino", "openvino"]


def test_the_spread_is_what_the_check_takes_from_sessions_under_the_last_conditions() -> None:
    days = Sessions(3, rows=1)
    old = [run_of(f"old{n}", timed("pytorch", 1, 5.0 * (n + 1), session={"torch": "1"}), day=n) for n in range(3)]
    new = [days.run() for _ in range(8)]
    moved = [
        replace(run, run=replace(run.run, started=f"2026-03-{n + 1:02d}T00:00:00+00:00")) for n, run in enumerate(new)
    ]
    (series,) = all_series([*old, *moved])
    found = series.spread()
    assert found == spread(sessions(held(moved)[0].usable))
    assert found is not None
    assert found.sessions == 8
    assert 0.003 < found.sd < 0.008


def test_flagged_points_count_only_when_asked_for_and_wrong_ones_never() -> None:
    runs = [
        run_of("a", timed("pytorch", 1, 10.0), day=1),
        run_of("b", timed("pytorch", 1, 12.0, flags=UNSTEADY), day=2),
        run_of("c", wrong("pytorch", 1), day=3),
        run_of("d", failed("pytorch", 1), day=4),
    ]
    (series,) = all_series(runs)
    assert [point.status for point in series.points] == ["ok", "ok", "wrong", "failed"]
    assert [point.run.id for point in series.shown(include_flagged=False)] == ["a"]
    assert [point.run.id for point in series.shown(include_flagged=True)] == ["a", "b"]
    assert "1 figure is flagged" in shown(runs)
    assert "+20.0%" in shown(runs, include_flagged=True)


def test_the_table_holds_first_last_change_and_spread() -> None:
    text = shown([run_of(name, timed("pytorch", 1, ms), day=day)
                  for name, ms, day in (("a", 10.0, 1), ("b", 10.5, 2), ("c", 11.0, 3))])  # fmt: skip
    (row,) = [line.split() for line in text.splitlines() if line.startswith(" pytorch")]
    sd = math.sqrt(sum((math.log(x) - sum(map(math.log, (10, 10.5, 11))) / 3) ** 2 for x in (10, 10.5, 11)) / 2)
    assert row == ["pytorch", "1", "compute", "3", "10", "11", "+10.0%", f"{sd:.2%}", "3"]
    assert "no cell has 5 such sessions" in text


def test_changes_of_code_and_packages_are_found_machine_by_machine() -> None:
    head = header()
    assert head.host is not None
    other = replace(head.host, name="other")
    runs = [
        run_of("a", day=1, git=Git(commit="1" * 40, dirty=False)),
        run_of("x", day=2, git=Git(commit="9" * 40, dirty=False), host=other),
        run_of("b", day=3, git=Git(commit="2" * 40, dirty=False)),
        run_of("c", day=4, git=Git(commit="2" * 40, dirty=False), packages={"numpy": "2.1.0", "torch": "3"}),
        run_of("d", day=5, git=Git(commit="2" * 40, dirty=False), packages={"numpy": "2.1.0", "torch": "3"}),
    ]
    assert [(one.commit[:1], one.packages) for one in changes(runs)] == [
        ("2", ()), ("", ("numpy 2.0.0 to 2.1.0", "torch none to 3")),
    ]  # fmt: skip


def test_the_csv_has_a_row_a_run_and_cell(tmp_path: Path) -> None:
    runs = [run_of("a", timed("pytorch", 1, 10.0), wrong("acl", 1), git=Git(commit="1" * 40, dirty=True)),
            run_of("b", timed("pytorch", 1, 11.0, flags=UNSTEADY), day=2)]  # fmt: skip
    tables.write_csv(tmp_path / "history.csv", all_series(runs))
    with (tmp_path / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["backend"], row["status"], row["median_ms"], row["flags"]) for row in rows] == [
        ("a", "pytorch", "ok", "10.0", ""), ("b", "pytorch", "ok", "11.0", "not steady"), ("a", "acl", "wrong", "", ""),
    ]  # fmt: skip
    assert (rows[0]["git_commit"], rows[0]["git_dirty"], rows[1]["git_dirty"]) == ("1" * 40, "True", "")
    assert float(rows[0]["median_low_ms"]) == pytest.approx(9.95)


def test_a_plot_a_scope_and_figure_is_drawn_whatever_is_missing(tmp_path: Path) -> None:
    runs = [
        run_of("a", timed("pytorch", 1, 10.0), timed("pytorch", 4, 40.0), timed("acl", 1, 5.0, flags=UNSTEADY), day=1),
        run_of("b", timed("pytorch", 1, 11.0), wrong("acl", 1), cell("tiny", 16, 1.0, fps_per_card=None), day=2,
               packages={"numpy": "3"}, git=Git(commit="1" * 40, dirty=False)),
        run_of("c", timed("pytorch", 1, 10.0, scope="end-to-end"), day=3),
    ]  # fmt: skip
    series = all_series(runs)
    written = plots.draw(series, changes(runs), tmp_path)
    assert [path.name for path in written] == [
        "history-compute-latency.png", "history-compute-fps.png",
        "history-end-to-end-latency.png", "history-end-to-end-fps.png",
    ]  # fmt: skip
    assert [path.name for path in written] == plots.names(series)
    for path in written:
        with Image.open(path) as picture:
            assert picture.width > 400


def test_many_points_become_a_band(tmp_path: Path) -> None:
    days = Sessions(1, rows=1)
    runs = [days.run() for _ in range(100)]
    assert len(plots.draw(all_series(runs), changes(runs), tmp_path)) == 2


def test_a_time_without_a_zone_is_utc() -> None:
    runs = [run_of("b", timed("pytorch", 1, 10.0), started="2026-01-01T10:00:00"),
            run_of("a", timed("pytorch", 1, 10.0), started="2026-01-01T11:30:00+02:00")]  # fmt: skip
    assert [point.run.id for point in all_series(runs)[0].points] == ["a", "b"]
