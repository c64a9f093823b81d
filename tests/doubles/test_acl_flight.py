"""Work that was begun and not waited for: nothing of it is visible, and nobody else may touch what it uses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doubles import acl as double
from tests.doubles.acl_scene import finish, images, rules, session
from tests.doubles.careful_acl_client import SHAPE_DATA, TO_DEVICE, TO_HOST, Session

pytestmark = pytest.mark.filterwarnings("ignore:acl.util")


def test_results_are_old_until_the_stream_was_waited_for(tmp_path: Path) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock)
    opened.run()
    old = opened.results()["y"]
    opened.feed({"x": images(1)})
    opened.start()
    np.testing.assert_array_equal(opened.results()["y"], old)
    assert rules(opened.acl) == ["read-before-synchronise"]
    clock.advance(1000)
    np.testing.assert_array_equal(opened.results()["y"], old)
    assert rules(opened.acl) == ["read-before-synchronise"] * 2
    opened.wait()
    assert not np.array_equal(opened.results()["y"], old)
    assert len(rules(opened.acl)) == 2
    finish(opened)


def test_inputs_are_not_overwritten_while_they_are_read(tmp_path: Path) -> None:
    opened = session(tmp_path)
    opened.start()
    opened.feed({"x": images(1)})
    assert rules(opened.acl) == ["overwritten-in-flight"]
    (x,) = opened.inputs
    opened.acl.rt.memset(x.on_device, x.size, 0, x.size)
    assert rules(opened.acl) == ["overwritten-in-flight"] * 2


def test_what_was_waited_for_through_an_event_is_visible(tmp_path: Path) -> None:
    opened = session(tmp_path)
    rt = opened.acl.rt
    event, _ = rt.create_event()
    opened.start()
    rt.record_event(event, opened.stream)
    assert rt.synchronize_event(event) == 0
    opened.results()
    rt.destroy_event(event)
    finish(opened)
    assert rules(opened.acl) == []


def test_an_event_covers_only_what_was_queued_before_it(tmp_path: Path) -> None:
    opened = session(tmp_path)
    rt = opened.acl.rt
    event, _ = rt.create_event()
    opened.start()
    rt.record_event(event, opened.stream)
    opened.start()
    rt.synchronize_event(event)
    opened.results()
    assert rules(opened.acl) == ["read-before-synchronise"]


def test_waiting_for_another_stream_makes_nothing_visible(tmp_path: Path) -> None:
    opened = session(tmp_path)
    other, _ = opened.acl.rt.create_stream()
    opened.start()
    assert opened.acl.rt.synchronize_stream(other) == 0
    opened.results()
    assert rules(opened.acl) == ["read-before-synchronise"]


def test_executions_of_one_stream_may_be_queued_on_each_other(tmp_path: Path) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock)
    for _ in range(5):
        opened.start()
    opened.wait()
    assert clock.at == 100_000_000
    opened.results()
    finish(opened)
    assert rules(opened.acl) == []


def test_a_model_is_not_executed_on_two_streams_at_once(tmp_path: Path) -> None:
    opened = session(tmp_path)
    other, _ = opened.acl.rt.create_stream()
    opened.start()
    arguments = (opened.model, opened.input_set, opened.output_set)
    assert opened.acl.mdl.execute_async(*arguments, other) == 0
    assert rules(opened.acl) == ["model-busy", "race-between-streams"]


def test_a_model_is_not_executed_by_two_threads_at_once(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()

    class Watched(double.Virtual):
        """Stops in the middle of the first execution."""

        def approach(self, until: int) -> None:
            if until > self.at and not began.is_set():
                began.set()
                go_on.wait()
            super().approach(until)

    opened = session(tmp_path, Watched(), base_ms=0)
    object.__setattr__(opened.acl.state, "config", double.Config(base_ms=20, api="old"))
    opened.asynchronous = False

    def other() -> None:
        opened.acl.rt.set_context(opened.context)
        opened.start()

    thread = threading.Thread(target=other)
    thread.start()
    began.wait()
    opened.start()
    go_on.set()
    thread.join()
    assert rules(opened.acl) == ["model-busy", "race-between-streams"]
    finish(opened)


def test_streams_that_share_memory_race(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    other, _ = acl.rt.create_stream()
    opened.start()
    (y,) = opened.outputs
    acl.rt.memcpy_async(y.pinned, y.size, y.on_device, y.size, TO_HOST, other)
    assert rules(acl) == ["race-between-streams"]


@pytest.mark.parametrize(
    ("release", "rule"),
    [
        (lambda acl, opened: acl.mdl.unload(opened.model), "unloaded-in-flight"),
        (lambda acl, opened: acl.rt.free(opened.inputs[0].on_device), "freed-in-flight"),
        (lambda acl, opened: acl.rt.free(opened.outputs[0].on_device), "freed-in-flight"),
        (lambda acl, opened: acl.destroy_data_buffer(opened.outputs[0].buffer), "destroyed-in-flight"),
        (lambda acl, opened: acl.mdl.destroy_dataset(opened.input_set), "destroyed-in-flight"),
        (
            lambda acl, opened: acl.update_data_buffer(opened.inputs[0].buffer, opened.inputs[0].on_device, 8),
            "destroyed-in-flight",
        ),
    ],
)
def test_nothing_that_is_in_use_is_released(tmp_path: Path, release: Callable[[Any, Session], int], rule: str) -> None:
    opened = session(tmp_path)
    opened.start()
    assert release(opened.acl, opened) == 0
    assert rules(opened.acl) == [rule]


def test_a_context_with_work_in_its_own_stream_is_not_destroyed(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    acl.mdl.execute_async(opened.model, opened.input_set, opened.output_set, 0)
    acl.rt.destroy_context(opened.context)
    assert rules(acl)[-1] == "destroyed-in-flight"


def test_the_gear_is_not_changed_during_an_execution(tmp_path: Path) -> None:
    opened = session(tmp_path, batches=(1, 2, 4))
    opened.start()
    index, _ = opened.acl.mdl.get_input_index_by_name(opened.description, SHAPE_DATA)
    opened.acl.mdl.set_dynamic_batch_size(opened.model, opened.input_set, index, 1)
    assert rules(opened.acl) == ["overwritten-in-flight"]


def queued(opened: Session, source: int, count: int | None = None) -> int:
    """Queue a copy to the chip."""
    (x,) = opened.inputs
    copy = opened.acl.rt.memcpy_async
    return int(copy(x.on_device, x.size, source, x.size if count is None else count, TO_DEVICE, opened.stream))


def test_the_source_of_a_queued_copy_stays_as_it_is_until_it_is_done(tmp_path: Path) -> None:
    opened = session(tmp_path)
    (x,) = opened.inputs
    assert queued(opened, x.pinned) == 0
    opened.acl.util.ptr_to_numpy(x.pinned, x.shape, 11)[0] = 5
    opened.wait()
    assert rules(opened.acl) == ["overwritten-in-flight"]
    finish(opened)


def test_pinned_memory_is_not_freed_while_a_copy_uses_it(tmp_path: Path) -> None:
    opened = session(tmp_path)
    (x,) = opened.inputs
    queued(opened, x.pinned)
    opened.acl.rt.free_host(x.pinned)
    assert rules(opened.acl) == ["freed-in-flight"]


def test_what_a_queued_copy_brings_is_not_read_before_it_came(tmp_path: Path) -> None:
    opened = session(tmp_path, api="both")
    opened.run()
    (y,) = opened.outputs
    opened.acl.rt.memcpy_async(y.pinned, y.size, y.on_device, y.size, TO_HOST, opened.stream)
    opened.acl.util.ptr_to_bytes(y.pinned, y.size)
    assert rules(opened.acl) == ["read-before-synchronise"]


def test_a_queued_copy_of_plain_memory_waits_for_all_before_it(tmp_path: Path) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock, copy_ms=5)
    start = clock.at
    opened.start()
    room = np.zeros(2 * 3 * 8 * 8 + 16, np.float32)
    aligned = room[-room.ctypes.data % 64 // 4 :]
    assert queued(opened, opened.acl.util.numpy_to_ptr(aligned)) == 0
    assert clock.at - start == 25_000_000
    assert [entry.rule for entry in opened.acl.state.remarks] == ["copy-not-asynchronous"]
    opened.results()
    finish(opened)
    assert rules(opened.acl) == []


def test_queued_copies_are_aligned_and_between_host_and_chip(tmp_path: Path) -> None:
    opened = session(tmp_path)
    (x,) = opened.inputs
    assert queued(opened, x.pinned + 4, 8) == 0
    copy = opened.acl.rt.memcpy_async
    assert copy(x.pinned, x.size, x.pinned, x.size, 0, opened.stream) == 207000
    assert copy(x.on_device, x.size, x.pinned, 0, TO_DEVICE, opened.stream) == 107000
    assert rules(opened.acl) == ["unaligned", "copy-kind", "copy-size"]
