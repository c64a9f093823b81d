"""The installed ONNX Runtime on the CPU, and its words for what went wrong on a GPU."""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from backends import nvidia, registry
from backends.base import (
    BackendError,
    BackendUnavailable,
    ConversionError,
    Device,
    DeviceError,
    DeviceInfo,
    Model,
    ModelMismatch,
    Precision,
    Session,
    TensorSpec,
)
from backends.onnxruntime.card import Card, card_of
from backends.onnxruntime.engines import EngineFolder
from backends.onnxruntime.failures import Scene, explained, missing_library, not_loaded
from backends.onnxruntime.loading import open_sizes, run_options
from backends.onnxruntime.providers import CUDA, TENSORRT, Settings, Wish, check_taken
from tests.backends.onnxruntime.machines import Simulated
from tests.backends.tiny import FLOAT, feeds, infer, reference, tiny_model
from tests.doubles.fake_pynvml import FakeNvml
from tests.doubles.onnx_files import save_graph
from tests.doubles.onnxruntime_gpu import Config, vendor

HOST, GPU = Device("cpu"), Device("cuda", 0)


def open_real(model: Model, **options: str) -> Session:
    backend = registry.load("onnxruntime")
    values = registry.parse_options(backend, options)
    return backend.open(backend.prepare(model, Precision.FP32, HOST, values), HOST, values)


def test_on_the_cpu_every_node_is_told_and_nothing_of_a_gpu(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with open_real(model, optimization="off") as session:
        told = session.describe()
        np.testing.assert_allclose(infer(session, feeds(1)), reference(model, feeds(1)), atol=1e-5)
        assert session.device_event() is None
    assert told["nodes"] == "CPUExecutionProvider 2"
    assert set(told) == {
        "onnxruntime", "providers", "nodes", "optimization", "spinning", "cpu_nodes", "threads",
    }  # fmt: skip


def test_a_version_that_tells_no_nodes_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    base = onnxruntime.InferenceSession.__mro__[1]
    if not hasattr(base, "get_provider_graph_assignment_info"):
        pytest.skip("this version tells none")
    monkeypatch.delattr(base, "get_provider_graph_assignment_info")
    with open_real(tiny_model(tmp_path)) as session:
        assert session.describe()["nodes"] == "not told by this version of ONNX Runtime"
        assert session.fallback == ""


def test_on_the_cpu_only_fp32_can_be_asked_for() -> None:
    capabilities = registry.load("onnxruntime").capabilities
    assert capabilities(HOST).precisions == {Precision.FP32}
    assert not capabilities(HOST).device_events
    assert capabilities(GPU).precisions == {Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8}


def test_options_of_a_run_leave_nothing_to_be_looked_for_in_vain() -> None:
    """ONNX Runtime's Python asks each run for its graph, and an entry that is missing costs an exception of C++."""
    import onnxruntime

    made = run_options(onnxruntime)
    assert made.get_run_config_entry("gpu_graph_id") == "0"
    assert made.get_run_config_entry("disable_synchronize_execution_providers") == "1"


def test_one_process_at_a_time_has_a_folder_of_engines(tmp_path: Path) -> None:
    folder = EngineFolder(tmp_path, {"onnx": "a"})
    same, other = EngineFolder(tmp_path, {"onnx": "a"}), EngineFolder(tmp_path, {"onnx": "b"})
    assert folder.path == same.path != other.path

    def is_free() -> bool:
        with (same.path / "lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    with folder.alone():
        assert not is_free()
        with other.alone():
            pass
    assert is_free()


def test_a_run_that_fails_is_one_line(tmp_path: Path) -> None:
    """The graph asks for a shape that the input's elements do not make up."""
    path = tmp_path / "reshape.onnx"
    shape = np.array([7], np.int64)
    save_graph(path, [helper.make_node("Reshape", ["x", "s"], ["y"])], {"x": ["n"]}, {"y": ["m"]}, {"s": shape})
    x, y = TensorSpec("x", (4,), FLOAT), TensorSpec("y", (7,), FLOAT)
    model = Model("reshape", "0" * 64, 4, (x,), (y,), onnx=path)
    with open_real(model) as session:
        session.copy_inputs({"x": np.zeros(4, FLOAT)})
        with pytest.raises(DeviceError, match=r"cannot run reshape\.onnx on cpu") as caught:
            session.enqueue()
    assert "\n" not in str(caught.value)


def test_options_of_the_cpu_provider_are_not_compared_with_anything() -> None:
    check_taken(Wish((("CPUExecutionProvider", {}),)), {"CPUExecutionProvider": {}}, "1.32")


def test_truth_is_compared_whatever_its_spelling_and_words_whatever_their_case() -> None:
    wanted = Wish(((TENSORRT, {"trt_fp16_enable": "True", "trt_engine_cache_path": "/a"}),))
    check_taken(wanted, {TENSORRT: {"trt_fp16_enable": "1", "trt_engine_cache_path": "/a", "other": "x"}}, "1")
    for found in ({"trt_fp16_enable": "0", "trt_engine_cache_path": "/a"}, {"trt_fp16_enable": "1"}, {}):
        with pytest.raises(BackendUnavailable, match="did not take"):
            check_taken(wanted, {TENSORRT: found}, "1")


def test_sizes_of_open_dimensions_come_from_the_inputs(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, batch=3)
    assert open_sizes(Path(str(model.onnx)), model, GPU) == {"batch": 3, "n": 3}
    assert open_sizes(Path(str(model.onnx)), model, HOST) == {"batch": 3}
    assert open_sizes(tmp_path / "none.onnx", model, GPU) == {"batch": 3}
    proto = onnx.load(str(model.onnx))
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(proto, str(model.onnx))
    assert open_sizes(Path(str(model.onnx)), model, GPU) == {"batch": 3, "n": 3, "height": 8}


def settings(**given: Any) -> Settings:
    asked = {"provider": "auto", "graph": False, "conv_search": "default", "cpu_nodes": False, "cuda_api": "auto"}
    return Settings.of(asked | given, GPU)


def scene(device: Device = GPU, opening: bool = True, **given: Any) -> Scene:
    ort = SimpleNamespace(__version__="1.31.1", __file__=None)
    return Scene(ort, settings(**given), Path("net.onnx"), device, batch=16, opening=opening)


#: Words of onnxruntime-gpu 1.31.1, seen without a GPU or read in its libraries.
@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=x ; expr=cudaMalloc((void**)&p, size);", DeviceError,
         "batch 16 does not fit in the memory of cuda:0"),
        ("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. Name:''"
         " Status Message: Failed to allocate memory for requested buffer of size 67108864", DeviceError, "batch 16"),
        ("Available memory of 512 is smaller than requested bytes of 1024", DeviceError, "try smaller batches"),
        ("CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", DeviceError, "batch 16"),
        ("Invalid device ID: 3, must be between 0 (inclusive) and 1 (exclusive).", BackendUnavailable, "nvidia-smi -L"),
        ("CUDA failure 101: invalid device ordinal ; GPU=-1", BackendUnavailable, "finds no cuda:0"),
        ("The provided device id doesn't match any available GPUs on the machine: 3", BackendUnavailable, "finds no"),
        ("/onnxruntime_src/x.cc:729 Please install TensorRT libraries as mentioned in the GPU requirements page",
         BackendUnavailable, "onnxruntime cannot load CUDAExecutionProvider"),
        ("[ONNXRuntimeError] : 1 : FAIL : TensorRT EP failed to create engine from network for fused node: a",
         ConversionError, "cannot build an engine of net.onnx"),
        ("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from net.onnx failed:Protobuf parsing failed.",
         ModelMismatch, "cannot load net.onnx: Load model from net.onnx failed:Protobuf parsing failed; check"),
    ],
)  # fmt: skip
def test_what_the_vendor_says_in_words_of_what_to_do(words: str, kind: type[BackendError], told: str) -> None:
    error = explained(RuntimeError(words), scene())
    assert type(error) is kind
    assert told in str(error)


