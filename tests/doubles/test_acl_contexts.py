"""Devices, contexts, streams and events: what belongs where, and the order of release."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.doubles import acl as double
from tests.doubles.acl_scene import finish, leaks, machine, rules, session


def on_a_thread(work: Callable[[], Any]) -> Any:
    """What `work` returns on another thread."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_a_device_that_is_not_there() -> None:
    acl = machine(chips=1)
    assert acl.rt.set_device(1) == 107001
    assert acl.rt.create_context(-1) == (0, 107001)
    assert rules(acl) == ["device-id"] * 2


def test_every_thread_needs_a_context_of_its_own() -> None:
    acl = machine()
    acl.rt.set_device(0)
    context, _ = acl.rt.get_context()
    assert on_a_thread(acl.rt.create_stream) == (0, 107002)
    assert on_a_thread(acl.rt.get_device) == (0, 107002)
    assert rules(acl) == ["no-context"] * 2
    assert on_a_thread(lambda: [acl.rt.set_context(context), acl.rt.get_device()]) == [0, (0, 0)]
    assert on_a_thread(lambda: [acl.rt.set_device(0), acl.rt.get_context()]) == [0, (context, 0)]


def test_create_context_is_current_at_once_and_set_device_goes_back_to_the_default_one() -> None:
    acl = machine()
    acl.rt.set_device(0)
    default, _ = acl.rt.get_context()
    made, _ = acl.rt.create_context(0)
    assert made not in (0, default)
    assert acl.rt.get_context() == (made, 0)
    acl.rt.set_device(0)
    assert acl.rt.get_context() == (default, 0)


def test_a_context_that_is_gone_is_nobodys_any_more() -> None:
    acl = machine()
    acl.rt.set_device(0)
    context, _ = acl.rt.create_context(0)
    assert acl.rt.destroy_context(context) == 0
    assert acl.rt.get_context() == (0, 107002)
    assert acl.rt.set_context(context) == 107000
    assert acl.rt.destroy_context(context) == 107000
    assert rules(acl) == ["no-context", "context-used-after-release", "context-released-twice"]


def test_the_default_context_goes_with_the_device() -> None:
    acl = machine()
    acl.rt.set_device(0)
    context, _ = acl.rt.get_context()
    assert acl.rt.destroy_context(context) == 107000
    assert rules(acl) == ["default-context-destroyed"]
    assert acl.rt.reset_device(0) == 0
    assert acl.rt.get_context() == (0, 107002)


def test_set_and_reset_come_in_pairs() -> None:
    acl = machine()
    assert acl.rt.reset_device(0) == 107000
    acl.rt.set_device(0)
    acl.rt.set_device(0)
    assert acl.rt.reset_device(0) == 0
    assert acl.rt.get_device() == (0, 0)
    assert [entry.rule for entry in acl.state.remarks] == ["reset-counted"]
    assert acl.rt.reset_device(0) == 0
    assert acl.rt.reset_device(0) == 107000
    assert acl.finalize() == 0
    assert rules(acl) == ["reset-unpaired"] * 2


def test_a_context_of_a_device_that_was_not_set_is_remarked() -> None:
    acl = machine()
    acl.rt.create_context(1)
    assert [entry.rule for entry in acl.state.remarks] == ["context-without-device"]


