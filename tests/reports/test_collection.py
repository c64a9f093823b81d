"""Which runs a path stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reports.collection import collect, find_run_files
from reports.store import RunFileError
from tests.reports.samples import cell
from tests.reports.stored.made import run_of, write


def test_a_folder_of_runs_is_read_in_the_order_of_their_start_and_other_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "late" / "run.jsonl", run_of("late", cell("pytorch", 1, 10.0), day=3))
    write(tmp_path / "more" / "early.jsonl", run_of("early", cell("pytorch", 1, 10.0), day=2))
    (tmp_path / "notes.jsonl").write_text('{"some": "thing"}\n')
    (tmp_path / "run.md").write_text("no run")
    write(tmp_path / ".hidden" / "run.jsonl", run_of("hidden", cell("pytorch", 1, 10.0)))
    write(tmp_path / "late" / ".tmp-x.jsonl", run_of("left over", cell("pytorch", 1, 10.0)))
    assert [run.run.id for run in collect([tmp_path]).runs] == ["early", "late"]
    assert [path.name for path in find_run_files(tmp_path)] == ["run.jsonl", "early.jsonl"]


def test_a_run_folder_stands_for_its_run_alone_unless_every_file_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl", run_of("a", cell("pytorch", 1, 10.0)))
    write(tmp_path / "old" / "run.jsonl", run_of("b", cell("pytorch", 1, 10.0)))
    assert [run.run.id for run in collect([tmp_path]).runs] == ["a"]
    assert len(collect([tmp_path], every_file=True).runs) == 2


def test_a_run_given_twice_is_taken_once_in_its_longer_copy(tmp_path: Path) -> None:
    short = write(tmp_path / "a.jsonl", run_of("a", cell("pytorch", 1, 10.0)))
    whole = write(tmp_path / "b.jsonl", run_of("a", cell("pytorch", 1, 10.0), cell("pytorch", 4, 40.0)))
    collection = collect([short, whole])
    assert [len(run.cells) for run in collection.runs] == [2]
    assert "more than once" in collection.warnings[0]


def test_a_bad_file_in_a_folder_is_left_out_with_a_warning_and_refused_when_named(tmp_path: Path) -> None:
    good = write(tmp_path / "good" / "run.jsonl", run_of("a", cell("pytorch", 1, 10.0)))
    bad = tmp_path / "bad" / "run.jsonl"
    bad.parent.mkdir()
    bad.write_bytes(good.read_bytes().replace(b'"status":"ok"', b'"status":"fine"'))
    collection = collect([tmp_path])
    assert len(collection.runs) == 1
    assert str(bad) in collection.warnings[0]
    with pytest.raises(RunFileError, match="line 2"):
        collect([bad])
    with pytest.raises(RunFileError, match="line 2"):
        collect([bad.parent.parent / "bad"])


def test_samples_are_left_out_and_their_statistics_stay(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl", run_of("a", cell("pytorch", 1, 10.0)))
    (read,) = collect([tmp_path]).runs[0].cells
    assert read.samples is not None
    assert read.samples.samples_ns == []
    assert read.latency == cell("pytorch", 1, 10.0).latency
    (whole,) = collect([tmp_path], with_samples=True).runs[0].cells
    assert whole == cell("pytorch", 1, 10.0)


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="holds no run file"):
        collect([tmp_path])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    try:
        with pytest.raises(RunFileError, match="locked"):
            collect([tmp_path])
    finally:
        locked.chmod(0o700)
