"""Where the output goes: narrow encodings, closed pipes, full disks, and files that are somebody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from reports.markdown import MARK
from reports.store import RunWriter
from tests.command import ROOT, one_line
from tests.reports.samples import example


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = example()
    with RunWriter(tmp_path / "run.jsonl", run.run) as writer:
        for record in run.cells:
            writer.append(record)
    return tmp_path


def command(*arguments: str, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, env=os.environ | environment, stdout=stdout,
        stderr=subprocess.PIPE, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "latin1", "utf-8"])
def test_signs_that_an_encoding_lacks_are_replaced(folder: Path, encoding: str) -> None:
    done = command("report", "--no-plots", str(folder), PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert ("⚠" in done.stdout.decode(encoding)) == (encoding == "utf-8")
    assert b"report: " in done.stdout


@pytest.mark.parametrize("arguments", [["report", "--no-plots"], ["backends"]])
def test_a_reader_who_has_gone_is_told_by_141_and_no_words(folder: Path, arguments: list[str]) -> None:
    given = [*arguments, str(folder)] if "report" in arguments else arguments
    read, write = os.pipe()
    os.close(read)
    try:
        done = command(*given, stdout=write)
    finally:
        os.close(write)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["report", "--no-plots"], ["backends"]])
def test_a_full_standard_output_gets_one_line(folder: Path, arguments: list[str]) -> None:
    given = [*arguments, str(folder)] if "report" in arguments else arguments
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = command(*given, stdout=full)
    finally:
        os.close(full)
    assert done.returncode == 2
    one_line(done.stderr.decode(), "standard output", "No space left")


def test_outputs_are_named_after_a_run_file_of_another_name(folder: Path) -> None:
    (folder / "run.jsonl").rename(folder / "a.jsonl")
    (folder / "report.md").write_text("mine")
    assert main(["report", str(folder / "a.jsonl")]) == 0
    assert (folder / "report.md").read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == {
        "a.jsonl", "report.md", "a-report.md", "a-report.html", "a-cells.csv",
        *(f"a-compute-{kind}.png" for kind in ("latency", "fps", "ratio", "distribution", "samples")),
    }  # fmt: skip
    text = (folder / "a-report.md").read_text()
    assert "(a-compute-fps.png)" in text
    assert "Every sample is in `a.jsonl`" in text


def test_a_report_of_somebody_elses_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for foreign in ("mine", "", "# Notes\n"):
        (folder / "report.md").write_text(foreign)
        assert main(["report", str(folder)]) == 2
        one_line(capsys.readouterr().err, "report.md", "not written by bench", "move it")
        assert (folder / "report.md").read_text() == foreign
        assert not (folder / "cells.csv").exists(), "nothing else was written either"


@pytest.mark.parametrize("ours", [f"{MARK}\nold", "# stargan: latency and FPS per card\n\nold"])
def test_a_report_of_ours_is_written_anew(folder: Path, ours: str) -> None:
    (folder / "report.md").write_text(ours)
    assert main(["report", "--no-plots", str(folder)]) == 0
    assert "old" not in (folder / "report.md").read_text().splitlines()
    assert (folder / "report.md").read_text().startswith(MARK + "\n# ")
    assert main(["report", "--no-plots", str(folder)]) == 0, "and its own successor, too"