def test_a_stream_works_in_its_context_only(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    acl.rt.create_context(0)
    assert acl.rt.synchronize_stream(opened.stream) == 107003
    assert acl.rt.destroy_stream(opened.stream) == 107003
    assert rules(acl) == ["stream-context"] * 2
    assert acl.rt.synchronize_stream(0) == 0


@pytest.mark.parametrize("call", ["execute", "execute_async", "unload"])
def test_a_model_works_in_its_context_only(tmp_path: Path, call: str) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    acl.rt.create_context(0)
    arguments = {
        "execute": (opened.model, opened.input_set, opened.output_set),
        "execute_async": (opened.model, opened.input_set, opened.output_set, 0),
        "unload": (opened.model,),
    }
    assert getattr(acl.mdl, call)(*arguments[call]) == 107004
    assert rules(acl) == ["model-context"]


def test_handles_of_one_kind_are_not_taken_for_another(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    assert acl.rt.set_context(opened.stream) == 107000
    assert acl.rt.destroy_stream(opened.context) == 107000
    assert acl.mdl.destroy_dataset(opened.description) == 100000
    assert acl.destroy_data_buffer(opened.input_set) == 100000
    assert acl.mdl.unload(77) == 145003
    assert rules(acl) == ["not-a-context", "not-a-stream", "not-a-dataset", "not-a-data-buffer", "not-a-model"]
    finish(opened)


def test_everything_is_released_once(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    acl.rt.destroy_stream(opened.stream)
    assert acl.rt.destroy_stream(opened.stream) == 107000
    acl.mdl.unload(opened.model)
    assert acl.mdl.unload(opened.model) == 145003
    acl.mdl.destroy_desc(opened.description)
    assert acl.mdl.destroy_desc(opened.description) == 100000
    acl.mdl.destroy_dataset(opened.input_set)
    assert acl.mdl.destroy_dataset(opened.input_set) == 100000
    buffer = opened.inputs[0].buffer
    acl.destroy_data_buffer(buffer)
    assert acl.destroy_data_buffer(buffer) == 100000
    kinds = ["stream", "model", "description", "dataset", "data-buffer"]
    assert rules(acl) == [f"{kind}-released-twice" for kind in kinds]


def test_streams_events_and_models_go_before_their_context(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    acl.rt.create_event()
    assert acl.rt.destroy_context(opened.context) == 0
    assert rules(acl) == ["release-order"] * 3


def test_what_is_alive_at_the_last_reset_is_a_leak_and_only_of_that_chip(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    acl.rt.set_device(1)
    acl.rt.malloc(64, 0)
    assert acl.rt.reset_device(0) == 0
    inputs_and_outputs = 2
    assert leaks(acl) == sorted(
        ["context", "dataset", "dataset", "description", "model", "stream"]
        + ["data-buffer", "device-memory", "pinned-host-memory"] * inputs_and_outputs
    )
    before = len(leaks(acl))
    acl.rt.reset_device(1)
    acl.finalize()
    assert len(leaks(acl)) == before + 1
    assert rules(acl) == []


def test_memory_of_a_device_that_was_reset_is_gone() -> None:
    acl = machine()
    acl.rt.set_device(0)
    address, _ = acl.rt.malloc(64, 0)
    acl.rt.reset_device(0)
    acl.rt.set_device(0)
    assert acl.rt.free(address) == 107000
    assert leaks(acl) == ["device-memory"]
    assert rules(acl) == ["freed-twice"]


def test_a_stream_is_destroyed_after_its_work_was_waited_for(tmp_path: Path) -> None:
    opened = session(tmp_path)
    opened.start()
    assert opened.acl.rt.destroy_stream(opened.stream) == 0
    assert rules(opened.acl) == ["destroyed-in-flight"]


def test_the_time_of_events_is_known_once_they_were_recorded_and_waited_for(tmp_path: Path) -> None:
    opened = session(tmp_path)
    rt = opened.acl.rt
    start, end = rt.create_event()[0], rt.create_event()[0]
    assert rt.event_elapsed_time(start, end) == (0.0, 107006)
    assert rt.synchronize_event(end) == 107006
    rt.record_event(start, opened.stream)
    opened.start()
    rt.record_event(end, opened.stream)
    assert rt.event_elapsed_time(start, end) == (0.0, 107006)
    assert rt.synchronize_event(end) == 0
    assert rt.event_elapsed_time(start, end) == (20.0, 0)
    assert rules(opened.acl) == ["event-not-recorded"] * 2 + ["event-not-synchronised"]


def test_events_without_time_and_of_two_streams(tmp_path: Path) -> None:
    opened = session(tmp_path)
    rt = opened.acl.rt
    assert rt.create_event_with_flag(64) == (0, 100000)
    plain, timed = rt.create_event_with_flag(1)[0], rt.create_event()[0]
    rt.record_event(plain, opened.stream)
    rt.record_event(timed, 0)
    assert rt.event_elapsed_time(plain, timed) == (0.0, 107006)
    other = rt.create_event()[0]
    rt.record_event(other, opened.stream)
    assert rt.event_elapsed_time(timed, other)[1] == 0
    assert rules(opened.acl) == ["event-flag", "event-flag", "event-streams"]


def test_an_event_is_destroyed_where_it_was_made(tmp_path: Path) -> None:
    opened = session(tmp_path)
    event, _ = opened.acl.rt.create_event()
    opened.acl.rt.create_context(0)
    assert opened.acl.rt.destroy_event(event) == 0
    assert rules(opened.acl) == ["event-context"]


def test_waiting_with_a_limit_of_time(tmp_path: Path) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock, api="new")
    opened.start()
    wait = opened.acl.rt.synchronize_stream_with_timeout
    assert wait(opened.stream, 5) == 507046
    assert clock.at == 5_000_000
    assert wait(opened.stream, -1) == 0
    assert clock.at == 20_000_000
    finish(opened)


def test_waiting_for_the_device_waits_for_all_its_streams(tmp_path: Path) -> None:
    clock = double.Virtual()
    opened = session(tmp_path, clock)
    opened.start()
    assert opened.acl.rt.synchronize_device() == 0
    assert clock.at == 20_000_000
    opened.results()
    finish(opened)
