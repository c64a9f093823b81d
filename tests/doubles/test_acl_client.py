"""A client that keeps the rules: nothing is found against it, and the numbers are ONNX Runtime's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from tests.doubles import acl as double
from tests.doubles.careful_acl_client import TIME_LINE, Session
from tests.doubles.onnx_files import tiny_convnet

# The versions in between warn at every pointer of numpy's.
pytestmark = pytest.mark.filterwarnings("ignore:acl.util")


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """relu(conv(x)), any batch."""
    return tiny_convnet(tmp_path_factory.mktemp("onnx") / "tiny.onnx")


def reference(onnx_file: Path, x: NDArray[Any]) -> NDArray[Any]:
    """What the graph says."""
    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x})
    return np.asarray(y)


def images(batch: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(batch, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["execute", "execute_async"])
@pytest.mark.parametrize("batches", [(4,), (1, 4, 8)], ids=["static", "dynamic"])
@pytest.mark.parametrize("api", ["old", "new", "both"])
def test_a_careful_client_breaks_no_rule_leaks_nothing_and_gets_the_right_numbers(
    tmp_path: Path, onnx_file: Path, api: Any, batches: tuple[int, ...], asynchronous: bool
) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, batches, precision="fp32")
    acl = double.build(double.Config(api=api, base_ms=1, image_ms=1), double.Virtual())
    assert acl.init() == 0
    session = Session(acl, om, batch=4 if len(batches) > 1 else None, asynchronous=asynchronous)
    for seed in range(3):
        session.feed({"x": images(4, seed)})
        session.run()
        np.testing.assert_array_equal(session.results()["y"], reference(onnx_file, images(4, seed)))
    session.close()
    assert acl.finalize() == 0
    assert double.faults_found(acl.state.journal.entries) == []
    assert acl.state.calls["mdl.execute_async" if asynchronous else "mdl.execute"] == 3
    assert acl.state.device.used == [0, 0, 0, 0]


def test_old_pyacl_without_the_newer_functions_is_enough(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,), precision="fp32")
    without = ("get_recent_err_msg", "mdl.get_cur_output_dims", "acl.rt.create_event")
    acl = double.build(double.Config(api="old", without=without))
    assert not {"bytes_to_ptr", "ptr_to_bytes"} & set(dir(acl.util))
    assert not hasattr(acl, "get_recent_err_msg")
    assert not hasattr(acl.mdl, "get_cur_output_dims")
    assert not hasattr(acl.rt, "create_event")
    assert hasattr(acl.rt, "create_event_with_flag")
    assert not hasattr(acl.rt, "synchronize_stream_with_timeout")
    acl.init()
    session = Session(acl, om)
    session.feed({"x": images(2)})
    session.run()
    np.testing.assert_array_equal(session.results()["y"], reference(onnx_file, images(2)))
    session.close()
    acl.finalize()
    assert double.faults_found(acl.state.journal.entries) == []


def test_four_chips_on_four_threads(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,), precision="fp32")
    acl = double.build(double.Config(base_ms=1))
    acl.init()
    found: dict[int, NDArray[Any]] = {}

    def work(chip: int) -> None:
        session = Session(acl, om, chip=chip)
        session.feed({"x": images(2, chip)})
        for _ in range(5):
            session.run()
        found[chip] = session.results()["y"]
        session.close()

    threads = [threading.Thread(target=work, args=(chip,)) for chip in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    acl.finalize()
    assert double.faults_found(acl.state.journal.entries) == []
    for chip in range(4):
        np.testing.assert_array_equal(found[chip], reference(onnx_file, images(2, chip)))


def test_gears_can_be_changed_between_executions(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (1, 4, 8), precision="fp32")
    clock = double.Virtual()
    acl = double.build(double.Config(base_ms=1, image_ms=2), clock)
    acl.init()
    for batch in (8, 1, 4):
        session = Session(acl, om, batch=batch)
        session.feed({"x": images(batch)})
        before = clock.at
        session.run()
        assert clock.at - before == (1 + 2 * batch) * 1_000_000
        np.testing.assert_array_equal(session.results()["y"], reference(onnx_file, images(batch)))
        session.close()
    acl.finalize()
    assert double.faults_found(acl.state.journal.entries) == []


def test_a_copy_queued_before_and_after_an_execution_keeps_its_order(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,), precision="fp32")
    clock = double.Virtual()
    acl = double.build(double.Config(base_ms=20, copy_ms=5), clock)
    acl.init()
    session = Session(acl, om)
    (x,), (y,) = session.inputs, session.outputs
    acl.util.ptr_to_numpy(x.pinned, x.shape, 11)[...] = images(2)
    assert acl.rt.memcpy_async(x.on_device, x.size, x.pinned, x.size, 1, session.stream) == 0
    session.start()
    assert acl.rt.memcpy_async(y.pinned, y.size, y.on_device, y.size, 2, session.stream) == 0
    assert clock.at == 0
    session.wait()
    assert clock.at == 30_000_000
    view = acl.util.ptr_to_numpy(y.pinned, y.shape, 11)
    np.testing.assert_array_equal(view, reference(onnx_file, images(2)))
    session.close()
    acl.finalize()
    assert double.faults_found(acl.state.journal.entries) == []


def test_events_measure_the_time_of_the_device(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,))
    clock = double.Virtual()
    acl = double.build(double.Config(base_ms=20), clock)
    acl.init()
    session = Session(acl, om)
    session.feed({"x": images(2)})
    start, _ = acl.rt.create_event_with_flag(TIME_LINE)
    end, _ = acl.rt.create_event()
    assert acl.rt.record_event(start, session.stream) == 0
    session.start()
    session.start()
    assert acl.rt.record_event(end, session.stream) == 0
    assert acl.rt.query_event_status(end) == (0, 0)
    clock.advance(7)
    session.wait()
    assert acl.rt.event_elapsed_time(start, end) == (40.0, 0)
    assert acl.rt.query_event_status(end) == (1, 0)
    assert acl.rt.synchronize_event(end) == 0
    assert clock.at == 40_000_000
    for event in (start, end):
        assert acl.rt.destroy_event(event) == 0
    session.close()
    acl.finalize()
    assert double.faults_found(acl.state.journal.entries) == []


def test_half_precision_differs_a_little_and_the_same_every_time(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,), precision="fp16")
    acl = double.build()
    acl.init()
    session = Session(acl, om)
    session.feed({"x": images(2)})
    session.run()
    first = session.results()["y"]
    session.run()
    exact = reference(onnx_file, images(2))
    np.testing.assert_array_equal(session.results()["y"], first)
    assert not np.array_equal(first, exact)
    np.testing.assert_allclose(first, exact, atol=1e-2)
    session.close()


def test_types_and_formats_at_the_interface_are_converted(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(
        tmp_path / "tiny.om",
        onnx_file,
        (2,),
        precision="fp32",
        dtypes={"x": "uint8", "y": "float16"},
        formats={"x": "NHWC"},
    )
    acl = double.build()
    acl.init()
    session = Session(acl, om)
    (x,), (y,) = session.inputs, session.outputs
    assert (x.shape, x.dtype, x.size) == ((2, 8, 8, 3), np.uint8, 2 * 8 * 8 * 3)
    assert (y.shape, y.dtype) == ((2, 4, 8, 8), np.float16)
    assert acl.mdl.get_input_format(session.description, 0) == 1
    assert acl.mdl.get_output_format(session.description, 0) == 0
    pixels = np.random.default_rng(0).integers(0, 5, (2, 8, 8, 3), np.uint8)
    session.feed({"x": pixels})
    session.run()
    exact = reference(onnx_file, pixels.transpose(0, 3, 1, 2).astype(np.float32))
    np.testing.assert_array_equal(session.results()["y"], exact.astype(np.float16))
    session.close()


def test_integer_outputs_are_rounded_and_kept_in_range(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,), precision="fp32", dtypes={"y": "int8"})
    acl = double.build()
    acl.init()
    session = Session(acl, om)
    session.feed({"x": images(2) * 100})
    session.run()
    exact = reference(onnx_file, images(2) * 100)
    assert exact.max() > 127
    np.testing.assert_array_equal(session.results()["y"], np.clip(np.rint(exact), -128, 127).astype(np.int8))
    session.close()


def test_equal_inputs_are_computed_once_and_unread_results_never(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,))
    acl = double.build()
    acl.init()
    session = Session(acl, om)
    engine = acl.state.models.handles.alive[0].engine
    for seed in (0, 1, 0, 1):
        session.feed({"x": images(2, seed)})
        session.run()
    assert engine.computed == 0
    for seed in (0, 1, 0, 1):
        session.feed({"x": images(2, seed)})
        session.run()
        session.results()
    assert engine.computed == 2
    session.close()


def test_other_threads_go_on_while_results_are_computed(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,))
    acl = double.build()
    acl.init()
    session = Session(acl, om)
    engine = acl.state.models.handles.alive[0].engine
    compute, computing, go_on = engine._compute, threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        computing.set()
        go_on.wait()
        return compute(*given)

    engine._compute = slow
    session.feed({"x": images(2)})
    session.run()

    def fetch() -> None:
        acl.rt.set_context(session.context)
        session.results()

    thread = threading.Thread(target=fetch)
    thread.start()
    computing.wait()
    session.run()
    go_on.set()
    thread.join()
    session.close()
    acl.finalize()
    assert double.faults_found(acl.state.journal.entries) == []


def test_models_of_one_process_have_small_ids_and_share_nothing(tmp_path: Path, onnx_file: Path) -> None:
    om = double.write_om(tmp_path / "tiny.om", onnx_file, (2,), precision="fp32")
    acl = double.build()
    acl.init()
    sessions = [Session(acl, om, chip=chip) for chip in (0, 1)]
    assert [session.model for session in sessions] == [1, 2]
    for seed, session in enumerate(sessions):
        acl.rt.set_context(session.context)
        session.feed({"x": images(2, seed)})
        session.run()
    for seed, session in enumerate(sessions):
        acl.rt.set_context(session.context)
        np.testing.assert_array_equal(session.results()["y"], reference(onnx_file, images(2, seed)))
        session.close()
    acl.finalize()
    assert double.faults_found(acl.state.journal.entries) == []
