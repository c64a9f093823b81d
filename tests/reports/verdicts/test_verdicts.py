"""A check's verdicts for machines: each outcome, and whatever names and reasons hold."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reports.regression import Check, Row
from reports.verdicts import VerdictFileError, exports, github, junit, terminal, write_all
from reports.verdicts.words import figures, headline, outcome, unique_names

ROWS = (
    Row("slow bs1", "regressed", 0.05, 0.03, 0.07, 0.01, 24, 0.026, 10.0, 10.5, True, "student"),
    Row("fast bs1", "improved", -0.05, -0.07, -0.03, 0.01, 12, 0.026, 10.0, 9.5, False, "student"),
    Row("same bs1", "unchanged", 0.001, -0.01, 0.012, 0.01, 12, 0.026, 10.0, 10.01, False, "signed rank"),
    Row("unsure bs1", "inconclusive", 0.02, -0.02, 0.06, 0.05, 12, 0.12, 10.0, 10.2, False, "student"),
    Row("gone bs1", "not measured", reason="the worker died"),
    Row("wrong bs1", "not measured", reason="the outputs of the new side are wrong", inaccurate=True),
)


def check_of(*rows: Row, advisory: bool = False, notes: Sequence[str] = ()) -> Check:
    mode = "stored" if advisory else "paired"
    return Check(mode, rows, 0.01, 0.01, 0.03, advisory=advisory, notes=tuple(notes))  # type: ignore[arg-type]


#: What the schema junit-10.xsd of the Jenkins plug-in allows: element -> (attributes, of them required, children).
_SCHEMA = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package"},
        {"name", "tests", "failures", "errors"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "testcase": (
        {"name", "time", "classname", "group"}, {"name"}, {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
    "system-out": (set(), set(), set()),
}  # fmt: skip


def parsed(check: Check) -> ElementTree.Element:
    root = ElementTree.fromstring(junit.render(check))
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, required, children = _SCHEMA[element.tag]
        assert set(element.attrib) <= allowed, element.tag
        assert set(element.attrib) >= required, element.tag
        assert {child.tag for child in element} <= children, element.tag
    return root


def test_every_verdict_has_its_outcome() -> None:
    check = check_of(*ROWS)
    assert [outcome(check, row) for row in check.rows] == ["failed", "passed", "passed", "skipped", "error", "failed"]


def test_advisory_verdicts_neither_fail_nor_pass_but_wrong_outputs_do() -> None:
    check = check_of(*ROWS, advisory=True)
    assert [outcome(check, row) for row in check.rows] == ["skipped"] * 4 + ["error", "failed"]
    assert headline(check, ROWS[0]).startswith("regressed (advisory): +5.0%")


def test_junit_counts_agree_with_its_elements_and_figures_are_there() -> None:
    suite = parsed(check_of(*ROWS, notes=["one\nnote"]))[0]
    counted = {tag: len(suite.findall(f"testcase/{tag}")) for tag in ("failure", "error", "skipped")}
    assert counted == {"failure": 2, "error": 1, "skipped": 1}
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "2", "1", "1"]
    first = suite.find("testcase")
    assert first is not None
    assert (first.get("name"), first.get("time")) == ("slow bs1", "0.010500")
    failure = first.find("failure")
    assert failure is not None
    assert failure.get("message") == "regressed: +5.0% (+3.0% to +7.0%)"
    told = first.findtext("system-out") or ""
    assert "median latency: 10.5 ms against 10 ms of the base" in told
    assert "24 pairs of processes, measured again since it failed once, judged by Student's t" in told
    assert suite.findtext("system-out") == "one note"


def test_annotations_have_the_level_of_the_outcome() -> None:
    lines = github.annotation_lines(check_of(*ROWS))
    assert [line.split(" ")[0] for line in lines] == ["::error", "::notice", "::warning", "::error", "::error"]
    assert lines[0] == "::error title=slow bs1::regressed: +5.0%25 (+3.0%25 to +7.0%25)"
    advisory = github.annotation_lines(check_of(ROWS[0], advisory=True))
    assert advisory == ["::warning title=slow bs1::regressed (advisory): +5.0%25 (+3.0%25 to +7.0%25)"]


def test_annotations_are_escaped_as_the_runner_reads_them() -> None:
    assert github.command("error", "a:b,c%\n", "100%\r\n:,") == "::error title=a%3Ab%2Cc%25%0A::100%25%0D%0A:,"


def test_no_more_annotations_than_github_shows_and_the_rest_is_counted() -> None:
    rows = [Row(f"row {n}", "regressed", 0.05) for n in range(30)] + [ROWS[1]]
    lines = github.annotation_lines(check_of(*rows))
    assert len([line for line in lines if line.startswith("::error")]) == 10
    assert lines[9] == "::error title=bench check::21 more rows; see the job's summary"
    assert lines[10].startswith("::notice")
    assert len(github.annotation_lines(check_of(*rows[:10]))) == 10


def test_the_summary_has_every_row_and_stays_below_githubs_limit() -> None:
    text = github.summary(check_of(*ROWS, notes=["a note"]))
    assert text.startswith("## bench check: regressed\n")
    assert "| slow bs1 | regressed: +5.0% (+3.0% to +7.0%) | 10 | 10.5 | +2.6% |" in text
    assert "- a note" in text
    long = github.summary(check_of(*(Row(f"row {n} {'é' * 500}", "unchanged") for n in range(2000))))
    assert 900_000 < len(long.encode()) < 2**20
    assert long.endswith("longer summary.)\n")


def test_benchmark_services_get_medians_in_their_units() -> None:
    entries = json.loads(exports.github_benchmark(check_of(*ROWS)))
    assert [entry["name"] for entry in entries] == ["slow bs1", "fast bs1", "same bs1", "unsure bs1"]
    assert (entries[0]["unit"], entries[0]["value"], entries[0]["range"]) == ("ms", 10.5, "± 0.2")
    assert all(isinstance(entry["extra"], str) for entry in entries)
    metric = json.loads(exports.bencher(check_of(*ROWS)))["slow bs1"]["latency"]
    assert metric == pytest.approx({"value": 10.5e6, "lower_value": 10.3e6, "upper_value": 10.7e6})


def test_a_row_without_bounds_has_a_value_alone() -> None:
    check = check_of(Row("a", "inconclusive", 0.1, None, 0.2, base_ms=10.0, new_ms=11.0))
    assert json.loads(exports.bencher(check)) == {"a": {"latency": {"value": 11e6}}}
    assert "range" not in json.loads(exports.github_benchmark(check))[0]


anything = st.text(st.characters(), max_size=30)
numbers = st.none() | st.floats(-0.9, 10)
times = st.none() | st.floats(1e-3, 1e6)
any_row = st.builds(
    Row, name=anything,
    verdict=st.sampled_from(["regressed", "improved", "unchanged", "inconclusive", "not measured"]),
    change=numbers, low=numbers, high=numbers, sd=numbers, pairs=st.integers(0, 40), mde=numbers, base_ms=times,
    new_ms=times, remeasured=st.booleans(), test=st.sampled_from(["student", "signed rank", "welch", ""]),
    reason=anything, inaccurate=st.booleans(),
)  # fmt: skip
any_check = st.builds(
    lambda rows, advisory, notes: check_of(*rows, advisory=advisory, notes=notes),
    st.lists(any_row, max_size=4), st.booleans(), st.lists(anything, max_size=2),
)  # fmt: skip


@given(any_check)
def test_whatever_names_hold_every_format_stays_whole(check: Check) -> None:
    names = unique_names(check)
    cases = parsed(check).findall("testsuite/testcase")
    assert [case.get("name") for case in cases] == names
    assert len(set(names)) == len(names)
    for line in github.annotation_lines(check):
        assert not re.search(r"[\x00-\x1f\x7f]", line)
        assert re.fullmatch(r"::(error|warning|notice) title=[^:,]*::.*", line), line
    timed = [name for name, row in zip(names, check.rows, strict=True) if row.new_ms is not None]
    assert [entry["name"] for entry in json.loads(exports.github_benchmark(check))] == timed
    metrics = json.loads(exports.bencher(check))
    assert list(metrics) == timed
    for metric in (row["latency"] for row in metrics.values()):
        low, high = metric.get("lower_value", metric["value"]), metric.get("upper_value", metric["value"])
        assert low <= metric["value"] <= high
    table = [line for line in github.summary(check).splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(check.rows)
    console = Console(width=100, file=None)
    with console.capture() as capture:
        console.print(terminal.table(check))
    assert "\x00" not in capture.get()
    for row in check.rows:
        assert all("\n" not in line for line in figures(check, row))


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(" ".join), max_size=4))
def test_shortened_names_and_what_they_share_give_the_names_again(names: list[str]) -> None:
    short, shared = terminal.shortened(names)
    assert [f"{name} {shared}" if shared else name for name in short] == names
    assert all(short)


def test_write_all_writes_what_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check = check_of(*ROWS)
    (tmp_path / "summary.md").write_text("before\n")
    write_all(
        check, tmp_path / "a" / "junit.xml", tmp_path / "benchmark.json", tmp_path / "bmf.json", annotate=True,
        environment={"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")},
    )  # fmt: skip
    assert (tmp_path / "a" / "junit.xml").read_bytes() == junit.render(check)
    assert len(json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"))) == 4
    assert len(json.loads((tmp_path / "bmf.json").read_text(encoding="utf-8"))) == 4
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("before\n## bench check: regressed\n")
    assert capsys.readouterr().out.splitlines() == github.annotation_lines(check)


def test_nothing_is_written_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(check_of(*ROWS), None, None, None, annotate=False, environment={})
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named_and_the_others_are_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VerdictFileError, match=r"cannot write .*junit\.xml: .*; name another file with --junit\."):
        write_all(
            check_of(*ROWS), tmp_path / "file" / "junit.xml", None, tmp_path / "bmf.json", annotate=False,
            environment={},
        )  # fmt: skip
    assert (tmp_path / "bmf.json").exists()
