"""PyTorch on a real card: right in every mode, on its own stream, timed by the device, and gone when it is closed."""

from __future__ import annotations

import gc
import importlib.util
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import registry
from backends.base import BackendUnavailable, Device, DeviceError, Model, OptionValue, Precision, Session, TensorSpec
from reports.accuracy import compare_outputs
from tests.cuda import stargan
from tests.cuda.machine import gpu, pytorch

pytestmark = pytest.mark.cuda

BATCH = 2
_PICTURES = frozenset({"fake_img"})
_BACKEND = registry.load("pytorch")


@pytest.fixture(autouse=True)
def torch() -> Iterator[Any]:
    """With the switches that a session sets put back: the next test may be of another package."""
    module = pytorch()
    cudnn, matmul = module.backends.cudnn, module.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark
    yield module
    cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark = before


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return stargan_model(BATCH)


def stargan_model(batch: int) -> Model:
    """As a module alone: no .onnx file is needed."""
    floats = np.dtype(np.float32)
    picture = (batch, 3, stargan.SIZE, stargan.SIZE)
    return Model(
        name="small StarGAN", sha256="0" * 64, batch=batch, torch_module=stargan.generator,
        inputs=(TensorSpec("real_img", picture, floats), TensorSpec("attr", (batch, 5), floats)),
        outputs=(TensorSpec("fake_img", picture, floats),),
    )  # fmt: skip


def open_session(
    model: Model, precision: Precision = Precision.FP32, device: Device | None = None, /, **given: OptionValue
) -> Session:
    place = device or gpu().device
    options = {spec.key: spec.default for spec in _BACKEND.options} | given
    return _BACKEND.open(_BACKEND.prepare(model, precision, place, options), place, options)


def infer(session: Session, seed: int) -> dict[str, Any]:
    session.copy_inputs(stargan.feeds(BATCH, seed))
    session.enqueue()
    session.synchronize()
    return session.copy_outputs()


def right(session: Session, outputs: dict[str, Any], seed: int) -> None:
    """They hold what is asked of the precision that was executed."""
    reference = stargan.reference(stargan.feeds(BATCH, seed))
    for found in compare_outputs(reference, outputs, session.precision.value, _PICTURES):
        assert found.passed, found.reason


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"graph": True},
        {"channels_last": True},
        {"graph": True, "channels_last": True},
        {"autocast": True},
        {"autocast": True, "graph": True},
        {"cudnn_benchmark": False, "graph": True},
    ],
    ids=lambda given: ",".join(given) or "plain",
)
def test_outputs_are_those_of_the_cpu(
    torch: Any, model: Model, precision: Precision, given: dict[str, OptionValue]
) -> None:
    ampere = torch.cuda.get_device_capability(0) >= (8, 0)
    if "autocast" in given and precision not in (Precision.FP16, Precision.BF16):
        pytest.skip("autocast is a way to 16 bits")
    if precision is Precision.BF16 and not ampere:
        with pytest.raises(BackendUnavailable, match="no bf16"):
            open_session(model, precision, **given)
        return
    with open_session(model, precision, **given) as session:
        expected = Precision.FP32 if precision is Precision.TF32 and not ampere else precision
        assert (session.precision, session.device, session.fallback) == (expected, gpu().device, "")
        for seed in (1, 2):  # a graph keeps addresses, not values: other inputs must give other outputs
            right(session, infer(session, seed), seed)
        told = session.describe()
        assert told["host memory"] == "pinned"
        assert told["CUDA graph"].startswith("on") == bool(given.get("graph"))


@pytest.mark.parametrize(
    "given",
    [
        {"compile": "default"},
        {"compile": "reduce-overhead"},
        {"compile": "default", "graph": True},
        {"compile": "default", "autocast": True},
    ],
    ids=lambda given: ",".join(map(str, given.values())),
)
def test_compiled_outputs_are_those_of_the_cpu(model: Model, given: dict[str, OptionValue]) -> None:
    if importlib.util.find_spec("triton") is None or not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("torch.compile on CUDA needs Triton and a C compiler")
    with open_session(model, Precision.FP16, **given) as session:
        for seed in (1, 2, 3):
            right(session, infer(session, seed), seed)


@pytest.mark.parametrize("graph", [False, True])
def test_the_device_s_time_of_a_call_is_within_the_host_s(model: Model, graph: bool) -> None:
    with open_session(model, graph=graph) as session:
        begin, done = session.device_event(), session.device_event()
        assert begin is not None
        assert done is not None
        for seed in range(3):
            infer(session, seed)
        for _ in range(20):
            start = time.perf_counter()
            begin.record()
            session.enqueue()
            done.record()
            session.synchronize()
            host_ms = (time.perf_counter() - start) * 1e3
            assert 0 < done.elapsed_ms(begin) <= host_ms * 1.02


