"""A session on the simulated GPU: right in every mode, in order, through pinned memory, and all of it described."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from backends import conformance
from backends.base import BackendUnavailable, DeviceError, ModelMismatch, Precision, TensorSpec
from tests.backends.pytorch.machines import BACKEND, CPU, CUDA, case, machine, open_session

MODES = [
    (precision, graph, channels_last, autocast)
    for precision, graph, channels_last, autocast in product(Precision, *[(False, True)] * 3)
    if precision is not Precision.INT8 and not (autocast and precision in (Precision.FP32, Precision.TF32))
]


@pytest.mark.parametrize(("precision", "graph", "channels_last", "autocast"), MODES)
def test_outputs_are_right_in_every_mode(
    tmp_path: Path, precision: Precision, graph: bool, channels_last: bool, autocast: bool
) -> None:
    given = {"graph": graph, "channels_last": channels_last, "autocast": autocast}
    subject = case(tmp_path)
    with machine() as world, open_session(subject.model, precision, **given) as session:
        assert (session.precision, session.device, session.fallback) == (precision, CUDA, "")
        loaded = len(world.journal)
        for seed in (1, 2):  # a graph keeps addresses, not values: other inputs must give other outputs
            feeds = subject.feeds(seed)
            conformance.check_precision(session, feeds, subject.reference(feeds))
        assert not [line for line in world.journal[loaded:] if "pageable" in line]
        told = session.describe()
        assert told["CUDA graph"] == ("on, captured after 3 calls" if graph else "off")
        assert told["channels_last"] == str(channels_last).lower()
        assert told["host memory"] == "pinned"
        assert told["cudnn.allow_tf32"] == told["matmul.allow_tf32"] == str(precision is Precision.TF32).lower()
        assert ("torch.autocast" in told["arithmetic"]) == autocast


@pytest.mark.parametrize("given", [{}, {"graph": True}, {"channels_last": True}])
def test_the_backend_passes_the_kit(tmp_path: Path, given: dict[str, bool]) -> None:
    with machine() as world:
        results = conformance.check_backend(BACKEND, case(tmp_path), CUDA, given, world.clock)
    assert [result for result in results if not result.passed] == []
    assert {"device_events", "leaks", "waits", "precision tf32"} <= {result.name for result in results}


def test_autocast_leaves_the_weights_in_fp32_and_half_does_not(tmp_path: Path) -> None:
    subject = case(tmp_path)
    seen = []

    def made() -> torch.nn.Module:
        module = subject.model.torch_module()  # type: ignore[misc]
        module.register_forward_pre_hook(lambda module, _: seen.append({p.dtype for p in module.parameters()}))
        return module

    model = replace(subject.model, torch_module=made)
    with machine():
        for autocast in (True, False):
            with open_session(model, Precision.FP16, autocast=autocast) as session:
                conformance.infer(session, subject.feeds(1))
    assert seen == [{torch.float32}, {torch.float16}]


def test_autocast_on_the_cpu_is_bf16_too(tmp_path: Path) -> None:
    subject = case(tmp_path)
    feeds = subject.feeds(1)
    with open_session(subject.model, Precision.BF16, CPU, autocast=True) as session:
        conformance.check_precision(session, feeds, subject.reference(feeds))
        assert "torch.autocast" in session.describe()["arithmetic"]


def test_what_a_session_on_the_cpu_tells_is_what_stored_runs_tell(tmp_path: Path) -> None:
    with open_session(case(tmp_path).model, device=CPU) as session:
        assert set(session.describe()) == {"torch", "compile", "threads", "channels_last"}


def test_the_host_has_no_outputs_before_it_has_waited(tmp_path: Path) -> None:
    """What makes the double worth anything: a session that forgets to wait gives garbage here."""
    subject = case(tmp_path)
    feeds = subject.feeds(1)
    with machine(), open_session(subject.model) as session:
        right = conformance.infer(session, feeds)["y"]
        session.synchronize = session._wait = lambda: None  # type: ignore[method-assign, attr-defined]
        assert not np.allclose(session.copy_outputs()["y"], right)
        del session._wait, session.synchronize  # type: ignore[attr-defined]
        session._wait = session._stream.synchronize  # type: ignore[attr-defined]
        np.testing.assert_array_equal(session.copy_outputs()["y"], right)


def test_inputs_are_not_overwritten_while_they_are_on_their_way(tmp_path: Path) -> None:
    subject = case(tmp_path)
    with machine() as world, open_session(subject.model) as session:
        session.copy_inputs(subject.feeds(1))
        session.copy_inputs(subject.feeds(2))  # nobody has waited for the first copy
        session.enqueue()
        session.synchronize()
        assert np.allclose(session.copy_outputs()["y"], subject.reference(subject.feeds(2))["y"], atol=1e-4)
        assert world.breaches == []
        session.copy_inputs(subject.feeds(1))
        session._copying = False  # type: ignore[attr-defined]  # forgets that the copy is under way
        session.copy_inputs(subject.feeds(2))
        session.synchronize()
        assert world.breaches == ["pinned memory was written to while a copy was reading it"]
        world.breaches.clear()


def test_only_what_the_host_has_crosses_the_link(tmp_path: Path) -> None:
    """As with engines that take fp32 and compute in fp16: the device casts and reorders, in both directions."""
    subject = case(tmp_path)
    with machine() as world, open_session(subject.model, Precision.FP16, channels_last=True) as session:
        begin = len(world.journal)
        session.copy_inputs(subject.feeds(1))
        assert [line.partition(" ")[0] for line in world.journal[begin:]] == ["upload", "copy_"]
        upload = session._uploads[0]  # type: ignore[attr-defined]
        assert (upload.landing.dtype, upload.static.dtype) == (torch.float32, torch.float16)
        assert upload.static.is_contiguous(memory_format=torch.channels_last)
        del upload


def test_a_graph_is_one_launch_on_the_session_s_stream(tmp_path: Path) -> None:
    with machine() as world, open_session(case(tmp_path).model, graph=True) as session:
        begin = len(world.journal)
        session.enqueue()
        session.synchronize()
        assert world.journal[begin:] == ["replay on stream 1 of cuda:0", "synchronize stream 1 of cuda:0"]


def test_cudnn_s_trials_can_be_left_out(tmp_path: Path) -> None:
    with machine(), open_session(case(tmp_path).model, cudnn_benchmark=False) as session:
        assert session.describe()["cudnn.benchmark"] == "false"
    with machine(), open_session(case(tmp_path).model) as session:
        assert session.describe()["cudnn.benchmark"] == "true"


def test_fp32_is_fp32_in_convolutions_and_matmuls_whatever_was_set_before(tmp_path: Path) -> None:
    with machine():
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        with open_session(case(tmp_path).model):
            assert not torch.backends.cudnn.allow_tf32
            assert not torch.backends.cuda.matmul.allow_tf32


def test_tf32_that_is_not_to_be_had_is_fp32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = case(tmp_path).model
    with machine(capability=(7, 5)), open_session(model, Precision.TF32) as session:
        assert session.precision is Precision.FP32
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with machine(), open_session(model, Precision.TF32) as session:
        assert session.precision is Precision.FP32
        assert session.describe()["NVIDIA_TF32_OVERRIDE"] == "0"
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    with machine(), pytest.raises(BackendUnavailable, match="NVIDIA_TF32_OVERRIDE=1 may turn TF32 on"):
        open_session(case(tmp_path).model)


def test_events_lie_on_the_session_s_stream_and_enclose_its_work(tmp_path: Path) -> None:
    model = case(tmp_path).model
    with machine() as world, open_session(model) as session, open_session(model) as other:
        begin, done = session.device_event(), session.device_event()
        assert begin is not None
        assert done is not None
        other.enqueue()  # the thread's current stream is now another one
        begin.record()
        session.enqueue()
        done.record()
        assert world.journal.count("event on stream 1 of cuda:0") == 2
        with pytest.raises(DeviceError, match="completed"):
            done.elapsed_ms(begin)
        session.synchronize()
        assert done.elapsed_ms(begin) == pytest.approx(3.0, abs=0.1)  # three layers of a millisecond
        never = session.device_event()
        assert never is not None
        with pytest.raises(DeviceError, match=r"recorded.*record both, and synchronize"):
            never.elapsed_ms(begin)
        other.synchronize()


def test_events_are_declared_on_cuda_alone() -> None:
    assert BACKEND.capabilities(CUDA).device_events
    assert not BACKEND.capabilities(CPU).device_events


def test_an_output_of_another_shape_is_told(tmp_path: Path) -> None:
    model = case(tmp_path).model
    wrong = replace(model, outputs=(TensorSpec("y", (4, 16, 64, 1), np.dtype(np.float32)),))
    with machine(), open_session(wrong) as session:
        session.enqueue()
        with pytest.raises(ModelMismatch, match=r"output 'y' comes as \(4, 16, 64, 64\), expected \(4, 16, 64, 1\)"):
            session.copy_outputs()


def test_a_module_that_stays_behind_is_a_fallback() -> None:
    from backends.pytorch.session import placement

    module = torch.nn.Linear(2, 2, device="meta")
    assert placement(module, [torch.zeros(2)]) == (CPU, "tensors of the module lie on meta")


def test_torch_compile_is_called_until_its_graphs_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def compiled(module: torch.nn.Module, mode: str, dynamic: bool) -> torch.nn.Module:
        module.register_forward_pre_hook(lambda *_: calls.append(mode))
        return module

    monkeypatch.setattr(torch, "compile", compiled)
    with machine(), open_session(case(tmp_path).model, compile="reduce-overhead") as session:
        assert calls == ["reduce-overhead"] * 3
        assert session.describe()["CUDA graph"] == "by torch.compile"
