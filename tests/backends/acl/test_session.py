"""A session on the double, over the whole matrix: right outputs, no rule broken, nothing left behind."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from backends.acl import diagnosis
from backends.base import BackendError, Device, DeviceError, Scope, Session
from bench import timing
from bench.device_time import device_times
from tests.backends.acl.machines import Simulated, compiled, machine
from tests.backends.tiny import feeds, reference, tiny_model
from tests.doubles.acl import Config, Fault

#: Those that are no business of one chip, or happen before one is chosen.
CHIPS_OWN = [name for name in diagnosis.USED if name not in ("init", "finalize")]
MATRIX = list(product(("async", "sync"), ("static", "dynamic"), ("old", "new", "both")))


def infer(session: Session, given: dict[str, np.ndarray]) -> np.ndarray:  # type: ignore[type-arg]
    session.copy_inputs(given)
    session.enqueue()
    session.synchronize()
    return session.copy_outputs()["y"]


@pytest.mark.parametrize(("mode", "batch", "api"), MATRIX)
@pytest.mark.parametrize("size", [1, 4, 8])
def test_outputs_are_right_in_every_mode(tmp_path: Path, mode: str, batch: str, api: str, size: int) -> None:
    model = tiny_model(tmp_path, size, compiled(tmp_path))
    with (
        machine(api=api, base_ms=1.0) as here,
        here.open(model, None, Device("npu", 2), mode=mode, batch=batch) as session,
    ):
        assert session.device == Device("npu", 2)
        for seed in (1, 2):
            given = feeds(seed, size)
            assert np.allclose(infer(session, given), reference(model, given), atol=0.02)


@pytest.mark.parametrize(("mode", "batch", "api"), MATRIX)
def test_four_chips_at_once_each_with_a_session_of_its_own(tmp_path: Path, mode: str, batch: str, api: str) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    with machine(api=api, base_ms=1.0) as here:
        sessions = [here.open(model, None, Device("npu", chip), mode=mode, batch=batch) for chip in (0, 1, 2, 3, 3)]
        for seed, session in enumerate(sessions):
            session.copy_inputs(feeds(seed))
            session.enqueue()
        for seed, session in reversed(list(enumerate(sessions))):
            session.synchronize()
            assert np.allclose(session.copy_outputs()["y"], reference(model, feeds(seed)), atol=0.02)
        for session in sessions:
            session.close()


@pytest.mark.parametrize(("mode", "batch", "api"), MATRIX)
@pytest.mark.parametrize("call", diagnosis.USED)
def test_whatever_call_fails_it_is_one_clear_line_and_everything_is_given_back(
    tmp_path: Path, call: str, mode: str, batch: str, api: str
) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    fault = Fault(call=call, nth=1, code=507899, message="the driver lost the chip")
    with machine(api=api, faults=(fault,)) as here:
        if not _is_called(call, mode, batch):
            with here.open(model, mode=mode, batch=batch) as session:
                infer(session, feeds(1))
            return
        with pytest.raises(BackendError) as caught, here.open(model, mode=mode, batch=batch) as session:
            infer(session, feeds(1))
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert f"acl.{call}" in text or "tiny_" in text
    if "507899" in text:
        assert "internal error of the driver" in text
        assert "the driver lost the chip" in text


@pytest.mark.parametrize("call", ["mdl.load_from_file", "rt.synchronize_stream"])
def test_on_a_chip_that_is_lost_the_first_error_is_told_and_not_those_of_giving_back(tmp_path: Path, call: str) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    lost = tuple(
        Fault(call=name, code=507899)
        for name in ("mdl.unload", "rt.free", "rt.destroy_stream", "rt.destroy_context", "rt.reset_device")
    )
    here = Simulated(Config(faults=(Fault(call=call, code=507011), *lost)))
    with pytest.raises(DeviceError, match=f"acl.{call} failed with 507011"), here.open(model) as session:
        infer(session, feeds(1))


def test_what_fails_when_all_is_given_back_is_told_and_the_rest_is_given_back_too(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    with machine(faults=(Fault(call="rt.destroy_stream", code=507899),)) as here:
        session = here.open(model)
        infer(session, feeds(1))
        with pytest.raises(DeviceError, match=r"acl.rt.destroy_stream failed with 507899"):
            session.close()


@pytest.mark.parametrize("name", ["record_event", "event_elapsed_time", "destroy_event"])
def test_a_pyacl_without_events_measures_without_them(tmp_path: Path, name: str) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    with machine(base_ms=1.0) as here:
        delattr(here.module.rt, name)
        with here.open(model) as session:
            infer(session, feeds(1))
            assert session.device_event() is None


@pytest.mark.parametrize("call", ["rt.create_event_with_flag", "rt.record_event", "rt.event_elapsed_time"])
def test_events_that_fail_are_told_in_one_line(tmp_path: Path, call: str) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    with machine(faults=(Fault(call=call, code=207000),)) as here, here.open(model) as session:
        session.copy_inputs(feeds(1))
        with pytest.raises(DeviceError, match=f"acl.{call} failed with 207000"):
            device_times(session, here.time.now)
        session.synchronize()


@pytest.mark.parametrize(("mode", "batch"), [("async", "static"), ("sync", "dynamic")])
@pytest.mark.parametrize("call", diagnosis.USED)
def test_a_fault_of_one_chip_leaves_the_three_others_at_work(tmp_path: Path, call: str, mode: str, batch: str) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    failed = 0
    with machine(faults=(Fault(call=call, code=507899, chip=2),)) as here:
        for chip in range(4):
            try:
                with here.open(model, None, Device("npu", chip), mode=mode, batch=batch) as session:
                    assert np.allclose(infer(session, feeds(chip)), reference(model, feeds(chip)), atol=0.02)
            except BackendError:
                assert chip == 2
                failed += 1
    assert failed == (call in CHIPS_OWN and _is_called(call, mode, batch))


def _is_called(call: str, mode: str, batch: str) -> bool:
    """Whether that session calls it at all. `finalize` is the process's end, whose failure harms nobody."""
    if call in ("finalize", "rt.set_context"):
        return False
    if call in ("mdl.execute", "mdl.execute_async", "rt.synchronize_stream"):
        return (mode == "sync") == (call == "mdl.execute")
    return batch == "dynamic" or call not in ("mdl.set_dynamic_batch_size", "mdl.get_input_index_by_name")


