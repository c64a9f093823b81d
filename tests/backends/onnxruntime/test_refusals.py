"""What ONNX Runtime passes over in silence is an error here, one line that says what to do."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from backends.base import (
    BackendError,
    BackendUnavailable,
    ConversionError,
    Device,
    DeviceError,
    ModelMismatch,
    OptionValue,
    Precision,
)
from tests.backends.onnxruntime.machines import T4, machine
from tests.backends.tiny import tiny_model
from tests.doubles.cuda import Config as Machine
from tests.doubles.onnxruntime_gpu import CPU, CUDA, TENSORRT


def refused(
    kind: type[BackendError], folder: Path, precision: Precision = Precision.FP32, *, device: str = "cuda",
    model: dict[str, Any] | None = None, options: dict[str, OptionValue] | None = None, **machine_has: Any,
) -> str:  # fmt: skip
    """The message, once nothing is left behind."""
    with machine(**machine_has) as here, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the vendor's, of a provider that is not there
        with pytest.raises(kind) as caught:
            here.open(tiny_model(folder, **(model or {})), precision, Device.parse(device), **(options or {}))
        message = str(caught.value)
        del caught
    assert "\n" not in message
    assert message.endswith((".", ")."))
    return message


def test_a_build_without_the_provider(tmp_path: Path) -> None:
    assert "has no CUDAExecutionProvider" in refused(BackendUnavailable, tmp_path, providers=(CPU,))
    message = refused(
        BackendUnavailable, tmp_path, Precision.TF32, providers=(CUDA, CPU), options={"provider": "tensorrt"}
    )
    assert "has no TensorrtExecutionProvider (it has CUDAExecutionProvider, CPUExecutionProvider)" in message


@pytest.mark.parametrize(
    ("cpu_nodes", "words"), [(False, "would run nodes of .* on the CPU"), (True, "fell back from CUDAExecution")]
)
def test_a_provider_that_is_dropped_for_lack_of_a_library(tmp_path: Path, cpu_nodes: bool, words: str) -> None:
    message = refused(
        BackendUnavailable, tmp_path, broken=frozenset({CUDA}), options={"cpu_nodes": cpu_nodes}
    )  # fmt: skip
    assert re.search(words, message)
    assert "CUDA and cuDNN" in message


def test_tensorrt_that_does_not_load_is_not_replaced_by_cuda(tmp_path: Path) -> None:
    message = refused(
        BackendUnavailable, tmp_path, Precision.TF32, broken=frozenset({TENSORRT}), options={"provider": "tensorrt"}
    )
    assert message.startswith("onnxruntime cannot load TensorrtExecutionProvider")


def test_cuda_that_does_not_load_is_missed_below_tensorrt(tmp_path: Path) -> None:
    message = refused(
        BackendUnavailable, tmp_path, Precision.TF32, broken=frozenset({CUDA}), options={"provider": "tensorrt"}
    )
    assert message.startswith("onnxruntime fell back from CUDAExecutionProvider to TensorrtExecutionProvider")


@pytest.mark.parametrize("option", ["use_tf32", "cudnn_conv_algo_search", "user_compute_stream"])
def test_an_option_that_is_accepted_and_not_taken(tmp_path: Path, option: str) -> None:
    options: dict[str, OptionValue] = {"conv_search": "heuristic"}
    message = refused(BackendUnavailable, tmp_path, ignored=frozenset({option}), options=options)
    assert f"did not take {option}=" in message
    gone = frozenset({option})
    assert "knows no" in refused(BackendUnavailable, tmp_path, ignored=gone, unknown=gone, options=options)


def test_an_option_that_this_version_does_not_know(tmp_path: Path) -> None:
    message = refused(BackendUnavailable, tmp_path, unknown=frozenset({"use_tf32"}))
    assert 'does not take an option (Unknown provider option: "use_tf32")' in message


@pytest.mark.parametrize("cuda_api", ["auto", "none"])
def test_a_device_that_is_not_there(tmp_path: Path, cuda_api: str) -> None:
    message = refused(BackendUnavailable, tmp_path, device="cuda:3", options={"cuda_api": cuda_api})
    assert ("there is no cuda:3" if cuda_api == "auto" else "finds no cuda:3 (Invalid device ID: 3") in message
    assert "CUDA_VISIBLE_DEVICES" in message


def test_nodes_that_would_run_on_the_cpu(tmp_path: Path) -> None:
    message = refused(BackendUnavailable, tmp_path, lacks={CUDA: frozenset({"Relu"})})
    assert "would run nodes of" in message
    assert message.endswith("onnxruntime:cpu_nodes=true.")


def test_a_graph_that_cannot_be_captured_is_no_run_without_one(tmp_path: Path) -> None:
    message = refused(DeviceError, tmp_path, captures=False, options={"graph": True})
    assert message.startswith("tiny.onnx cannot run as a CUDA graph (CUDA failure 900")
    assert message.endswith("leave out graph=true.")
    half = refused(DeviceError, tmp_path, Precision.FP16, captures=False, options={"graph": True})
    assert re.match(r"tiny\.onnx \(converted: /\S+\.onnx\) cannot run as a CUDA graph", half)
    on_cpu = {"graph": True, "cpu_nodes": True}
    assert "CUDA graph" in refused(DeviceError, tmp_path, lacks={CUDA: frozenset({"Relu"})}, options=on_cpu)
    on_cuda: dict[str, OptionValue] = {"graph": True, "provider": "tensorrt"}
    lacks = {TENSORRT: frozenset({"Relu"})}
    assert "CUDA graph" in refused(DeviceError, tmp_path, Precision.TF32, lacks=lacks, options=on_cuda)


def test_tensorrt_that_takes_no_node_at_all(tmp_path: Path) -> None:
    lacks = {TENSORRT: frozenset({"Relu", "Conv"})}
    message = refused(
        BackendUnavailable, tmp_path, Precision.TF32, lacks=lacks, options={"provider": "tensorrt"}
    )  # fmt: skip
    assert "took no node of this model: all of it would run on CUDA" in message


def test_fp32_from_tensorrt_on_a_card_with_tf32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    options: dict[str, OptionValue] = {"provider": "tensorrt"}
    message = refused(BackendUnavailable, tmp_path, options=options)
    for way in ("--precision tf32", "NVIDIA_TF32_OVERRIDE=0", "backend tensorrt"):
        assert way in message
    assert message == refused(BackendUnavailable, tmp_path, options=options, cuda_modules=())  # nothing tells the card
    with machine(T4) as here, here.open(tiny_model(tmp_path), **options) as session:
        assert session.precision is Precision.FP32
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with machine(override="0") as here, here.open(tiny_model(tmp_path), **options) as session:
        assert session.describe()["NVIDIA_TF32_OVERRIDE"] == "0"
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    assert "unset it" in refused(BackendUnavailable, tmp_path)


@pytest.mark.parametrize("native", [Precision.FP16, Precision.INT8])
@pytest.mark.parametrize("asked", [Precision.FP32, Precision.TF32])
def test_a_file_of_another_precision(tmp_path: Path, native: Precision, asked: Precision) -> None:
    message = refused(ModelMismatch, tmp_path, asked, model={"precision": native})
    assert f"computes in {native} itself" in message
    assert f"--precision {native}" in message


def test_int8_where_it_would_be_computed_in_fp32(tmp_path: Path) -> None:
    message = refused(BackendUnavailable, tmp_path, Precision.INT8, model={"precision": Precision.INT8})
    assert "no int8 convolutions" in message
    assert "no quantisation" in refused(ModelMismatch, tmp_path, Precision.INT8)


def test_no_cache_where_one_is_needed(tmp_path: Path) -> None:
    assert "--cache" in refused(ModelMismatch, tmp_path, Precision.FP16, model={"cache": None})
    options: dict[str, OptionValue] = {"provider": "tensorrt"}
    assert "--cache" in refused(ModelMismatch, tmp_path, Precision.TF32, model={"cache": None}, options=options)
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert "--cache" in refused(ConversionError, tmp_path, Precision.TF32, options=options)


@pytest.mark.parametrize(
    ("device", "options", "words"),
    [
        ("cpu", {"provider": "cuda"}, "does not run on cpu"),
        ("cpu", {"provider": "tensorrt"}, "does not run on cpu"),
        ("cuda", {"provider": "cpu"}, "does not run on cuda:0"),
        ("cpu", {"graph": True}, "graph=true is for CUDA"),
        ("npu", {}, "has no provider for npu:0"),
    ],
)
def test_options_that_do_not_go_with_the_device(
    tmp_path: Path, device: str, options: dict[str, OptionValue], words: str
) -> None:
    assert words in refused(BackendUnavailable, tmp_path, device=device, options=options)


def test_a_driver_that_is_missing_where_its_module_was_asked_for(tmp_path: Path) -> None:
    gone = Machine(driver_version=0)
    assert "driver" in refused(BackendUnavailable, tmp_path, machine=gone, options={"cuda_api": "cuda-bindings"})
    assert "not installed" in refused(
        BackendUnavailable, tmp_path, cuda_modules=("pycuda",), options={"cuda_api": "cuda-bindings"}
    )
