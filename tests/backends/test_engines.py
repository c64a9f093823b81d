"""The engines that run on any CPU, on real files, held to the kit."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import conformance, registry
from backends.base import BackendUnavailable, Device, Model, ModelMismatch, Precision, Session, TensorSpec
from tests.doubles.onnx_files import tiny_convnet

CPU = Device("cpu")
BATCH = 3
FLOAT = np.dtype(np.float32)


def torch_module() -> Any:
    """The network of `tiny_convnet` as an nn.Module."""
    import torch
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU())
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    module[0].weight = nn.Parameter(torch.from_numpy(weights))
    return module


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return Model(
        name="tiny",
        sha256="0" * 64,
        batch=BATCH,
        inputs=(TensorSpec("x", (BATCH, 3, 8, 8), FLOAT),),
        outputs=(TensorSpec("y", (BATCH, 4, 8, 8), FLOAT),),
        onnx=tiny_convnet(tmp_path / "tiny.onnx"),
        torch_module=torch_module,
    )


def feeds(seed: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    return {"x": np.random.default_rng(seed).normal(size=(BATCH, 3, 8, 8)).astype(np.float32)}


def expected(seed: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Convolution by its definition, in float64."""
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32).astype(np.float64)
    padded = np.pad(feeds(seed)["x"].astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((BATCH, 4, 8, 8))
    for row in range(3):
        for column in range(3):
            window = padded[:, :, row : row + 8, column : column + 8]
            out += np.einsum("bchw,oc->bohw", window, weights[:, :, row, column])
    return {"y": np.maximum(out, 0)}


def open_session(name: str, model: Model, precision: Precision = Precision.FP32, **options: str) -> Session:
    backend = registry.load(name)
    if not backend.probe().usable:
        pytest.skip(backend.probe().reason)
    values = registry.parse_options(backend, options)
    return backend.open(backend.prepare(model, precision, CPU, values), CPU, values)


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime", "openvino"])
def test_engine_passes_the_kit(name: str, model: Model) -> None:
    session = open_session(name, model)
    assert session.precision is Precision.FP32
    conformance.check_outputs(session, feeds(1), expected(1), tolerance=1e-4)
    conformance.check_inputs_matter(session, feeds(1), feeds(2))
    conformance.check_refuses(session, feeds(1))
    assert all(isinstance(value, str) and value for value in session.describe().values())
    conformance.check_closes(session, feeds(1))


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime", "openvino"])
def test_thread_count_is_explicit_and_recorded(name: str, model: Model) -> None:
    with open_session(name, model, threads="1") as session:
        assert session.describe()["threads"] == "1"


def test_pytorch_bf16_is_executed_and_outputs_stay_float32(model: Model) -> None:
    with open_session("pytorch", model, Precision.BF16) as session:
        assert session.precision is Precision.BF16
        outputs = conformance.infer(session, feeds(1))
        assert outputs["y"].dtype == np.float32
        error = float(np.abs(outputs["y"] - expected(1)["y"]).max())
        assert 1e-4 < error < 0.5, "bf16 has 8 bits: neither exact nor wrong"


def test_openvino_reports_the_precision_that_it_executes(model: Model) -> None:
    from openvino import Core

    has_bf16 = "BF16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    with open_session("openvino", model, Precision.BF16) as session:
        assert session.precision is (Precision.BF16 if has_bf16 else Precision.FP32)


def test_pytorch_compile_computes_the_same(model: Model) -> None:
    from shutil import which

    if which("g++") is None and which("c++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    with open_session("pytorch", model, compile="default") as session:
        assert session.describe()["compile"] == "default"
        conformance.check_outputs(session, feeds(1), expected(1), tolerance=1e-4)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_file_that_is_no_model_is_one_clear_line(name: str, model: Model, tmp_path: Path) -> None:
    import dataclasses

    path = tmp_path / "broken.onnx"
    path.write_bytes(b"this is no protobuf")
    with pytest.raises(ModelMismatch, match=r"broken\.onnx") as caught:
        open_session(name, dataclasses.replace(model, onnx=path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime", "openvino"])
def test_a_workload_without_the_needed_form_is_refused(name: str, model: Model) -> None:
    import dataclasses

    bare = dataclasses.replace(model, onnx=None, torch_module=None)
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


def test_cuda_visible_devices_masks_and_renumbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends import host

    for bus, name in (("0000:01:00.0", "Tesla T4"), ("0000:02:00.0", "NVIDIA H100")):
        folder = tmp_path / bus
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {name}\nIRQ: 1\n")
    monkeypatch.setattr(host, "Path", lambda text: tmp_path if "nvidia" in str(text) else Path(text))

    def cards(mask: str | None) -> list[str]:
        if mask is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
        return [f"{info.device} {info.card}" for info in host.nvidia_devices()]

    assert cards(None) == ["cuda:0 Tesla T4", "cuda:1 NVIDIA H100"]
    assert cards("1") == ["cuda:0 NVIDIA H100"]
    assert cards("1,0") == ["cuda:0 NVIDIA H100", "cuda:1 Tesla T4"]
    assert cards("") == []
    assert cards("-1") == []
