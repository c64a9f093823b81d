"""A run that was killed goes on where it was, and never as another run than it was."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reports import store
from tests.command import FAST, Bench, one_line

#: Eight cells: two backends at four batch sizes.
BATCHES = ("--bs", "1", "2", "3", "4")


def _run(bench: Bench) -> tuple[str, ...]:
    return ("--model", bench.model, "--backend", "ort", "double", *BATCHES, *FAST, "--out", "o")


@pytest.fixture
def killed(bench: Bench) -> Path:
    """The run file of a run that kill -9 ended after three of its eight cells."""
    process = bench.start(*_run(bench))
    path = bench.folder / "o" / "run.jsonl"
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_bytes().count(b"\n") >= 4):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return path


def test_a_killed_run_goes_on_with_finished_cells_byte_equal(bench: Bench, killed: Path) -> None:
    before = killed.read_bytes()
    finished = before[: before.rfind(b"\n") + 1]
    assert 3 <= finished.count(b"\n") - 1 < 8
    done = bench("--resume", "o")
    after = killed.read_bytes()
    assert after.startswith(finished)
    run = store.read(killed)
    assert [(c.identity.batch, c.identity.backend) for c in run.cells] == [
        (batch, backend) for batch in (1, 2, 3, 4) for backend in ("onnxruntime", "double")
    ]
    assert all(cell.status == "ok" for cell in run.cells)
    assert len(run.resumed) == 1
    report = (killed.parent / "report.md").read_text()
    assert f"| Resumed | {run.resumed[0].at} |" in report
    assert "Unfinished" not in report
    assert done.stdout.count("report: ") == 1
    # There is nothing left to do, and doing it changes nothing.
    bench("--resume", "o")
    assert killed.read_bytes() == after


def test_a_line_cut_off_by_power_loss_is_measured_again(bench: Bench, killed: Path) -> None:
    whole = killed.read_bytes()
    whole = whole[: whole.rfind(b"\n") + 1]
    killed.write_bytes(whole[:-40])
    bench("--resume", "o")
    run = store.read(killed)
    assert len(run.cells) == 8
    assert not run.warnings


def _edit_header(path: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    first, _, rest = path.read_bytes().partition(b"\n")
    header = json.loads(first)
    change(header)
    path.write_bytes(json.dumps(header).encode() + b"\n" + rest)


BAD = [
    (["--bs", "1", "2"], ["--bs is not what the run", "1 2 3 4"]),
    (["--max-time", "9"], ["--max-time is not what the run", "0.2"]),
    (["--backend", "ov"], ["--backend is not what the run", "ort double"]),
    (["--streams", "2"], ["--streams is not what the run", "(1)"]),
    (["--quick"], ["--quick is not what the run"]),
    (["--out", "elsewhere"], ["--out"]),
]


def test_a_resume_that_would_be_another_run_is_refused(bench: Bench, killed: Path) -> None:
    before = killed.read_bytes()
    for options, words in BAD:
        one_line(bench("--resume", "o", *options, code=2).stderr, *words)
        assert killed.read_bytes() == before
    # The same options again are no others.
    _edit_header(killed, lambda header: header["packages"].update(onnxruntime="0.1"))
    one_line(bench("--resume", "o", *BATCHES, code=2).stderr, "onnxruntime was 0.1 and is")
    _edit_header(killed, lambda header: header["packages"].update(onnxruntime=_installed("onnxruntime")))
    _edit_header(killed, lambda header: header["host"].update(cpu="another CPU"))
    one_line(bench("--resume", "o", code=2).stderr, "the CPU was another CPU and is")


def _installed(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def test_a_resume_with_another_model_under_the_same_name_is_refused(bench: Bench, killed: Path) -> None:
    from tests.doubles.onnx_files import tiny_convnet

    tiny_convnet(Path(bench.model), output="other")
    before = killed.read_bytes()
    one_line(bench("--resume", "o", code=2).stderr, "its model changed since it began")
    assert killed.read_bytes() == before


DAMAGE: list[tuple[str, Callable[[bytes], bytes], list[str]]] = [
    (
        "newer schema",
        lambda data: data.replace(b'"schema":"1.', b'"schema":"1.9', 1),
        ["written in schema 1.9", "newer"],
    ),
    ("cut in the middle", lambda data: data.replace(b'"median_ms"', b'"med', 1), ["line 2", "damaged"]),
    ("duplicate cell", lambda data: data + data.split(b"\n")[1] + b"\n", ["is in line 2 already"]),
    ("no run file", lambda data: b"# a report\n", ["line 1", "no run file"]),
    ("empty", lambda data: b"", ["holds no complete line"]),
]


def test_a_damaged_run_file_is_refused_and_left_alone(bench: Bench, killed: Path) -> None:
    good = killed.read_bytes()
    for name, damage, words in DAMAGE:
        bad = damage(good[: good.rfind(b"\n") + 1])
        killed.write_bytes(bad)
        for command in (["--resume", "o"], ["report", "o"]):
            one_line(bench(*command, code=2).stderr, "run.jsonl", *words)
            assert killed.read_bytes() == bad, name
    one_line(bench("--resume", "nowhere", code=2).stderr, "nowhere", "cannot resume")


def test_two_runs_never_write_one_file(bench: Bench) -> None:
    process = bench.start("--model", bench.model, "--backend", "slow", "--bs", "1", "2", "--max-time", "30",
                          "--out", "o")  # fmt: skip
    path = bench.folder / "o" / "run.jsonl"
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    before = path.read_bytes()
    one_line(bench("--resume", "o", code=2).stderr, "run.jsonl is being written by another run")
    assert path.read_bytes() == before
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with: python -m bench --resume o" in error


def test_a_busy_device_is_waited_for_and_then_given_up(bench: Bench) -> None:
    first = bench.start("--model", bench.model, "--backend", "slow", "--bs", "1", "--max-time", "30", "--out", "a")
    deadline = time.monotonic() + 120
    while not (bench.folder / "a" / "run.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    # Another backend, but the same cores.
    done = bench("--model", bench.model, "--backend", "ort", "--bs", "1", *FAST, "--out", "b",
                 "--lock-timeout", "0", code=2)  # fmt: skip
    one_line(done.stderr, "cpu-", "is in use by process", str(first.pid), "--lock-timeout")
    assert not (bench.folder / "b").exists()
    waiting = bench.start("--model", bench.model, "--backend", "ort", "--bs", "1", *FAST, "--out", "c")
    time.sleep(3)
    assert waiting.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    _, error = waiting.communicate(timeout=120)
    assert waiting.returncode == 0, error
    assert "waiting for cpu-" in error
    assert subprocess.run(["ls", "c"], cwd=bench.folder, capture_output=True, check=True).stdout