def test_an_event_that_was_never_recorded_has_no_time(model: Model) -> None:
    with open_session(model) as session:
        begin, never = session.device_event(), session.device_event()
        assert begin is not None
        assert never is not None
        begin.record()
        session.synchronize()
        with pytest.raises(DeviceError, match="record both") as caught:
            never.elapsed_ms(begin)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("graph", [False, True])
def test_close_gives_the_memory_back(torch: Any, model: Model, graph: bool) -> None:
    def cycle() -> None:
        with open_session(model, Precision.FP16, graph=graph) as session:
            infer(session, 1)
            held.append(torch.cuda.memory_allocated(0))
        gc.collect()
        left.append((torch.cuda.memory_allocated(0), torch.cuda.memory_reserved(0)))

    held: list[int] = []
    left: list[tuple[int, int]] = []
    for _ in range(4):
        cycle()
    # The first cycle leaves what the libraries keep for themselves.
    assert left[1:] == [left[0]] * 3
    assert held[-1] > left[-1][0]


@pytest.mark.parametrize("graph", [False, True])
def test_two_sessions_of_one_thread_by_turns(torch: Any, model: Model, graph: bool) -> None:
    before = torch.cuda.current_stream()
    with open_session(model, graph=graph) as one, open_session(model, graph=graph) as two:
        for _ in range(3):
            for session, seed in ((one, 1), (two, 2)):
                session.copy_inputs(stargan.feeds(BATCH, seed))
                session.enqueue()
            for session, seed in ((one, 1), (two, 2)):
                session.synchronize()
                right(session, session.copy_outputs(), seed)
    assert torch.cuda.current_stream() == before


def test_a_session_works_in_another_thread_than_it_was_opened_in(model: Model) -> None:
    outputs: list[dict[str, Any]] = []
    with open_session(model) as session:
        thread = threading.Thread(target=lambda: outputs.append(infer(session, 1)))
        thread.start()
        thread.join()
        right(session, outputs[0], 1)
        right(session, infer(session, 2), 2)


def test_what_the_caller_does_to_its_arrays_afterwards_changes_nothing(model: Model) -> None:
    with open_session(model, Precision.FP16, channels_last=True) as session:
        feeds = {name: array.copy() for name, array in stargan.feeds(BATCH, 1).items()}
        session.copy_inputs(feeds)
        for array in feeds.values():
            array.fill(0)
        session.enqueue()
        session.synchronize()
        right(session, session.copy_outputs(), 1)


def test_buffers_on_the_host_are_pinned(model: Model) -> None:
    with open_session(model) as session:
        buffers = [*session._uploads, *session._downloads]  # type: ignore[attr-defined]
        assert len(buffers) == 3
        assert all(each.pinned.is_pinned() for each in buffers)


def test_out_of_memory_names_the_batch_and_smaller_ones_go_on(model: Model) -> None:
    batch = 10**9  # the inputs alone are 12 TB
    with pytest.raises(DeviceError, match=rf"out of memory with batch {batch} .*smaller batches") as caught:
        open_session(stargan_model(batch))
    assert "\n" not in str(caught.value)
    with open_session(model) as session:
        right(session, infer(session, 1), 1)


def test_a_device_that_is_not_there_is_named(model: Model) -> None:
    with pytest.raises(BackendUnavailable, match=r"^there is no cuda:99: CUDA shows cuda:0"):
        open_session(model, Precision.FP32, Device("cuda", 99))


def test_a_module_that_cannot_be_captured_is_told() -> None:
    """In a process of its own: in some versions of PyTorch its memory is of no use after that."""
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        told = alone.submit(of_a_module_that_cannot_be_captured).result()
    assert "cannot be captured in a CUDA graph" in told
    assert "\n" not in told


def of_a_module_that_cannot_be_captured() -> str:
    """The error; another process calls this."""
    import torch

    class Asks(torch.nn.Module):  # type: ignore[misc]
        def forward(self, real_img: Any, attr: Any) -> Any:
            return real_img * (1.0 if attr.sum().item() > 0 else 2.0)

    try:
        open_session(replace(stargan_model(BATCH), torch_module=Asks), graph=True).close()
    except DeviceError as error:
        return str(error)
    return ""
