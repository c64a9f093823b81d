"""Every way in which a vendor's runtime can take its process down costs one cell, and says so."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from reports import store
from reports.records import CellRecord
from tests.command import FAST, Bench

#: name of the double, words of the message, phase, words of its last output
FAULTS = [
    ("crash", "died of SIGSEGV", "measure", "about to read address zero"),
    ("abort", "died of SIGABRT", "measure", "assertion failed: stream != nullptr"),
    ("oom", "died of SIGKILL (killed from outside, most often for lack of memory", "measure", ""),
    ("nomemory", "MemoryError: cannot allocate 64 GiB", "load", "MemoryError"),
    ("quit", "exit status 0 without a result", "measure", ""),
    ("exit0", "exit status 0 without a result", "build", ""),
    ("garbage", "something else than events", "measure", ""),
    ("hang", "no sign of life for 3 s and was killed", "measure", "waiting for the device"),
    ("hangload", "no sign of life for 3 s and was killed", "load", ""),
    ("orphans", "exit status 3 without a result", "measure", ""),
    ("raises", "code 507011", "measure", ""),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, CellRecord]]:
    """One real run of every fault, with a sound engine after each; the folder, and the cells by their backend."""
    bench = Bench(tmp_path_factory.mktemp("faults"))
    bench.environment["ORPHAN_FILE"] = str(bench.folder / "orphan")
    backends = [name for fault, *_ in FAULTS for name in (fault, f"ort:threads={len(fault)}")]
    backends = list(dict.fromkeys(backends))
    bench("--model", bench.model, "--backend", *backends, "--bs", "1", *FAST, "--out", "o",
          "--phase-limit", "measure=3", "load=3")  # fmt: skip
    return bench.folder, {cell.identity.label(): cell for cell in store.read(bench.folder / "o").cells}


@pytest.mark.parametrize(("name", "words", "phase", "last_words"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_costs_its_cell_only(
    run: tuple[Path, dict[str, CellRecord]], name: str, words: str, phase: str, last_words: str
) -> None:
    folder, cells = run
    bad = cells[name]
    assert bad.status == "failed"
    assert bad.failure is not None
    assert words in bad.failure.message
    assert bad.failure.phase == phase
    assert last_words in "\n".join(bad.failure.output_tail)
    # A double's failure is a double's too: it may not open a column of measured figures.
    assert bad.provenance == "simulated"
    report = (folder / "o" / "report.md").read_text()
    assert f"{name} bs1 fp32 compute simulated failed in phase '{phase}'" in report
    assert last_words in report


def test_the_sound_cells_between_the_faults_are_measured(run: tuple[Path, dict[str, CellRecord]]) -> None:
    sound = [cell for cell in run[1].values() if cell.identity.backend == "onnxruntime"]
    assert len(sound) >= 5
    assert all(cell.status == "ok" and cell.provenance == "measured" for cell in sound)


def test_what_a_worker_leaves_behind_is_ended(run: tuple[Path, dict[str, CellRecord]]) -> None:
    assert not _alive(int((run[0] / "orphan").read_text()))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_crash_after_the_result_keeps_the_result_and_is_told(bench: Bench) -> None:
    bench("--model", bench.model, "--backend", "crashatexit", "--bs", "1", *FAST, "--out", "o")
    (cell,) = store.read(bench.folder / "o").cells
    assert cell.status == "ok"
    assert "died of SIGSEGV after its result" in cell.session["aftermath"]
    assert "died of SIGSEGV after its result" in (bench.folder / "o" / "report.md").read_text()


def test_a_result_that_is_there_survives_ctrl_c_during_the_farewell(bench: Bench) -> None:
    process = bench.start("--model", bench.model, "--backend", "slowatexit", "ort", "--bs", "1", *FAST, "--out", "o")
    path = bench.folder / "o" / "run.jsonl"
    deadline = time.monotonic() + 120
    while not (bench.folder / "leaving").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)  # the worker has told its result and sleeps in its clean-up
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert [cell.status for cell in store.read(path).cells] == ["ok"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_nothing_that_a_worker_forked_outlives_the_parent(bench: Bench, how: signal.Signals) -> None:
    orphan = bench.folder / "orphan"
    bench.environment["ORPHAN_FILE"] = str(orphan)
    process = bench.start("--model", bench.model, "--backend", "forks", "--bs", "1", "--max-time", "60", "--out", "o")
    deadline = time.monotonic() + 120
    while not (orphan.exists() and orphan.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(how)
    _, error = process.communicate(timeout=60)
    while _alive(int(orphan.read_text())) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(int(orphan.read_text()))
    if how != signal.SIGKILL:
        assert process.returncode == 130
        assert "--resume o" in error


def test_an_endless_message_is_cut(bench: Bench) -> None:
    done = bench("--model", bench.model, "--backend", "talkative", "--bs", "1", *FAST, "--out", "o", code=2)
    (cell,) = store.read(bench.folder / "o").cells
    assert cell.failure is not None
    assert cell.failure.message.endswith("(100013 characters)")
    assert len(done.stderr) < 3000


def test_no_worker_outlives_a_parent_that_is_killed(bench: Bench) -> None:
    process = bench.start("--model", bench.model, "--backend", "slow", "--bs", "1", "--max-time", "60", "--out", "o")
    deadline = time.monotonic() + 120
    while not (workers := _workers_of(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    while any(map(_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_alive, workers))


def _workers_of(pid: int) -> list[int]:
    """Children of a process, by their stat files."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def test_the_parent_sleeps_while_a_child_measures(bench: Bench) -> None:
    """CPU time, not wall time: what the parent uses in a minute of measuring is the same on any machine's bad day.

    tests/benchmarks/parent_cpu.py prints the share; here a parent that polls (some 100 %) must be told from one that
    sleeps (some 0.5 %).
    """
    process = bench.start("--model", bench.model, "--backend", "slow", "--bs", "1", "--max-time", "4", "--out", "o")
    path = bench.folder / "o" / "run.jsonl"
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)  # the worker is on its way
    before = _cpu_s(process.pid)
    time.sleep(3)
    used = _cpu_s(process.pid) - before
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert used < 0.3, f"{used:.2f} s of CPU time in 3 s"


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