def test_a_word_of_a_gpu_means_nothing_on_the_cpu() -> None:
    at = Scene(None, settings(), Path("net.onnx"), HOST, batch=1)
    assert isinstance(explained(RuntimeError("Failed to allocate memory"), at), ModelMismatch)


def test_capture_is_only_blamed_where_there_is_one() -> None:
    words = RuntimeError("CUDA failure 900: operation not permitted when stream is capturing")
    assert "leave out graph=true" in str(explained(words, scene(opening=False, graph=True)))
    assert "graph" not in str(explained(words, scene(opening=False)))


@pytest.mark.parametrize(
    ("library", "source"),
    [("libcublasLt.so.13", "onnxruntime-gpu[cuda,cudnn]"), ("libnvinfer.so.10", "TensorRT 10 from NVIDIA's own"),
     ("libcuda.so.1", "the NVIDIA driver")],
)  # fmt: skip
def test_a_library_that_is_missing_is_named_with_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, library: str, source: str
) -> None:
    said = f"{library}: cannot open shared object file: No such file or directory"
    monkeypatch.setattr("backends.onnxruntime.failures.missing_library", lambda ort, provider: said)
    message = str(not_loaded(None, CUDA, instead="CPUExecutionProvider"))
    assert message.startswith(f"onnxruntime fell back from {CUDA} to CPUExecutionProvider ({library}: cannot")
    assert source in message


def test_the_dynamic_linker_is_asked_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "capi"
    folder.mkdir()
    ort = SimpleNamespace(__file__=str(tmp_path / "__init__.py"))
    assert missing_library(ort, CUDA) == ""
    for name in ("shared", "cuda"):
        (folder / f"libonnxruntime_providers_{name}.so").write_bytes(b"no library")
    assert "libonnxruntime_providers_shared.so: file too short" in missing_library(ort, CUDA)
    assert missing_library(SimpleNamespace(), CUDA) == ""


class Telling(FakeNvml):
    """NVML that knows the compute capability."""

    def nvmlDeviceGetCudaComputeCapability(self, handle: Any) -> tuple[int, int]:  # noqa: N802 - NVML's name
        return 9, 0


def test_the_card_is_told_by_cuda_then_by_nvml_then_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Simulated(Config())
    assert card_of(0, here.backend._cuda()) == Card("NVIDIA A10", (8, 6), "CUDA", "0000:3b:00.0")
    here.world.end()
    without = vendor(Simulated(Config(cuda_modules=())).module)
    assert card_of(0, without) == Card()
    address = "0000:3b:00.0"
    monkeypatch.setattr(nvidia, "nvidia_devices", lambda: (DeviceInfo(GPU, "NVIDIA H100", address),))
    monkeypatch.setitem(sys.modules, "pynvml", Telling({address: object()}))  # type: ignore[dict-item]
    assert card_of(0, without) == Card("NVIDIA H100", (9, 0), "NVML")
    assert card_of(1, without) == Card()
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml({}))
    assert card_of(0, without) == Card("NVIDIA H100")
    assert (Card().has_tf32, Card("T4", (7, 5)).has_tf32, Card("H100", (9, 0)).has_tf32) == (None, False, True)