def test_the_third_execution_that_fails_is_told_by_the_synchronise_after_it(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    with machine(faults=(Fault(call="mdl.execute_async", nth=3, code=507011),)) as here, here.open(model) as session:
        for _ in range(2):
            infer(session, feeds(1))
        with pytest.raises(DeviceError, match=r"507011 \(the model failed while it ran\)"):
            infer(session, feeds(1))


def test_out_of_device_memory_names_the_call_and_leaves_nothing(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 8, compiled(tmp_path))
    with machine(memory_bytes=20_000) as here, pytest.raises(DeviceError, match="out of device memory"):
        here.open(model)


def test_outputs_before_any_inference_are_refused(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    with machine() as here, here.open(model) as session, pytest.raises(DeviceError, match="no outputs yet"):
        session.copy_outputs()


def test_inputs_and_outputs_wait_for_an_inference_under_way(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 4, compiled(tmp_path))
    with machine(base_ms=5.0) as here, here.open(model) as session:
        session.copy_inputs(feeds(1))
        session.enqueue()
        session.copy_inputs(feeds(2))
        session.enqueue()
        assert np.allclose(session.copy_outputs()["y"], reference(model, feeds(2)), atol=0.02)


@pytest.mark.parametrize("mode", ["async", "sync"])
@pytest.mark.parametrize(("batch", "size"), [("static", 1), ("static", 8), ("dynamic", 4)])
def test_the_loop_measures_what_the_chip_takes_and_copies_only_where_they_belong(
    tmp_path: Path, mode: str, batch: str, size: int
) -> None:
    model = tiny_model(tmp_path, size, compiled(tmp_path))
    with machine(base_ms=3.0, image_ms=2.0, copy_ms=5.0) as here:
        for scope, expected in ((Scope.COMPUTE, 3.0 + 2.0 * size), (Scope.END_TO_END, 3.0 + 2.0 * size + 10.0)):
            with here.open(model, mode=mode, batch=batch) as session:
                durations = _measured(here, session, scope, size)
            assert set(durations) == {round(expected * 1e6)}


def _measured(here: Simulated, session: Session, scope: Scope, size: int) -> list[int]:
    """Samples of the loop in ns, on a clock that stands still but for the chip."""
    batches = [feeds(seed, size) for seed in range(8)]
    session.copy_inputs(batches[0])
    issue, complete = timing.compose(session, scope, batches)
    stamps = timing.Stamps(1000)
    timing.run_block(issue, complete, here.time.now, stamps, until_ns=here.time.now() + 100_000_000)
    return stamps.durations_ns()
