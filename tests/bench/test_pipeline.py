"""Three stages at once: order, bounds, and every way in which one of them fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.pipeline import run_stages


def numbers(count: int, closed: list[bool] | None = None, fails_at: int | None = None) -> Generator[int, None, None]:
    try:
        for index in range(count):
            if index == fails_at:
                raise OSError("cannot read")
            yield index
    finally:
        if closed is not None:
            closed.append(True)


@given(count=st.integers(0, 30))
def test_everything_comes_out_in_order(count: int) -> None:
    out: list[int] = []
    run_stages(numbers(count), lambda x: x * x, out.append)
    assert out == [x * x for x in range(count)]


def test_a_slow_end_holds_the_beginning_back() -> None:
    read = 0
    ahead: list[int] = []

    def source() -> Generator[int, None, None]:
        nonlocal read
        for index in range(30):
            read = index
            yield index

    def sink(item: int) -> None:
        time.sleep(0.005)
        ahead.append(read - item)

    run_stages(source(), lambda x: x, sink)
    assert max(ahead) <= 8  # two queues of two, and one item in each stage's hands


def test_stages_run_at_the_same_time_and_work_in_the_callers_thread() -> None:
    threads: dict[str, int] = {}
    together = threading.Barrier(3, timeout=30)

    def source() -> Generator[int, None, None]:
        threads["source"] = threading.get_ident()
        for index in range(4):
            if index == 2:
                together.wait()
            yield index

    def work(item: int) -> int:
        threads["work"] = threading.get_ident()
        if item == 1:
            together.wait()
        return item

    def sink(item: int) -> None:
        threads["sink"] = threading.get_ident()
        if item == 0:
            together.wait()  # only three stages at once get past this

    run_stages(source(), work, sink)
    assert len(set(threads.values())) == 3
    assert threads["work"] == threading.get_ident()


def fail(item: int) -> int:
    if item == 3:
        raise ValueError("cannot work")
    return item


def test_the_first_failure_is_raised_and_no_thread_is_left() -> None:
    before = threading.active_count()
    for failing in range(3):
        closed: list[bool] = []
        out: list[int] = []

        def sink(item: int, failing: int = failing, out: list[int] = out) -> None:
            if failing == 2 and item == 3:
                raise RuntimeError("cannot write")
            out.append(item)

        source = numbers(1000, closed, fails_at=3 if failing == 0 else None)
        work = fail if failing == 1 else int
        with pytest.raises((OSError, ValueError, RuntimeError), match=("read", "work", "write")[failing]):
            run_stages(source, work, sink)
        assert closed == [True]
        assert out == list(range(len(out)))
        if failing == 1:
            assert out == [0, 1, 2]  # what was worked out is written
    assert threading.active_count() == before


def test_ctrl_c_in_the_work_stops_the_others() -> None:
    closed: list[bool] = []

    def work(item: int) -> int:
        if item == 2:
            raise KeyboardInterrupt
        return item

    with pytest.raises(KeyboardInterrupt):
        run_stages(numbers(10**6, closed), work, lambda _: None)
    assert closed == [True]
