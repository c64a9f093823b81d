"""Run files become one file, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports import store
from reports.merging import merge
from reports.records import ResumeRecord
from tests.reports.samples import cell
from tests.reports.stored.made import run_of, write


def test_a_merged_file_holds_the_lines_of_all_runs_unchanged(tmp_path: Path) -> None:
    first = write(tmp_path / "a" / "run.jsonl", run_of("a", cell("pytorch", 1, 10.0), cell("pytorch", 4, 40.0)))
    second = write(tmp_path / "b.jsonl", run_of("b", cell("acl", 1, 5.0)))
    merged = merge([tmp_path / "a", second], tmp_path / "all.jsonl")
    assert (merged.runs, merged.cells, merged.notes) == (2, 3, [])
    assert (tmp_path / "all.jsonl").read_bytes() == first.read_bytes() + second.read_bytes()
    assert [run.run.id for run in store.read_all(tmp_path / "all.jsonl")] == ["a", "b"]


def test_merged_files_and_folders_of_runs_can_be_merged_again(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / name / "run.jsonl", run_of(name, cell("pytorch", 1, 10.0)))
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "x" / "ab.jsonl")
    merged = merge([tmp_path / "x" / "ab.jsonl", tmp_path / "c"], tmp_path / "y" / "abc.jsonl")
    assert [run.run.id for run in store.read_all(tmp_path / "y" / "abc.jsonl")] == ["a", "b", "c"]
    assert merged.runs == 3
    assert merge([tmp_path], tmp_path / "z.jsonl").runs == 3


def test_a_torn_last_line_is_dropped_with_a_note_and_resumed_lines_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", run_of("a", cell("pytorch", 1, 10.0)))
    writer, _ = store.RunWriter.resume(path)
    with writer:
        writer.append(ResumeRecord(at="2026-11-23T00:00:00+00:00"))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"cell","id":"x')
    merged = merge([path], tmp_path / "all.jsonl")
    assert "cut off" in merged.notes[0]
    assert (tmp_path / "all.jsonl").read_bytes() == whole
    assert len(store.read(tmp_path / "all.jsonl").resumed) == 1


def test_of_a_run_given_twice_the_longer_copy_is_kept(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.jsonl", run_of("a", cell("pytorch", 1, 10.0), cell("pytorch", 4, 40.0)))
    early = tmp_path / "early.jsonl"
    early.write_bytes(b"".join(whole.read_bytes().splitlines(keepends=True)[:2]))
    merged = merge([early, whole, whole], tmp_path / "all.jsonl")
    assert (tmp_path / "all.jsonl").read_bytes() == whole.read_bytes()
    assert [note.endswith("it is kept once.") for note in merged.notes] == [True, True]


def test_copies_of_a_run_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{ms}.jsonl", run_of("a", cell("pytorch", 1, ms))) for ms in (10.0, 11.0)]
    with pytest.raises(store.RunFileError, match=r"run a is in .*10\.0\.jsonl and, with other lines, in .*11\.0"):
        merge(paths, tmp_path / "all.jsonl")
    assert not (tmp_path / "all.jsonl").exists()


def test_nothing_is_overwritten_and_bad_files_leave_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", run_of("a", cell("pytorch", 1, 10.0)))
    with pytest.raises(store.RunFileError, match="exists already"):
        merge([path], path)
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(path.read_bytes().replace(b'"schema":"1.', b'"schema":"9.'))
    with pytest.raises(store.RunFileError, match="written in schema 9"):
        merge([path, bad], tmp_path / "all.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(store.RunFileError, match="holds no run file"):
        merge([tmp_path / "empty"], tmp_path / "all.jsonl")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.jsonl", "bad.jsonl", "empty"]
