"""The kit: real engines and good doubles pass it, and each bad double fails the check that was made for it alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backends import registry
from backends.base import Capabilities, Device, DeviceError, TensorSpec
from backends.conformance import (
    ConformanceError,
    check_backend,
    check_device,
    check_refuses,
    check_waits,
    checks,
    tiny_case,
)
from tests.doubles import bad_backends as doubles
from tests.doubles import events, plugin
from tests.doubles.bad_backends import NPU, DoubleBackend, own_case
from tests.forked import ROOT, python_path

CPU = Device("cpu")


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    doubles.let_go()


def faults(backend: DoubleBackend) -> dict[str, str]:
    """Message of every check that fails."""
    return {result.name: result.message for result in check_backend(backend, own_case(), NPU) if not result.passed}


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_engine_passes_the_whole_kit(name: str, tmp_path: Path) -> None:
    backend = registry.load(name)
    availability = registry.probe(backend)
    if CPU not in [info.device for info in availability.devices]:
        pytest.skip(availability.reason or "no device here")
    results = check_backend(backend, tiny_case(tmp_path, CPU), CPU)
    assert [result for result in results if not result.passed] == []
    assert len(results) >= 12


@pytest.mark.parametrize("session", [doubles.GoodSession, doubles.AsynchronousSession])
def test_good_double_passes_with_a_model_of_its_own(session: type[doubles.GoodSession]) -> None:
    assert faults(DoubleBackend(session)) == {}


def test_another_precision_is_fine_when_the_session_says_so_and_its_results_agree() -> None:
    results = {result.name: result for result in check_backend(DoubleBackend(doubles.SaysHalf), own_case(), NPU)}
    assert all(result.passed for result in results.values())
    assert results["precision fp32"].message == "asked for fp32, executed fp16"


@pytest.mark.parametrize(
    ("session", "check", "words"),
    [
        (doubles.NoSynchronise, "waits", "synchronize returns before the work is done"),
        (doubles.WaitsForTheFirst, "waits", "synchronize returns before the work is done"),
        (doubles.DropsWork, "waits", "work is dropped"),
        (doubles.Stale, "inputs_matter", "stale"),
        (doubles.RemembersLast, "computes", "the input that lies on the device .* results are cached"),
        (doubles.RemembersAll, "computes", "results are cached"),
        (doubles.AnyDtype, "refuses", "another dtype was accepted"),
        (doubles.AnyShape, "refuses", "another shape of the same size was accepted"),
        (doubles.UndeclaredDtype, "outputs", "output y 64x1024 float32 came as .* float64"),
        (doubles.HandsOutItsBuffer, "inputs_matter", "copy_outputs must return copies"),
        (doubles.ReadsHostMemory, "host_memory", "those of the new contents: enqueue reads host memory"),
        (doubles.SilentHalf, "precision fp32", "says fp32.* executes a lower precision"),
        (doubles.SilentFull, "precision fp32", "says bf16.* executes a higher precision"),
        (doubles.Elsewhere, "device", "npu:0 was asked for and the session runs on cpu"),
        (doubles.PartlyElsewhere, "device", "3 of 10 nodes run on the CPU"),
        (doubles.NeverCloses, "closes", "still answers to enqueue"),
        (doubles.DescribesNothing, "describes", "empty"),
        (doubles.DescribesNumbers, "describes", "'threads': 4; keys and values must be strings"),
        (doubles.LeaksMemory, "leaks", r"24 times .* left [567]\.\d MiB of memory behind"),
        (doubles.LeaksFiles, "leaks", "left 24 open files behind"),
        (doubles.LeaksThreads, "leaks", "24 threads"),
    ],
)
def test_bad_double_fails_the_check_made_for_it_and_no_other(
    session: type[doubles.GoodSession], check: str, words: str
) -> None:
    found = faults(DoubleBackend(session))
    assert list(found) == [check], found
    assert re.search(words, found[check]), found[check]
    assert "\n" not in found[check]


def test_events_that_tell_the_device_s_time_pass() -> None:
    assert faults(events.EventBackend(events.WithEvents)) == {}


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (events.EventsAtOnce, "the events do not wait for what was enqueued"),
        (events.EventsInMicroseconds, "elapsed_ms is not in milliseconds"),
        (events.EventsOfNothing, "do not enclose it"),
    ],
)
def test_events_that_tell_something_else_are_found(session: type[doubles.GoodSession], words: str) -> None:
    found = faults(events.EventBackend(session))
    assert list(found) == ["device_events"]
    assert words in found["device_events"]


def test_events_are_declared_or_there_are_none() -> None:
    found = faults(events.EventBackend(events.WithEvents, declares=False))
    assert "does not declare" in found["device_events"]
    without = events.EventBackend(doubles.AsynchronousSession)
    told = {result.name: result for result in check_backend(without, own_case(), NPU)}["device_events"]
    assert (told.passed, told.message) == (True, "declared, but this session has none")


def test_a_fallback_is_fine_when_an_option_allows_it() -> None:
    session = doubles.PartlyElsewhere()
    with pytest.raises(ConformanceError, match="no option allowed that"):
        check_device(session, NPU)
    check_device(session, NPU, allow_fallback=True)
    backend = DoubleBackend(doubles.PartlyElsewhere)
    device = checks(backend, own_case(), NPU, options={"cpu_nodes": True})[0]
    assert (device.name, device.result().passed) == ("device", True)


def test_a_session_without_a_device_is_named() -> None:
    session = doubles.GoodSession()
    del session.device
    with pytest.raises(ConformanceError, match=r"set self\.device"):
        check_device(session, NPU)


def test_outputs_that_arrive_late_are_found_without_a_clock() -> None:
    with doubles.LateOutputs() as session, pytest.raises(ConformanceError, match="before the work is done"):
        check_waits(session, own_case().feeds(1), time.perf_counter_ns)


def test_a_session_may_keep_what_it_copied_for_a_second_copy() -> None:
    class KeepsCopies(doubles.GoodSession):
        """The first copy of an inference's outputs takes longer than two inferences, the next ones nothing."""

        _copied = False

        def enqueue(self) -> None:
            super().enqueue()
            self._copied = False

        def copy_outputs(self) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
            if not self._copied:
                time.sleep(0.008)
                self._copied = True
            return super().copy_outputs()

    with KeepsCopies() as session:
        check_waits(session, own_case().feeds(1), time.perf_counter_ns)


