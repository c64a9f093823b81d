"""A session on the double, over the whole matrix: right outputs, no rule broken, nothing left behind."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.base import BackendError, DeviceError, ModelMismatch, Precision, TensorSpec
from tests.backends.tensorrt.machines import AMPERE, machine
from tests.backends.tiny import FLOAT, feeds, infer, reference, tiny_model
from tests.doubles.cuda import Fault as CudaFault
from tests.doubles.tensorrt import CALLS, GENERATIONS, Fault

#: Generation, CUDA's Python module, profile, graph; pycuda has no graphs.
MATRIX = [
    each for each in product(GENERATIONS, ("cuda-bindings", "pycuda"), ("static", "range"), (False, True))
    if not (each[1] == "pycuda" and each[3])
]  # fmt: skip


@pytest.mark.parametrize(("generation", "api", "profile", "graph"), MATRIX)
def test_outputs_are_right_in_every_mode(tmp_path: Path, generation: Any, api: str, profile: str, graph: bool) -> None:
    with machine(generation=generation, base_ms=1.0) as here:
        for batch in (1, 4):
            model = tiny_model(tmp_path, batch)
            with here.open(model, cuda_api=api, profile=profile, graph=graph) as session:
                assert session.precision is Precision.FP32
                for seed in (1, 2):
                    given = feeds(seed, batch)
                    assert np.allclose(infer(session, given), reference(model, given), atol=1e-5)
                told = session.describe()
                assert all(isinstance(value, str) and value for value in told.values())
                assert told["CUDA through"].startswith(api)
                assert told["CUDA graph"].startswith("on" if graph else "off")
                assert ("to" in told["profile"]) == (profile == "range")
                assert told["InstanceNorm"] == ("plugin" if generation == "8.6" else "native layer")


@pytest.mark.parametrize(("generation", "api", "profile", "graph"), MATRIX)
def test_the_time_of_an_inference_is_the_device_s(
    tmp_path: Path, generation: Any, api: str, profile: str, graph: bool
) -> None:
    launch_us = 5.0
    with (
        machine({"launch_us": launch_us}, generation=generation, base_ms=1.0, image_ms=0.5) as here,
        here.open(tiny_model(tmp_path, 4), cuda_api=api, profile=profile, graph=graph) as session,
    ):
        session.copy_inputs(feeds(1))
        session.synchronize()
        for count in (1, 8):
            begin = here.time.now()
            for _ in range(count):
                session.enqueue()
            session.synchronize()
            took_ms = (here.time.now() - begin) / 1e6
            # The first launch is seen; the others hide behind the device.
            assert 3.0 * count <= took_ms <= 3.0 * count * 1.01 + launch_us / 1e3


@pytest.mark.parametrize(("generation", "api", "profile", "graph"), MATRIX)
@pytest.mark.parametrize("call", [name for name in CALLS if name != "set_optimization_profile_async"])
def test_whatever_call_fails_it_is_one_clear_line_and_everything_is_given_back(
    tmp_path: Path, call: str, generation: Any, api: str, profile: str, graph: bool
) -> None:
    model = tiny_model(tmp_path)
    harmless = {"init_libnvinfer_plugins", "set_timing_cache", "create_engine_inspector"}
    if generation != "rtx":
        harmless.add("set_compute_capability")
    else:
        harmless.add("create_timing_cache")
    fault = Fault(call=call, nth=1, message="Error Code 2: Internal Error (the kernel went away)")
    with machine(generation=generation, faults=(fault,)) as here:
        options = {"cuda_api": api, "profile": profile, "graph": graph}
        if call in harmless:
            with here.open(model, **options) as session:
                infer(session, feeds(1))
            return
        with pytest.raises(BackendError) as caught, here.open(model, **options) as session:
            infer(session, feeds(1))
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert "the kernel went away" in text


@pytest.mark.parametrize("api", ["cuda-bindings", "pycuda"])
@pytest.mark.parametrize("call", ["execute_async_v3", "create_execution_context", "deserialize_cuda_engine"])
def test_what_raises_is_told_like_what_returns(tmp_path: Path, api: str, call: str) -> None:
    fault = Fault(call=call, nth=1, effect="raise", message="Assertion inside failed")
    with machine(faults=(fault,)) as here:
        model = tiny_model(tmp_path)
        with (
            pytest.raises(BackendError, match="Assertion inside failed") as caught,
            here.open(model, cuda_api=api) as session,
        ):
            infer(session, feeds(1))
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("api", ["cuda-bindings", "pycuda"])
@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(
    "call", ["cudaMalloc", "cudaHostAlloc", "cudaStreamSynchronize", "cudaMemcpyAsync", "launch", "cudaGraphLaunch"]
)
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_fault_of_cuda_is_one_line_too(tmp_path: Path, api: str, graph: bool, call: str, nth: int) -> None:
    if graph and api == "pycuda":
        return
    model, told = tiny_model(tmp_path), ""
    with machine({"faults": (CudaFault(call=call, nth=nth, code=2),)}, base_ms=1.0) as here:
        try:
            with here.open(model, cuda_api=api, graph=graph) as session:
                for seed in (1, 2):
                    infer(session, feeds(seed))
        except BackendError as error:
            told = str(error)
        expected = here.world.calls[call] >= nth
    assert bool(told) == expected
    assert "\n" not in told
    assert not told or re.search(r"out ?of ?memory.*; .*smaller batch.*\.$", told, re.IGNORECASE)


@pytest.mark.parametrize("api", ["cuda-bindings", "pycuda"])
@pytest.mark.parametrize("graph", [False, True])
def test_a_kernel_that_fails_later_is_told_by_synchronize_and_not_again(tmp_path: Path, api: str, graph: bool) -> None:
    if graph and api == "pycuda":
        return
    call = "cudaGraphLaunch" if graph else "launch"
    model = tiny_model(tmp_path)
    with machine({"faults": (CudaFault(call=call, nth=1, code=700, effect="later"),)}, base_ms=1.0) as here:
        session = here.open(model, cuda_api=api, graph=graph)
        session.copy_inputs(feeds(1))
        session.enqueue()
        with pytest.raises(DeviceError, match="700"):
            session.synchronize()
        session.close()


def test_a_full_card_names_the_batch_and_smaller_ones_go_on(tmp_path: Path) -> None:
    fault = Fault(call="create_execution_context", nth=1, message="Error Code 2: OutOfMemory (no further information)")
    with machine(faults=(fault,)) as here:
        with pytest.raises(DeviceError, match=r"batch 4 failed: .*OutOfMemory.*measure a smaller batch\.$"):
            here.open(tiny_model(tmp_path, 4))
        with here.open(tiny_model(tmp_path, 1)) as session:
            infer(session, feeds(1, 1))


def test_the_caller_may_overwrite_its_arrays_at_once_and_copy_while_the_device_works(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with machine({"copy_ms": 2.0}, base_ms=5.0) as here, here.open(model) as session:
        given = feeds(1)
        session.copy_inputs(given)
        for _ in range(3):
            given["x"][...] = 0
            session.enqueue()
            session.copy_inputs(feeds(2))
        session.enqueue()
        session.synchronize()
        assert np.allclose(session.copy_outputs()["y"], reference(model, feeds(2)), atol=1e-5)


def test_a_session_that_is_closed_while_its_work_is_under_way_waits_for_it(tmp_path: Path) -> None:
    with machine(base_ms=50.0) as here:
        session = here.open(tiny_model(tmp_path), graph=True)
        session.copy_inputs(feeds(1))
        begin = here.time.now()
        session.enqueue()
        assert here.time.now() - begin < 50e6, "the work is not under way any more"
        session.close()
        assert here.time.now() - begin >= 50e6
        assert here.world.leaks() == []


def test_several_sessions_work_at_once_each_on_its_stream(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with machine(base_ms=2.0) as here:
        sessions = [here.open(model) for _ in range(3)]
        for seed, session in enumerate(sessions):
            session.copy_inputs(feeds(seed))
            session.enqueue()
        for seed, session in reversed(list(enumerate(sessions))):
            session.synchronize()
            assert np.allclose(session.copy_outputs()["y"], reference(model, feeds(seed)), atol=1e-5)
        for session in sessions:
            session.close()


def test_outputs_before_any_inference_are_refused(tmp_path: Path) -> None:
    with (
        machine() as here,
        here.open(tiny_model(tmp_path)) as session,
        pytest.raises(DeviceError, match="no outputs yet"),
    ):
        session.copy_outputs()


def test_a_graph_with_pycuda_is_refused(tmp_path: Path) -> None:
    with machine() as here, pytest.raises(DeviceError, match="pycuda has no CUDA graphs; leave out graph=true"):
        here.open(tiny_model(tmp_path), cuda_api="pycuda", graph=True)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_capture_that_fails_is_said_and_nothing_is_run_in_its_place(tmp_path: Path, generation: Any) -> None:
    with machine(generation=generation, capturable=False) as here:
        with pytest.raises(DeviceError, match=r"captured in a CUDA graph.*leave out graph=true\.$"):
            here.open(tiny_model(tmp_path), graph=True)
        assert here.world.calls["cudaGraphLaunch"] == 0


def test_an_engine_of_another_precision_than_was_asked_for_says_so(tmp_path: Path) -> None:
    model = tiny_model(tmp_path)
    with machine(prefers_fp32=True) as here, here.open(model, Precision.FP16) as session:
        assert session.precision is Precision.FP32
    with machine(AMPERE, prefers_fp32=True) as here, here.open(model, Precision.FP16) as session:
        assert session.precision is Precision.TF32


def test_outputs_of_another_shape_are_a_mismatch(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, outputs=(TensorSpec("y", (4, 4, 9, 8), FLOAT),))
    with machine() as here, pytest.raises(ModelMismatch, match=r"y is \(-1, 4, 8, 8\), the model has \(4, 4, 9, 8\)"):
        here.open(model)


def test_a_size_that_depends_on_the_data_is_refused(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 3])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [2, "k"])],
    )  # fmt: skip
    path = tmp_path / "nonzero.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    model = tiny_model(
        tmp_path, onnx=path, inputs=(TensorSpec("x", (4, 3), FLOAT),),
        outputs=(TensorSpec("y", (2, 12), np.dtype(np.int64)),),
    )  # fmt: skip
    with machine() as here, pytest.raises(ModelMismatch, match="the size of output y depends on the data"):
        here.open(model)
