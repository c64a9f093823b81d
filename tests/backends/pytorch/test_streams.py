"""Each thread's current stream: set once, right for several sessions and threads, and given back."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from backends.base import Device
from tests.backends.pytorch.machines import case, machine, open_session


def test_calls_in_a_row_set_no_stream(tmp_path: Path) -> None:
    subject = case(tmp_path)
    with machine() as world, open_session(subject.model) as session:
        begin = len(world.journal)
        for seed in range(3):
            session.copy_inputs(subject.feeds(seed))
            session.enqueue()
            session.synchronize()
            session.copy_outputs()
        assert not [line for line in world.journal[begin:] if line.startswith("set")]


def test_what_the_caller_started_before_is_waited_for(tmp_path: Path) -> None:
    with machine() as world, open_session(case(tmp_path).model):
        assert world.journal[:2] == ["stream 1 of cuda:0 waits for the default stream", "set stream 1 of cuda:0"]


@pytest.mark.parametrize("graph", [False, True])
def test_sessions_of_one_thread_by_turns_are_each_on_their_own_stream(tmp_path: Path, graph: bool) -> None:
    subject = case(tmp_path)
    feeds = [subject.feeds(seed) for seed in (1, 2)]
    with (
        machine() as world,
        open_session(subject.model, graph=graph) as one,
        open_session(subject.model, graph=graph) as two,
    ):
        begin = len(world.journal)
        for _ in range(2):
            for session, given in zip((one, two), feeds, strict=True):
                session.copy_inputs(given)
                session.enqueue()
        for session, given in zip((one, two), feeds, strict=True):
            session.synchronize()
            assert np.allclose(session.copy_outputs()["y"], subject.reference(given)["y"], atol=1e-4)
        on = [line.rpartition(" on ")[2] for line in world.journal[begin:] if line.startswith(("upload", "replay"))]
        per_turn = 2 if graph else 1
        assert on == [name for name in ("stream 1 of cuda:0", "stream 2 of cuda:0") for _ in range(per_turn)] * 2


def test_a_session_is_used_from_another_thread(tmp_path: Path) -> None:
    subject = case(tmp_path)
    feeds = subject.feeds(1)
    outputs = []
    with machine() as world, open_session(subject.model) as session:

        def work() -> None:
            with world.thread():
                session.copy_inputs(feeds)
                session.enqueue()
                session.synchronize()
                outputs.append(session.copy_outputs()["y"])

        begin = len(world.journal)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert world.journal[begin] == "set stream 1 of cuda:0"
    assert np.allclose(outputs[0], subject.reference(feeds)["y"], atol=1e-4)


def test_close_gives_back_the_caller_s_stream(tmp_path: Path) -> None:
    model = case(tmp_path).model
    with machine():
        own = torch.cuda.Stream()
        torch.cuda.set_stream(own)
        one, two = open_session(model), open_session(model)
        one.enqueue()
        two.close()  # not the current one: the other is still at work
        assert torch.cuda.current_stream() is not own
        one.close()
        assert torch.cuda.current_stream() is own
        two.close()
        assert torch.cuda.current_stream() is own


def test_a_stream_that_the_caller_chose_in_the_meantime_stays(tmp_path: Path) -> None:
    with machine():
        session = open_session(case(tmp_path).model)
        chosen = torch.cuda.Stream()
        torch.cuda.set_stream(chosen)
        session.close()
        assert torch.cuda.current_stream() is chosen


def test_sessions_on_two_devices_leave_both_and_the_current_one_as_they_were(tmp_path: Path) -> None:
    subject = case(tmp_path)
    feeds = subject.feeds(1)
    with machine(count=2):
        before = [torch.cuda.current_stream(index) for index in (0, 1)]
        with (
            open_session(subject.model, device=Device("cuda", 0)) as first,
            open_session(subject.model, device=Device("cuda", 1)) as second,
        ):
            for session in (second, first, second):
                session.copy_inputs(feeds)
                session.enqueue()
                session.synchronize()
                assert np.allclose(session.copy_outputs()["y"], subject.reference(feeds)["y"], atol=1e-4)
            assert (first.device, second.device) == (Device("cuda", 0), Device("cuda", 1))
        assert torch.cuda.current_device() == 0
        assert [torch.cuda.current_stream(index) for index in (0, 1)] == before


def test_a_session_that_does_not_open_gives_the_stream_back(tmp_path: Path) -> None:
    with machine(fail={"pin": RuntimeError("no pinned memory")}):
        before = torch.cuda.current_stream()
        with pytest.raises(Exception, match="no pinned memory"):
            open_session(case(tmp_path).model)
        assert torch.cuda.current_stream() is before
