"""What the engines that run on any CPU do beyond the kit (tests/backends/test_conformance.py), on real files."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends import conformance, registry
from backends.base import BackendUnavailable, Device, DeviceError, Model, ModelMismatch, Precision, Session
from backends.conformance import Case

CPU = Device("cpu")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return conformance.tiny_case(tmp_path, CPU)


@pytest.fixture
def model(case: Case) -> Model:
    return case.model


def open_session(name: str, model: Model, precision: Precision = Precision.FP32, **options: str) -> Session:
    backend = registry.load(name)
    if not backend.probe().usable:
        pytest.skip(backend.probe().reason)
    values = registry.parse_options(backend, options)
    return backend.open(backend.prepare(model, precision, CPU, values), CPU, values)


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime", "openvino"])
def test_thread_count_is_explicit_and_recorded(name: str, model: Model) -> None:
    with open_session(name, model, threads="1") as session:
        assert session.describe()["threads"] == "1"


def test_pytorch_bf16_is_executed_and_outputs_stay_float32(case: Case) -> None:
    feeds = case.feeds(1)
    with open_session("pytorch", case.model, Precision.BF16) as session:
        assert session.precision is Precision.BF16
        assert conformance.infer(session, feeds)["y"].dtype == np.float32
        conformance.check_precision(session, feeds, case.reference(feeds))


def test_openvino_reports_the_precision_that_it_executes(model: Model) -> None:
    from openvino import Core

    has_bf16 = "BF16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    with open_session("openvino", model, Precision.BF16) as session:
        assert session.precision is (Precision.BF16 if has_bf16 else Precision.FP32)


def test_pytorch_compile_computes_the_same(case: Case) -> None:
    from shutil import which

    if which("g++") is None and which("c++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    feeds = case.feeds(1)
    with open_session("pytorch", case.model, compile="default") as session:
        assert session.describe()["compile"] == "default"
        conformance.check_outputs(session, feeds, case.reference(feeds), tolerance=1e-4)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_file_that_is_no_model_is_one_clear_line(name: str, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"this is no protobuf")
    with pytest.raises(ModelMismatch, match=r"broken\.onnx") as caught:
        open_session(name, replace(model, onnx=path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime", "openvino"])
def test_a_workload_without_the_needed_form_is_refused(name: str, model: Model) -> None:
    bare = replace(model, onnx=None, torch_module=None)
    with pytest.raises(ModelMismatch, match="none"):
        open_session(name, bare)


def test_onnxruntime_never_falls_back_to_the_cpu(model: Model) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine's ONNX Runtime has CUDA")
    backend = registry.load("onnxruntime")
    values = registry.parse_options(backend, {})
    cuda = Device("cuda", 0)
    with pytest.raises(BackendUnavailable, match="has no CUDAExecutionProvider"):
        backend.open(backend.prepare(model, Precision.FP32, cuda, values), cuda, values)


@pytest.mark.parametrize(
    ("cpu_nodes", "words"), [("false", "would run nodes of .* on the CPU"), ("true", "fell back from CUDAExecution")]
)
def test_onnxruntime_session_that_fell_back_is_an_error(
    model: Model, monkeypatch: pytest.MonkeyPatch, cpu_nodes: str, words: str
) -> None:
    """The runtime lists the provider but cannot load its libraries: left alone, it gives a CPU session."""
    import onnxruntime

    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    backend = registry.load("onnxruntime")
    values = registry.parse_options(backend, {"cpu_nodes": cpu_nodes})
    cuda = Device("cuda", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the provider is missing is said again, and better, by the error
        with pytest.raises(BackendUnavailable, match=words):
            backend.open(backend.prepare(model, Precision.FP32, cuda, values), cuda, values)


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime", "openvino"])
def test_device_is_read_back_and_nothing_runs_elsewhere(name: str, model: Model) -> None:
    with open_session(name, model) as session:
        assert (session.device, session.fallback) == (CPU, "")


def test_openvino_that_executes_elsewhere_is_an_error(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends import openvino

    real = openvino._OpenVinoSession._property
    monkeypatch.setattr(
        openvino._OpenVinoSession,
        "_property",
        lambda self, name: ["GPU.0"] if name == "EXECUTION_DEVICES" else real(self, name),
    )
    with pytest.raises(DeviceError, match=r"executes on GPU\.0 though it was asked for the CPU"):
        open_session("openvino", model)


def test_onnxruntime_says_where_it_runs_by_the_provider_in_force() -> None:
    from backends.onnxruntime.session import OrtSession

    class OnTheSecondCard:
        """As ONNX Runtime answers on CUDA, by its documentation."""

        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

        def get_provider_options(self) -> dict[str, dict[str, str]]:
            return {"CUDAExecutionProvider": {"device_id": "1"}, "CPUExecutionProvider": {}}

    session = object.__new__(OrtSession)
    session._session = OnTheSecondCard()
    assert session._device_in_force() == Device("cuda", 1)


def test_acl_without_cann_says_what_to_do() -> None:
    availability = registry.load("acl").probe()
    assert not availability.usable
    for words in ("CANN is not installed", "set_env.sh", "pyacl is an unrelated"):
        assert words in availability.reason


def test_acl_is_not_taken_in_by_an_unrelated_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acl.py").write_text("raise SystemExit('must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "set_env.sh" in registry.load("acl").probe().reason


def test_tensorrt_without_its_wheels_says_where_they_come_from() -> None:
    availability = registry.load("tensorrt").probe()
    assert not availability.usable
    assert "not installed" in availability.reason or "driver" in availability.reason
    assert "NVIDIA" in availability.reason