def test_scalars_and_integers_are_refused_in_the_wrong_form_too() -> None:
    class Session(doubles.GoodSession):
        """One scalar input, kept by nobody."""

        def __init__(self, dtype: str) -> None:
            super().__init__()
            self.inputs = (TensorSpec("n", (), np.dtype(dtype)),)

        def _copy_inputs(self, feeds: object) -> None:
            pass

    for dtype in ("int64", "uint8", "float64", "bool"):
        check_refuses(Session(dtype), {"n": np.zeros((), dtype)})


def test_whatever_a_backend_raises_costs_one_check_and_is_one_line() -> None:
    class CannotOpen(DoubleBackend):
        """Every session fails."""

        def open(self, *_: object) -> doubles.GoodSession:
            raise DeviceError("set_device failed:\n code 507033; see npu-smi info.")

    results = check_backend(CannotOpen(), own_case(), NPU)
    assert len(results) >= 12
    assert {(r.passed, r.message) for r in results} == {
        (False, "DeviceError: set_device failed: code 507033; see npu-smi info.")
    }


def test_a_backend_that_declares_nothing_is_told_so() -> None:
    class Nothing(DoubleBackend):
        """No precision on any device."""

        def capabilities(self, device: Device) -> Capabilities:
            return Capabilities(frozenset())

    (result,) = check_backend(Nothing(), own_case(), NPU)
    assert not result.passed
    assert "declares no precision on npu:0" in result.message


class KitCommand:
    """Runs `pytest --bench-backend` as a reader would, with the test doubles installed as plug-ins."""

    def __init__(self, folder: Path) -> None:
        self._environment = os.environ | {"PYTHONPATH": python_path(ROOT, plugin.install(folder))}

    def __call__(self, *arguments: str, code: int) -> str:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--bench-backend", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def kit(tmp_path: Path) -> KitCommand:
    return KitCommand(tmp_path)


def test_kit_from_the_command_line_passes_a_good_plugin(kit: KitCommand) -> None:
    assert "12 passed" in kit("double", code=0)


def test_kit_from_the_command_line_names_the_fault_of_a_bad_plugin_without_a_traceback(kit: KitCommand) -> None:
    out = kit("wrong", "--bench-device", "cpu", "-k", "outputs or device or precision", code=1)
    assert "2 failed, 2 passed" in out
    assert "output 'y' differs from the reference by" in out
    assert "wrong on cpu::outputs" in out
    assert "Traceback" not in out
    assert "conformance/results.py" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["duble"], "'duble' is not known; did you mean 'double'?"),
        (["nodevice"], "'nodevice' cannot be used here: its probe found no device"),
        (["double", "--bench-device", "npu:3"], "no device npu:3; it has cpu"),
    ],
)
def test_kit_from_the_command_line_says_in_a_line_why_it_cannot_run(
    kit: KitCommand, arguments: list[str], words: str
) -> None:
    out = kit(*arguments, code=4)
    errors = [line for line in out.splitlines() if line.startswith("ERROR: ")]
    assert len(errors) == 1, out
    assert re.search(words, errors[0]), out
    assert "Traceback" not in out


def test_kits_network_is_the_same_in_every_form(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from onnx.reference import ReferenceEvaluator

    case = tiny_case(tmp_path, CPU)
    feeds = case.feeds(3)
    expected = case.reference(feeds)["y"]
    assert expected.dtype == np.float64
    assert expected.shape == case.model.outputs[0].shape
    (by_onnx,) = ReferenceEvaluator(str(case.model.onnx)).run(["y"], dict(feeds))
    assert case.model.torch_module is not None
    with torch.inference_mode():
        by_torch = case.model.torch_module()(torch.from_numpy(feeds["x"])).numpy()
    np.testing.assert_allclose(by_onnx, expected, atol=1e-4)
    np.testing.assert_allclose(by_torch, expected, atol=1e-4)
    assert not np.array_equal(feeds["x"], case.feeds(4)["x"])
