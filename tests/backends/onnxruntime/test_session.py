"""Sessions on the double of onnxruntime-gpu: right, at the right time, in what was asked for, and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.base import Device, DeviceError, OptionValue, Precision, Session
from tests.backends.onnxruntime.machines import T4, machine
from tests.backends.tiny import feeds, infer, reference, tiny_model
from tests.doubles.cuda import Config as Machine
from tests.doubles.cuda import Fault
from tests.doubles.onnxruntime_gpu import CPU, CUDA, TENSORRT

_MS = 1_000_000


@pytest.mark.parametrize("cuda_api", ["auto", "cuda-bindings", "pycuda", "none"])
@pytest.mark.parametrize("graph", [False, True])
def test_outputs_are_right_whatever_moves_them(tmp_path: Path, cuda_api: str, graph: bool) -> None:
    model = tiny_model(tmp_path)
    with machine() as here, here.open(model, cuda_api=cuda_api, graph=graph) as session:
        for seed in (1, 2, 1):
            np.testing.assert_allclose(infer(session, feeds(seed)), reference(model, feeds(seed)), atol=1e-5)
        assert (session.device, session.fallback) == (Device("cuda", 0), "")
        told = session.describe()
    assert told["CUDA graph"].startswith("on, captured by the first run" if graph else "off")
    wanted = {
        "none": ("ONNX Runtime alone", "pageable", "ONNX Runtime's own"),
        "pycuda": ("pycuda 2026.1", "pinned", "of this session"),
    }.get(cuda_api, ("cuda-bindings 13.5.0", "pinned", "of this session"))
    assert (told["CUDA through"], told["host memory"], told["stream"]) == wanted


def test_a_graph_s_run_waits_itself_and_has_no_events(tmp_path: Path) -> None:
    with machine(run_ms=4.0) as here, here.open(tiny_model(tmp_path), graph=True) as session:
        session.copy_inputs(feeds(1))
        begin = here.world.timing.now()
        session.enqueue()
        assert here.world.timing.now() - begin >= 4 * _MS
        assert session.device_event() is None
        assert "a run waits for the device itself" in session.describe()["CUDA graph"]


def test_the_first_run_is_made_while_the_session_opens(tmp_path: Path) -> None:
    """The search for convolutions, or a capture, would otherwise be part of a measurement."""
    with machine(run_ms=5.0) as here:
        artifact = here.prepare(tiny_model(tmp_path))
        before = here.world.timing.now()
        with here.backend.open(artifact, Device("cuda", 0), here.options()) as session:
            assert here.world.timing.now() - before >= 5 * _MS
            assert here.world.calls["launch"] == 1
            with pytest.raises(DeviceError, match="no outputs yet"):
                session.copy_outputs()


def test_runs_on_the_session_s_stream_are_waited_for_by_synchronize(tmp_path: Path) -> None:
    with machine(run_ms=4.0) as here, here.open(tiny_model(tmp_path)) as session:
        session.copy_inputs(feeds(1))
        start = here.world.timing.now()
        session.enqueue()
        enqueued = here.world.timing.now()
        session.synchronize()
        assert enqueued - start < 1 * _MS
        assert here.world.timing.now() - start == pytest.approx(4 * _MS, rel=0.01)


def test_events_tell_the_device_s_own_time_where_there_is_a_stream(tmp_path: Path) -> None:
    with machine(run_ms=4.0) as here:
        with here.open(tiny_model(tmp_path)) as session:
            begin, done = session.device_event(), session.device_event()
            assert begin is not None
            assert done is not None
            session.copy_inputs(feeds(1))
            session.synchronize()
            begin.record()
            session.enqueue()
            done.record()
            session.synchronize()
            assert done.elapsed_ms(begin) == pytest.approx(4.0)
        with here.open(tiny_model(tmp_path), cuda_api="none") as session:
            assert session.device_event() is None


def test_copies_of_the_host_are_no_part_of_a_run(tmp_path: Path) -> None:
    gpu = {"capability": (8, 6), "copy_ms": 7.0}
    with machine(gpu, run_ms=4.0) as here, here.open(tiny_model(tmp_path)) as session:
        session.copy_inputs(feeds(1))
        session.synchronize()
        start = here.world.timing.now()
        session.enqueue()
        session.synchronize()
        assert here.world.timing.now() - start == pytest.approx(4 * _MS, rel=0.01)


def run(session: Session) -> None:
    session.enqueue()
    session.synchronize()


def error(gpu: dict[str, Any], folder: Path, precision: Precision, override: str = "", **given: OptionValue) -> float:
    """Relative error of the outputs against fp32 on the CPU."""
    model = tiny_model(folder)
    with machine(gpu, override=override) as here, here.open(model, precision, **given) as session:
        right = reference(model, feeds(1))
        return float(np.sqrt(np.square(infer(session, feeds(1)) - right).mean() / np.square(right).mean()))


AMPERE: dict[str, Any] = {"device_name": "NVIDIA A10", "capability": (8, 6)}


def test_fp32_is_fp32_on_a_card_that_has_tf32(tmp_path: Path) -> None:
    assert error(AMPERE, tmp_path, Precision.FP32) < 1e-6
    assert error(AMPERE, tmp_path, Precision.TF32) > 1e-5


@pytest.mark.parametrize(
    ("gpu", "override", "executed", "words"),
    [
        (AMPERE, None, Precision.TF32, ""),
        (AMPERE, "0", Precision.FP32, "allowed, and computed in fp32: NVIDIA_TF32_OVERRIDE=0"),
        (T4, None, Precision.FP32, "allowed, and computed in fp32: the card has none"),
    ],
)
def test_tf32_is_said_to_be_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpu: dict[str, Any], override: str | None, executed: Precision,
    words: str,
) -> None:  # fmt: skip
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    if override is not None:
        monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    with machine(gpu, override=override or "") as here, here.open(tiny_model(tmp_path), Precision.TF32) as session:
        told = session.describe()
        assert session.precision is executed
        assert told["use_tf32"] == "1"
        assert words in told.get("tf32", "")
        assert told["compute capability"] == f"{gpu['capability'][0]}.{gpu['capability'][1]}, by CUDA"
    seen = error(gpu, tmp_path, Precision.TF32, override or "")
    assert (seen > 1e-5) == (executed is Precision.TF32)


def test_a_card_that_nothing_tells_of_is_said_to_be_unknown(tmp_path: Path) -> None:
    with machine(cuda_modules=()) as here, here.open(tiny_model(tmp_path), Precision.TF32) as session:
        told = session.describe()
        assert session.precision is Precision.TF32
        assert told["compute capability"] == "not known"
        assert told["tf32"] == "allowed; whether this card has it is not known"
        assert told["host memory"] == "pageable"


def test_fp16_comes_from_a_converted_file_and_is_said(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with machine() as here:
        artifact = here.prepare(model, Precision.FP16)
        assert artifact.path not in (None, model.onnx)
        assert artifact.sha256 != model.sha256
        with here.open(model, Precision.FP16) as session:
            assert session.precision is Precision.FP16
            told = session.describe()
            assert infer(session, feeds(1)).dtype == np.float32
    assert told["fp16 by"].startswith("converted with onnxruntime.transformers.float16 ")
    assert told["use_tf32"] == "0"
    assert 1e-5 < error(AMPERE, tmp_path, Precision.FP16) < 1e-2


def test_options_reach_the_provider(tmp_path: Path) -> None:
    with machine() as here, here.open(tiny_model(tmp_path), conv_search="heuristic", graph=True) as session:
        taken = session._session.get_provider_options()[CUDA]  # type: ignore[attr-defined]
        assert taken["cudnn_conv_algo_search"] == "HEURISTIC"
        assert (taken["enable_cuda_graph"], taken["use_tf32"], taken["has_user_compute_stream"]) == ("1", "0", "1")
        assert here.module.state.preloaded


def test_open_dimensions_of_any_name_are_fixed(tmp_path: Path) -> None:
    """Where they stay open, chains of Shape nodes would run on the CPU."""
    with machine() as here, here.open(tiny_model(tmp_path, batch=2)) as session:
        assert session._session._options.sizes == {"batch": 2, "n": 2}  # type: ignore[attr-defined]


def test_tensorrt_comes_first_and_its_engine_is_built_once(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with machine() as here:
        for how in ("built now", "from the cache"):
            with here.open(model, Precision.TF32, provider="tensorrt") as session:
                told = session.describe()
                assert told["engines"] == how
                assert told["providers"].startswith(f"{TENSORRT}, {CUDA}")
                assert told["nodes"] == f"{TENSORRT} 2"
                assert session.fallback == ""
                np.testing.assert_allclose(infer(session, feeds(1)), reference(model, feeds(1)), rtol=0.01, atol=0.01)
                taken = session._session.get_provider_options()[TENSORRT]  # type: ignore[attr-defined]
                assert taken["trt_fp16_enable"] == "0"
                shapes = {taken[f"trt_profile_{end}_shapes"] for end in ("min", "opt", "max")}
                assert shapes == {"x:4x3x8x8"}
        with here.open(model, Precision.FP16, provider="tensorrt") as session:
            assert session.describe()["engines"] == "built now"
            assert "layer by layer" in session.describe()["fp16 by"]
            assert session._session.get_provider_options()[TENSORRT]["trt_fp16_enable"] == "1"  # type: ignore[attr-defined]
        with here.open(tiny_model(tmp_path, batch=2), Precision.TF32, provider="tensorrt") as session:
            assert session.describe()["engines"] == "built now"
        assert here.module.state.builds == 3
    assert len(list((tmp_path / "cache" / "onnxruntime-tensorrt").glob("*/*.engine"))) == 3


def test_a_damaged_engine_is_built_again_and_the_reason_told(tmp_path: Path) -> None:
    with machine() as here:
        here.open(tiny_model(tmp_path), Precision.TF32, provider="tensorrt").close()
        (engine,) = (tmp_path / "cache").rglob("*.engine")
        engine.write_bytes(b"half of an eng")
        with here.open(tiny_model(tmp_path), Precision.TF32, provider="tensorrt") as session:
            told = session.describe()["engines"]
    assert told.startswith("built now, since the one in the cache was refused: TensorRT EP could not deserialize")


def test_nodes_that_tensorrt_leaves_to_cuda_are_told(tmp_path: Path) -> None:
    with (
        machine(lacks={TENSORRT: frozenset({"Relu"})}) as here,
        here.open(tiny_model(tmp_path), Precision.TF32, provider="tensorrt") as session,
    ):
        assert session.fallback == "1 of 2 nodes run on CUDA (Relu)"
        assert session.describe()["nodes"] == f"{TENSORRT} 1, {CUDA} 1"


def test_nodes_that_run_on_the_cpu_are_told_where_that_is_allowed(tmp_path: Path) -> None:
    lacks = {CUDA: frozenset({"Relu"})}
    with machine(lacks=lacks) as here, here.open(tiny_model(tmp_path), cpu_nodes=True) as session:
        assert session.fallback == "1 of 2 nodes run on the CPU (Relu)"
        assert session.describe()["nodes"] == f"{CUDA} 1, {CPU} 1"
    with machine(tells_nodes=False) as here, here.open(tiny_model(tmp_path), cpu_nodes=True) as session:
        assert session.fallback == "nodes that CUDA lacks may run on the CPU (cpu_nodes=true)"
        assert session.describe()["nodes"] == "not told by this version of ONNX Runtime"
    with (
        machine(tells_nodes=False) as here,
        here.open(tiny_model(tmp_path), Precision.TF32, provider="tensorrt") as session,
    ):
        assert "is not told" in session.fallback


@pytest.mark.parametrize("call", ["cudaMalloc", "cudaHostAlloc"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_whatever_cannot_be_had_nothing_is_left_behind(tmp_path: Path, call: str, nth: int) -> None:
    gpu = {"capability": (8, 6), "faults": (Fault(call=call, nth=nth, code=2),)}
    with machine(gpu) as here:
        try:
            here.open(tiny_model(tmp_path)).close()
        except DeviceError as error:
            message = str(error)
        else:
            message = ""
        assert bool(message) == (nth <= {"cudaMalloc": 3, "cudaHostAlloc": 2}[call])
        if message and call == "cudaMalloc":
            assert message.startswith("batch 4 does not fit in the memory of cuda:0 (CUDA failure 2: out of memory")
            assert "try smaller batches" in message
        if message:
            with here.open(tiny_model(tmp_path, batch=1)) as session:
                session.copy_inputs(feeds(1, batch=1))


@pytest.mark.parametrize("cuda_api", ["auto", "none"])
def test_work_that_fails_says_so(tmp_path: Path, cuda_api: str) -> None:
    gpu = {"capability": (8, 6), "faults": (Fault(call="launch", nth=2, code=700, effect="later"),)}
    with machine(gpu) as here, here.open(tiny_model(tmp_path), cuda_api=cuda_api) as session:
        session.copy_inputs(feeds(1))
        with pytest.raises(DeviceError, match="700"):
            run(session)


def test_a_second_device_is_the_one_that_is_used(tmp_path: Path) -> None:
    second = Device("cuda", 1)
    with (
        machine({"capability": (8, 6), "devices": 2}) as here,
        here.open(tiny_model(tmp_path), None, second) as session,
    ):
        assert session.device == second
        infer(session, feeds(1))


def test_the_card_is_named(tmp_path: Path) -> None:
    with machine(T4) as here, here.open(tiny_model(tmp_path)) as session:
        assert session.describe()["card"] == Machine().device_name
