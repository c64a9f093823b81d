"""Run files: what is written is read back, and damage is told apart."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reports import store
from reports.records import MeasureLimits, ResumeRecord, Run
from tests.reports.samples import cell, example, header


def write(path: Path, run: Run) -> Path:
    with store.RunWriter(path, run.run) as writer:
        for record in run.cells:
            writer.append(record)
    return path


def test_round_trip(tmp_path: Path) -> None:
    run = example()
    assert store.read(write(tmp_path / "run.jsonl", run)) == run
    assert store.read(tmp_path) == run, "a folder stands for its run.jsonl"


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", example())
    before = path.read_bytes()
    with pytest.raises(store.RunFileError, match="exists already"):
        store.RunWriter(path, header())
    assert path.read_bytes() == before


def test_torn_last_line_is_dropped_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", example())
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    run = store.read(path)
    assert len(run.cells) == len(example().cells) - 1
    assert "cut off" in run.warnings[0]


@given(st.data())
def test_damage_is_refused_or_harmless_and_never_another_exception(data: st.DataObject) -> None:
    whole = bytearray(b"\n".join(msgspec.json.encode(r) for r in (header(), cell("pytorch", 1, 10.0, count=4))) + b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(whole) - 1))
        whole[index] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(bytes(whole))
        with contextlib.suppress(store.RunFileError):
            assert isinstance(store.read(path), Run)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"no complete line: .* delete the run's folder and start it anew"),
        (b"hello\n", "line 1: no run file"),
        (b'{"kind":"run","schema":"2.0","new":1}\n', "written in schema 2.0, this version reads"),
        (msgspec.json.encode(cell("pytorch", 1, 1.0)) + b"\n", "line 1"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)
    with pytest.raises(store.RunFileError, match=words):
        store.read(path)


def test_a_duplicate_cell_is_refused_and_a_second_run_where_one_is_wanted(tmp_path: Path) -> None:
    lines = [msgspec.json.encode(r) for r in (header(), cell("pytorch", 1, 1.0), cell("pytorch", 1, 1.0))]
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(store.RunFileError, match=r"line 3: cell .* is in line 2 already"):
        store.read(path)
    path.write_bytes(b"\n".join([lines[0], lines[0]]) + b"\n")
    with pytest.raises(store.RunFileError, match="holds 2 merged runs"):
        store.read(path)


def test_merged_runs_are_read_apart(tmp_path: Path) -> None:
    first, second = cell("pytorch", 1, 1.0), cell("pytorch", 1, 2.0, invocation=1)
    other = header(id="other")
    path = tmp_path / "merged.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in (header(), first, second, other, first)))
    runs = store.read_all(path)
    assert [run.run.id for run in runs] == [header().id, "other"]
    assert [[cell.invocation for cell in run.cells] for run in runs] == [[0, 1], [0]]


def test_raw_times_can_be_left_out_and_nothing_else_changes(tmp_path: Path) -> None:
    tricky = cell("pytorch", 1, 1.0, session={"note": '"samples_ns":[1,2]', "kind": "run"})
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in (header(), tricky)))
    full, light = store.read(path).cells[0], store.read_all(path, with_samples=False)[0].cells[0]
    assert full == tricky
    assert full.samples is not None
    assert light.samples is not None
    assert light.samples.samples_ns == [] == light.samples.warmup_ns
    assert replace(light, samples=full.samples) == full


def test_older_minor_versions_are_read_and_newer_ones_refused(tmp_path: Path) -> None:
    line = msgspec.json.decode(msgspec.json.encode(header()))
    del line["conditions"]
    path = tmp_path / "run.jsonl"
    path.write_bytes(msgspec.json.encode(line | {"schema": "1.0"}) + b"\n")
    assert store.read(path).run.conditions is None
    path.write_bytes(msgspec.json.encode(line | {"schema": "1.9", "verdict": "what this version cannot know"}) + b"\n")
    with pytest.raises(store.RunFileError, match=r"written in schema 1\.9.*use the newer bench"):
        store.read(path)


def test_a_resumed_run_keeps_every_byte_and_tells_when(tmp_path: Path) -> None:
    run = example()
    path = write(tmp_path / "run.jsonl", Run(run=run.run, cells=run.cells[:2]))
    before = path.read_bytes()
    path.write_bytes(before + b'{"kind":"cell","id":"half')
    writer, seen = store.RunWriter.resume(tmp_path)
    with writer:
        assert seen.cells == run.cells[:2]
        with pytest.raises(store.RunFileError, match="is being written by another run"):
            store.RunWriter.resume(path)
        writer.append(ResumeRecord(at="2026-11-22T13:00:00+00:00"))
        writer.append(run.cells[2])
    assert path.read_bytes().startswith(before)
    again = store.read(path)
    assert again.cells == run.cells[:3]
    assert [resumed.at for resumed in again.resumed] == ["2026-11-22T13:00:00+00:00"]
    assert not again.warnings


@pytest.mark.parametrize("tail", [b"", b'{"kind":"cell","id":"half'])
def test_a_run_that_is_opened_and_not_gone_on_with_keeps_every_byte(tmp_path: Path, tail: bytes) -> None:
    path = write(tmp_path / "run.jsonl", example())
    path.write_bytes(path.read_bytes() + tail)
    before = path.read_bytes()
    writer, _ = store.RunWriter.resume(path)
    writer.close()
    assert path.read_bytes() == before


def test_a_record_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    """JSON has no NaN: it would stand there as null, and the whole file would be refused."""
    good = cell("pytorch", 1, 10.0)
    assert good.latency is not None
    bad = msgspec.structs.replace(good, latency=msgspec.structs.replace(good.latency, median_ms=float("nan")))
    path = tmp_path / "run.jsonl"
    with store.RunWriter(path, header()) as writer:
        before = path.read_bytes()
        with pytest.raises(ValueError, match=r"CellRecord .*latency\.median_ms") as caught:
            writer.append(bad)
        assert not isinstance(caught.value, store.RunFileError), "a bug of ours, not a mistake of the user's"
        assert path.read_bytes() == before
        writer.append(good)
    assert store.read(path).cells == [good]


def test_a_header_that_could_not_be_read_again_leaves_no_file(tmp_path: Path) -> None:
    limits = MeasureLimits(max_time_s=float("nan"), min_time_s=1.0, min_samples=1, half_width=0.01, warmup_calls=1,
                           warmup_min_s=0.1, warmup_max_s=1.0)  # fmt: skip
    with pytest.raises(ValueError, match=r"limits\.max_time_s"):
        store.RunWriter(tmp_path / "run.jsonl", header(limits=limits))
    assert not list(tmp_path.iterdir())


def test_missing_and_unwritable_places(tmp_path: Path) -> None:
    with pytest.raises(store.RunFileError, match="cannot read"):
        store.read(tmp_path / "nowhere.jsonl")
    with pytest.raises(store.RunFileError, match="cannot write"):
        store.RunWriter(tmp_path / "nowhere" / "run.jsonl", header())


_FULL_DISK = """
import resource, sys
from pathlib import Path
from reports import store
from tests.reports.samples import cell, header
path = Path(sys.argv[1])
with store.RunWriter(path, header()) as writer:
    writer.append(cell("pytorch", 1, 10.0))
    size = path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
    try:
        writer.append(cell("pytorch", 4, 10.0))
    except store.RunFileError as error:
        print(error)
assert path.stat().st_size == size, "a line that did not fit must be taken back"
resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
try:
    store.RunWriter(path.with_name("other.jsonl"), header())
except store.RunFileError:
    assert not path.with_name("other.jsonl").exists()
else:
    raise SystemExit("a header that does not fit must raise")
"""


def test_a_full_disk_keeps_whole_lines_and_leaves_no_file_without_header(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes writes fail in mid-line as a full disk does."""
    path = tmp_path / "run.jsonl"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, cwd=root, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "free some space" in done.stdout
    assert len(store.read(path).cells) == 1
