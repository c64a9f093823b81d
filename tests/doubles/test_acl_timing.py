"""How long things take, in virtual time; and waiting itself, on a clock that is moved by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doubles import acl as double
from tests.doubles.acl_scene import images, session
from tests.doubles.simulated.timing import Holding

MS = 1_000_000


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("batches", [(2,), (1, 2, 4)])
def test_an_execution_takes_what_was_set_for_its_batch(
    tmp_path: Path, asynchronous: bool, batches: tuple[int, ...]
) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock, batches, base_ms=3, image_ms=19)
    opened.asynchronous = asynchronous
    for number in range(1, 4):
        opened.run()
        assert clock.at == number * (3 + 2 * 19) * MS


def test_copies_take_their_time_each_and_executions_none_of_it(tmp_path: Path) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock, base_ms=20, copy_ms=5)
    assert clock.at == 5 * MS
    opened.run()
    assert clock.at == 25 * MS
    opened.results()
    assert clock.at == 30 * MS
    opened.feed({"x": images(1)})
    assert clock.at == 35 * MS


def test_time_that_the_host_spends_meanwhile_is_not_added(tmp_path: Path) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock)
    opened.start()
    clock.advance(15)
    opened.wait()
    assert clock.at == 20 * MS
    opened.start()
    clock.advance(50)
    opened.wait()
    assert clock.at == 70 * MS


def test_chips_work_at_the_same_time(tmp_path: Path) -> None:
    clock = double.Virtual()
    first = session(tmp_path, clock)
    second = type(first)(first.acl, tmp_path / "tiny.om", chip=1)
    second.start()
    first.acl.rt.set_context(first.context)
    first.start()
    first.wait()
    first.acl.rt.set_context(second.context)
    second.wait()
    assert clock.at == 20 * MS


class Recording(double.Timing):
    """A clock that moves by `step` each time that it is read, and what was slept."""

    def __init__(self, step: int) -> None:
        self.at, self.slept = 0, []
        self._step = step
        super().__init__(clock=self._read, sleep=self._pass)

    def _read(self) -> int:
        self.at += self._step
        return self.at

    def _pass(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += round(seconds * 1e9)


def test_waiting_sleeps_until_shortly_before_and_stays_awake_for_the_rest() -> None:
    clock = Recording(step=100)
    clock.approach(20 * MS)
    assert clock.slept == [pytest.approx(0.0195, abs=1e-6)]
    assert clock.at < 20 * MS
    clock.reach(20 * MS)
    assert len(clock.slept) == 1
    assert 20 * MS <= clock.at <= 20 * MS + 100


def test_waits_that_are_short_are_not_slept_at_all() -> None:
    clock = Recording(step=100)
    clock.approach(400_000)
    assert clock.slept == []
    clock.reach(400_000)
    assert clock.at == 400_000


def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    clock = Recording(step=100)
    clock.approach(50)
    clock.reach(50)
    assert clock.at == 200


def test_executions_can_hold_pythons_lock(tmp_path: Path) -> None:
    opened = session(tmp_path, execute_holds_lock=True, base_ms=0.01)
    assert isinstance(opened.acl.state.holding, Holding)
    opened.asynchronous = False
    opened.run()
    opened.results()
    opened.close()
