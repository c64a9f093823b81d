"""Who else is busy: made-up processes in virtual time, and children of our own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from backends.telemetry import BusyProcess, processes
from backends.telemetry.processes import busy_processes, count_others

#: Above the largest number that Linux gives (2^22), so no real process has it.
FAR = 5_000_000


class Clock:
    """Stands still until somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, duration_s: float) -> None:
        self.now += duration_s


class FakeProcess:
    """Uses so many cores all the time."""

    def __init__(self, clock: Clock, number: int, cores: float, parent: int = 1, name: str = "other") -> None:
        self.pid, self._clock, self._cores, self._parent, self._name = number, clock, cores, parent, name
        self.hidden = False
        self.started = 1.0

    @contextlib.contextmanager
    def oneshot(self) -> Iterator[None]:
        yield

    def name(self) -> str:
        return self._name

    def ppid(self) -> int:
        return self._parent

    def create_time(self) -> float:
        return self.started

    def cpu_times(self) -> SimpleNamespace:
        if self.hidden:
            raise psutil.AccessDenied(self.pid)
        return SimpleNamespace(user=self._cores * self._clock.now, system=0.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(processes, "time", clock)
    return clock


def show(monkeypatch: pytest.MonkeyPatch, *fakes: FakeProcess) -> None:
    monkeypatch.setattr(psutil, "process_iter", lambda: iter(fakes))


def test_the_busiest_come_first_and_the_idle_not_at_all(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    loads = (0.06, 0.3, 2.0, 0.04, 0.5, 0.4, 0.2)
    show(monkeypatch, *(FakeProcess(clock, FAR + index, cores) for index, cores in enumerate(loads)))
    found = busy_processes(0.25)
    assert [process.cores for process in found] == [2.0, 0.5, 0.4, 0.3, 0.2]
    assert found[0] == BusyProcess("other", FAR + 2, 2.0)
    assert clock.now == 1000.25


def test_our_own_are_no_others(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    show(
        monkeypatch,
        FakeProcess(clock, os.getpid(), 1.0),
        FakeProcess(clock, FAR, 1.0, parent=os.getpid()),
        FakeProcess(clock, FAR + 1, 1.0, parent=FAR),
        FakeProcess(clock, FAR + 2, 1.0, parent=FAR + 3, name="loop"),
        FakeProcess(clock, FAR + 3, 1.0, parent=FAR + 2, name="loop"),
    )
    assert {process.name for process in busy_processes()} == {"loop"}


def test_hidden_and_replaced_processes_are_skipped(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    hidden, replaced, plain = (FakeProcess(clock, FAR + index, 1.0) for index in range(3))
    hidden.hidden = True
    show(monkeypatch, hidden, replaced, plain)

    def sleep(duration_s: float) -> None:
        clock.now += duration_s
        replaced.started = clock.now

    monkeypatch.setattr(clock, "sleep", sleep)
    assert [process.pid for process in busy_processes()] == [plain.pid]


def test_a_real_child_is_ours() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"], stdout=-1) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            assert child.pid not in {process.pid for process in busy_processes(0.1)}
            assert child.pid in processes._usages()
        finally:
            child.kill()


def machine(root: Path, namespace: int) -> Path:
    (root / "proc/self/ns").mkdir(parents=True)
    (root / "proc/self/ns/pid").symlink_to(f"pid:[{namespace}]")
    return root


def test_our_group_is_no_other_on_a_device(tmp_path: Path) -> None:
    root = machine(tmp_path, 4026531836)
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as child,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, start_new_session=True) as stranger,
    ):
        try:
            assert count_others([os.getpid(), child.pid], root) == 0
            assert count_others([os.getpid(), child.pid, stranger.pid, stranger.pid, FAR], root) == 2
        finally:
            child.kill()
            stranger.kill()


def test_in_a_container_with_numbers_of_its_own_it_is_unknown(tmp_path: Path) -> None:
    assert count_others([], machine(tmp_path, 4026532201)) is None


def test_without_namespaces_numbers_hold(tmp_path: Path) -> None:
    assert count_others([os.getpid(), FAR], tmp_path) == 1
