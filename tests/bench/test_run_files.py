"""The commands on stored runs, from their options to files and exit status."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from bench.cli import parse
from bench.commands.compare import CompareOptions, compare
from bench.commands.history import HistoryOptions, show_history
from bench.commands.merge import MergeOptions, merge
from bench.commands.stored_check import StoredOptions, exit_code, stored_check
from bench.errors import ExitCode, UsageError
from bench.parser import check as parser
from reports import store
from reports.fingerprint import KINDS
from reports.regression import Check, Row, Settings
from tests.command import Bench, one_line
from tests.reports.samples import wrong
from tests.reports.stored.made import Sessions, run_of, timed, write


def compare_options(base: Path, new: Path, out: Path | None = None) -> CompareOptions:
    return CompareOptions(base=base, new=new, out=out, include_flagged=False)


def check_options(run: Path, baseline: Path, *history: Path, junit: Path | None = None) -> StoredOptions:
    return StoredOptions(
        run=run, baseline=baseline, history=history, allowed=frozenset(), rule=Settings(), junit=junit,
        github_benchmark=None, bencher=None, annotate=False,
    )  # fmt: skip


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    for name, ms in (("a", 10.0), ("b", 11.0)):
        write(tmp_path / name / "run.jsonl", run_of(name, timed("pytorch", 1, ms)))
    return tmp_path / "a", tmp_path / "b"


def test_compare_writes_its_page_and_does_so_again_but_over_no_other_file(
    sides: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.md"
    assert compare(compare_options(*sides, out)) == ExitCode.DONE
    assert "slower, advisory" in capsys.readouterr().out
    assert "1.1000" in out.read_text(encoding="utf-8")
    assert compare(compare_options(*sides, out)) == ExitCode.DONE
    out.write_text("my own notes\n")
    with pytest.raises(UsageError, match="not written by bench and is not overwritten"):
        compare(compare_options(*sides, out))
    assert out.read_text() == "my own notes\n"
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="name another file with -o"):
        compare(compare_options(*sides, tmp_path / "file" / "page.md"))


def test_compare_takes_folders_of_runs_and_merged_files(
    sides: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        run = run_of(f"c{number}", timed("pytorch", 1, 12.0 + number / 100))
        write(tmp_path / "c" / str(number) / "run.jsonl", run)
    merge(MergeOptions(runs=(tmp_path / "c",), out=tmp_path / "c.jsonl"))
    for several in (tmp_path / "c", tmp_path / "c.jsonl"):
        assert compare(compare_options(sides[0], several)) == ExitCode.DONE
        assert "12.01" in capsys.readouterr().out


def test_what_cannot_be_read_or_compared_is_one_line(sides: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*gone"):
        compare(compare_options(sides[0], tmp_path / "gone"))
    write(tmp_path / "x" / "run.jsonl", run_of("x", timed("pytorch", 4, 40.0)))
    with pytest.raises(UsageError, match="no cell is in both"):
        compare(compare_options(sides[0], tmp_path / "x"))
    with pytest.raises(UsageError, match="no cell is in both"):
        stored_check(check_options(tmp_path / "x", sides[0]))
    with pytest.raises(UsageError, match="its own baseline"):
        stored_check(check_options(sides[0], sides[0]))


def test_check_says_what_it_found_in_words_files_and_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    days = Sessions(4)
    for number in range(10):
        write(tmp_path / "history" / str(number) / "run.jsonl", days.run())
    write(tmp_path / "base.jsonl", days.run())
    write(tmp_path / "slow.jsonl", days.run(0.1))
    slow, base, history = tmp_path / "slow.jsonl", tmp_path / "base.jsonl", tmp_path / "history"
    assert stored_check(check_options(slow, base, history, junit=tmp_path / "junit.xml")) == ExitCode.NO
    assert "regressed" in capsys.readouterr().out
    assert b'failures="2"' in (tmp_path / "junit.xml").read_bytes()
    assert "bench check: regressed" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert stored_check(check_options(slow, base, junit=tmp_path / "junit.xml")) == ExitCode.INCONCLUSIVE
    assert "give --history with at least 5" in capsys.readouterr().out
    assert b'failures="0"' in (tmp_path / "junit.xml").read_bytes()
    with pytest.raises(UsageError, match="name another file with --junit"):
        stored_check(check_options(slow, base, junit=base / "junit.xml"))


def test_every_answer_has_its_status() -> None:
    def status(*rows: Row, advisory: bool = False) -> int:
        return exit_code(Check("stored", rows, 0.01, 0.01, 0.03, advisory=advisory))

    slow, same, unsure = Row("a", "regressed"), Row("b", "unchanged"), Row("c", "inconclusive")
    gone, bad = Row("d", "not measured"), Row("e", "not measured", inaccurate=True)
    assert status(same) == 0
    assert status(slow, same, unsure, gone) == 1
    assert status(bad, same) == 1
    assert status(gone) == 2
    assert status(gone, same) == 2
    assert status(unsure, same) == 3
    assert [status(row, advisory=True) for row in (slow, same, unsure, gone, bad)] == [3, 3, 3, 2, 1]


def test_wrong_outputs_are_a_no_even_where_times_are_advisory(sides: tuple[Path, Path], tmp_path: Path) -> None:
    write(tmp_path / "w" / "run.jsonl", run_of("w", wrong("pytorch", 1)))
    assert stored_check(check_options(tmp_path / "w", sides[0])) == ExitCode.NO


def test_merge_tells_what_it_wrote_and_refuses_to_overwrite(
    sides: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = MergeOptions(runs=sides, out=tmp_path / "all.jsonl")
    assert merge(options) == ExitCode.DONE
    assert capsys.readouterr().out == f"merged: {tmp_path / 'all.jsonl'}: 2 runs, 2 cells\n"
    assert len(store.read_all(tmp_path / "all.jsonl")) == 2
    with pytest.raises(UsageError, match="exists already"):
        merge(options)


def test_history_writes_csv_and_plots_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = Sessions(4, rows=1)
    for number in range(6):
        write(tmp_path / "runs" / str(number) / "run.jsonl", days.run())
    folders = (tmp_path / "runs",)
    assert show_history(HistoryOptions(folders, None, include_flagged=False, plots=True)) == ExitCode.DONE
    assert "pytorch" in capsys.readouterr().out
    assert [item.name for item in tmp_path.iterdir()] == ["runs"]
    assert show_history(HistoryOptions(folders, tmp_path / "h", include_flagged=False, plots=True)) == ExitCode.DONE
    assert sorted(item.name for item in (tmp_path / "h").iterdir()) == [
        "history-compute-fps.png", "history-compute-latency.png", "history.csv",
    ]  # fmt: skip
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="name another folder with -o"):
        show_history(HistoryOptions(folders, tmp_path / "file", include_flagged=False, plots=False))


def test_a_start_that_is_no_time_is_named(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl", run_of("a", timed("pytorch", 1, 10.0), started="yesterday"))
    with pytest.raises(UsageError, match="'yesterday', which is no time"):
        show_history(HistoryOptions((tmp_path,), None, include_flagged=False, plots=False))
    write(tmp_path / "b" / "run.jsonl", run_of("b", timed("pytorch", 1, 10.0)))
    with pytest.raises(UsageError, match="'yesterday', which is no time"):
        stored_check(check_options(tmp_path / "b", tmp_path / "run.jsonl"))


def test_the_real_commands(bench: Bench) -> None:
    days = Sessions(4, rows=1)
    for number in range(6):
        write(bench.folder / "past" / str(number) / "run.jsonl", days.run())
    write(bench.folder / "base" / "run.jsonl", days.run())
    write(bench.folder / "new" / "run.jsonl", days.run(0.2))
    assert "slower" in bench("compare", "base", "new", "-o", "page.md").stdout
    assert bench("merge", "past", "-o", "past.jsonl").stdout.startswith("merged: past.jsonl: 6 runs")
    done = bench("check", "new", "--baseline", "base", "--history", "past.jsonl", "--bencher", "b.json", code=1)
    assert "regressed" in done.stdout
    assert list(json.loads((bench.folder / "b.json").read_text())) == ["pytorch bs1 fp32"]
    assert "history.csv" in bench("history", ".", "-o", "h", "--no-plots").stdout
    one_line(bench("compare", "base", "gone", code=2).stderr, "cannot read gone")
    one_line(bench("check", "new", "--baseline", "base", "--allow-change", "weather", code=2).stderr, "weather")


def test_the_example_for_github_uses_options_that_exist() -> None:
    text = (Path(__file__).parents[2] / "reports/examples/ci/regression.yml").read_text(encoding="utf-8")
    command = text[text.index("python -m bench check") :].partition("||")[0].replace("\\\n", " ")
    options = parse(shlex.split(command)[3:])
    assert options.command == "check"
    assert options.annotate


def test_the_changes_that_can_be_allowed_are_those_that_are_looked_at() -> None:
    assert parser.CHANGES == KINDS
