"""Work in processes: the same results in the same order, errors brought back, nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench import pool
from bench.errors import UsageError


@pytest.fixture(autouse=True)
def two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.pool.usable_cpus", lambda: [0, 1])


def squared(number: int) -> tuple[int, int]:
    if number == 13:
        raise ValueError("no luck with 13")
    return number * number, os.getpid()


def killed(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("many", [False, True])
def test_results_come_in_order_and_from_processes_only_where_it_pays(many: bool) -> None:
    found = list(pool.map_pieces(squared, range(12), many))
    assert [square for square, _ in found] == [number * number for number in range(12)]
    assert all((process != os.getpid()) == many for _, process in found)


@pytest.mark.parametrize("many", [False, True])
def test_an_error_of_one_piece_is_raised_after_those_before_it(many: bool) -> None:
    before: list[int] = []
    with pytest.raises(ValueError, match="no luck with 13"):
        before.extend(square for square, _ in pool.map_pieces(squared, range(20), many))
    assert before == [number * number for number in range(13)]
    assert not [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_a_process_that_is_killed_is_one_line() -> None:
    with pytest.raises(UsageError, match="a process of ours was killed"):
        list(pool.map_pieces(killed, range(9), many=True))


def test_processes_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = """
import os, sys, time
from pathlib import Path
from bench import pool

def sleep(number):
    Path(sys.argv[1], str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    pool.usable_cpus = lambda: [0, 1]
    list(pool.map_pieces(sleep, range(4), many=True))
"""
    script, folder = tmp_path / "parent.py", tmp_path / "pids"
    script.write_text(code)
    folder.mkdir()
    root = str(Path(__file__).resolve().parents[2])
    parent = subprocess.Popen([sys.executable, str(script), str(folder)], env=os.environ | {"PYTHONPATH": root})
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(path.name) for path in folder.iterdir()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    while any(map(psutil.pid_exists, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, workers))
