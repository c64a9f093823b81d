"""Whatever is not there, does not fit or goes wrong is one clear line, with nothing left behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backends import nvidia
from backends.base import BackendError, BackendUnavailable, Device, DeviceError, DeviceInfo, OptionValue, Precision
from backends.pytorch import installation
from tests.backends.pytorch.machines import BACKEND, CPU, CUDA, case, machine, open_session, prepare
from tests.doubles.torch_cuda.config import ILLEGAL_ACCESS, NO_DRIVER, NO_MEMORY, OLD_DRIVER


@pytest.mark.parametrize(
    ("settings", "device", "words"),
    [
        ({"built": False}, CUDA, r"^torch \S+ is built without CUDA; install a build for CUDA"),
        ({"init": NO_DRIVER}, CUDA, "^no NVIDIA driver was found"),
        (
            {"init": OLD_DRIVER},
            CUDA,
            r"the NVIDIA driver is too old: it knows CUDA 11\.4, and torch \S+ is built for 13",
        ),
        (
            {"init": "No CUDA GPUs are available"},
            CUDA,
            "finds no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES",
        ),
        (
            {"init": "Unexpected error from cudaGetDeviceCount(). Did you run some?\nError 804: forward compatibility"},
            CUDA,
            r"cannot use CUDA here \(Error 804: forward compatibility\)",
        ),
        ({"count": 2}, Device("cuda", 2), "^there is no cuda:2: CUDA shows cuda:0 to cuda:1"),
    ],
)
def test_a_device_that_cannot_be_opened(tmp_path: Path, settings: dict[str, Any], device: Device, words: str) -> None:
    with machine(**settings), pytest.raises(BackendUnavailable, match=words) as caught:
        open_session(case(tmp_path).model, device=device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("precision", "device", "given", "words"),
    [
        (Precision.FP32, CPU, {"graph": True}, "graph=true needs CUDA and the device is cpu"),
        (Precision.FP32, CUDA, {"graph": True, "compile": "max-autotune"}, "makes CUDA graphs itself"),
        (Precision.FP32, CUDA, {"graph": True, "compile": "reduce-overhead"}, "makes CUDA graphs itself"),
        (Precision.FP32, CUDA, {"autocast": True}, "autocast=true is a way to fp16 or bf16 and the precision is fp32"),
        (Precision.TF32, CUDA, {"autocast": True}, "the precision is tf32"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, precision: Precision, device: Device, given: dict[str, OptionValue], words: str
) -> None:
    with pytest.raises(BackendUnavailable, match=words):
        prepare(case(tmp_path).model, precision, device, **given)


def test_a_compiled_module_can_be_captured_where_its_mode_makes_no_graphs(tmp_path: Path) -> None:
    prepare(case(tmp_path).model, graph=True, compile="default")
    prepare(case(tmp_path).model, graph=True, compile="max-autotune-no-cudagraphs")


def test_bf16_that_would_be_emulated_is_refused(tmp_path: Path) -> None:
    with machine(capability=(7, 5), card="Tesla T4"), pytest.raises(BackendUnavailable, match="Tesla T4 has no bf16"):
        open_session(case(tmp_path).model, Precision.BF16)


@pytest.mark.parametrize("where", ["launch", "upload", "pin", "stream", "download"])
def test_out_of_memory_names_the_batch_and_what_to_do(tmp_path: Path, where: str) -> None:
    subject = case(tmp_path)

    def use() -> None:
        with open_session(subject.model) as session:
            session.copy_inputs(subject.feeds(1))
            session.enqueue()
            session.synchronize()
            session.copy_outputs()

    with machine(fail={where: torch.OutOfMemoryError(NO_MEMORY)}) as world:
        with pytest.raises(DeviceError) as caught:
            use()
        text = str(caught.value)
        del caught
        world.config.fail.clear()
        use()  # the device goes on
    assert "cuda:0 is out of memory with batch 4 (for 20.00 GiB; 9.06 GiB of 14.75 GiB are free)" in text
    assert text.endswith("measure smaller batches (--bs), or end what else uses the card.")
    assert "\n" not in text


def test_a_library_s_own_word_for_no_memory_is_understood(tmp_path: Path) -> None:
    fail = {"launch": RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")}
    with machine(fail=fail), pytest.raises(DeviceError, match="out of memory with batch 4; measure smaller"):
        open_session(case(tmp_path).model)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("CUDA error: no kernel image is available for execution on the device\nSearch for `x'", "compute capability"),
        ("CUDA error: CUDA-capable device(s) is/are busy or unavailable", "end other processes"),
        ("cuDNN error: CUDNN_STATUS_NOT_INITIALIZED", "too little memory is free"),
        ("FIND was unable to find an engine to execute this computation", "install another build"),
        (ILLEGAL_ACCESS, "CUDA_LAUNCH_BLOCKING"),
        ("CUDA error: something new", "CUDA_LAUNCH_BLOCKING"),
        ("The size of tensor a (3) must match", "check the module and its inputs"),
    ],
)
def test_what_is_to_be_done_is_told_by_what_failed(tmp_path: Path, told: str, words: str) -> None:
    with machine() as world, open_session(case(tmp_path).model) as session:
        world.config.fail["launch"] = RuntimeError(told)
        with pytest.raises(DeviceError) as caught:
            session.enqueue()
        text = str(caught.value)
        del caught
        world.config.fail.clear()
    assert words in text
    assert "\n" not in text


@pytest.mark.parametrize(("device", "words"), [(CPU, "a C++ compiler must"), (CUDA, "Triton and a C compiler must")])
def test_a_compiler_that_is_missing_is_told_on_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Device, words: str
) -> None:
    def without_a_compiler(module: Any, **_: Any) -> Any:
        def call(*_: Any) -> Any:
            raise RuntimeError("Failed to find C compiler. Please specify via CC environment variable.")

        return call

    monkeypatch.setattr(torch, "compile", without_a_compiler)
    with machine():
        with pytest.raises(DeviceError, match=r"torch\.compile.*Failed to find C compiler") as caught:
            open_session(case(tmp_path).model, Precision.FP32, device, compile="default")
        text = str(caught.value)
        del caught
    assert words in text
    assert "pytorch:compile=off" in text


def test_the_compiler_s_memory_is_the_device_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    fail = {"launch": torch.OutOfMemoryError(NO_MEMORY)}
    with machine(fail=fail), pytest.raises(DeviceError, match="out of memory with batch 4"):
        open_session(case(tmp_path).model, compile="default")


def test_two_with_graphs_of_the_compiler_are_never_in_flight_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, **_: module)
    model = case(tmp_path).model
    with machine():
        for _ in range(2):
            with open_session(model, compile="reduce-overhead"):
                with open_session(model, compile="default"):
                    pass
                with pytest.raises(DeviceError, match="would overwrite each other; use --streams 1"):
                    open_session(model, compile="max-autotune")


def test_work_that_failed_is_told_where_it_is_waited_for_and_close_says_no_more(tmp_path: Path) -> None:
    subject = case(tmp_path)
    with machine() as world:
        session = open_session(subject.model)
        session.copy_inputs(subject.feeds(1))
        session.enqueue()
        broken = RuntimeError(ILLEGAL_ACCESS)
        world.config.fail |= dict.fromkeys(["synchronize", "launch", "empty_cache", "upload", "download"], broken)
        with pytest.raises(DeviceError) as caught:
            session.synchronize()
        assert str(caught.value).startswith(
            "torch.cuda.Stream.synchronize failed (CUDA error: an illegal memory access was encountered); an earlier"
        )
        assert "\n" not in str(caught.value)
        del caught
        session.close()


def test_what_fails_while_closing_is_told(tmp_path: Path) -> None:
    with machine() as world:
        session = open_session(case(tmp_path).model)
        world.config.fail["synchronize"] = RuntimeError(ILLEGAL_ACCESS)
        with pytest.raises(DeviceError, match="illegal memory access"):
            session.close()
        session.close()


@pytest.mark.parametrize("where", ["upload", "launch", "download", "record"])
def test_every_call_that_fails_is_one_line(tmp_path: Path, where: str) -> None:
    subject = case(tmp_path)
    with machine() as world:
        session = open_session(subject.model)
        world.config.fail[where] = RuntimeError(ILLEGAL_ACCESS)

        def use() -> None:
            session.copy_inputs(subject.feeds(1))
            event = session.device_event()
            assert event is not None
            event.record()
            session.enqueue()
            session.synchronize()
            session.copy_outputs()

        with pytest.raises(DeviceError) as caught:
            use()
        assert "illegal memory access" in str(caught.value)
        assert "\n" not in str(caught.value)
        del caught
        session.close()


class _Asks(torch.nn.Module):
    """Looks at a value on the host, which no graph can hold."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.repeat(1, 6, 1, 1)[:, :16] * (1.0 if x.sum().item() > 0 else 2.0)


def test_a_module_that_cannot_be_captured_is_told_and_not_run_without(tmp_path: Path) -> None:
    model = replace(case(tmp_path).model, torch_module=_Asks)
    with machine():
        with open_session(model) as session:
            session.enqueue()
        with pytest.raises(DeviceError) as caught:
            open_session(model, graph=True)
        text = str(caught.value)
        del caught
    assert text == (
        "the module cannot be captured in a CUDA graph (CUDA error: operation not permitted when stream is capturing);"
        " leave out graph=true."
    )


def test_what_cudnn_tries_out_is_tried_out_before_the_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.pytorch.cuda import CudaSession

    monkeypatch.setattr(CudaSession, "warm_up_calls", 0)
    with machine(), pytest.raises(DeviceError, match="cannot be captured"):
        open_session(case(tmp_path).model, graph=True)


@pytest.mark.parametrize(
    ("line", "version", "built"),
    [
        ("cuda: Optional[str] = '13.0'", "2.13.0", True),
        ("cuda: Optional[str] = None", "2.13.0", False),
        ("cuda = '12.4'", "2.6.0+cu124", True),
        ("", "2.13.0+cpu", False),
        ("", "2.13.0", True),
    ],
)
def test_whether_torch_has_cuda_is_told_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, version: str, built: bool
) -> None:
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('must not be imported')")
    (package / "version.py").write_text(f"__version__ = '{version}'\n{line}\nhip: Optional[str] = None\n")
    spec = installation.importlib.util.spec_from_file_location("torch", package / "__init__.py")
    monkeypatch.setattr(installation.importlib.util, "find_spec", lambda name: spec)
    assert installation.built_for_cuda(version) is built


def test_a_torch_without_cuda_beside_a_card_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    import backends.pytorch.backend as module

    monkeypatch.setattr(nvidia, "nvidia_devices", lambda: (DeviceInfo(CUDA, "Tesla T4"),))
    monkeypatch.setattr(module, "built_for_cuda", lambda version: False)
    found = BACKEND.probe()
    assert [info.device for info in found.devices] == [CPU]
    assert "so that Tesla T4 is left out" in found.warnings[0]
    monkeypatch.setattr(module, "built_for_cuda", lambda version: True)
    found = BACKEND.probe()
    assert [info.device for info in found.devices] == [CUDA, CPU]
    assert found.warnings == ()


def test_every_error_is_one_of_the_package(tmp_path: Path) -> None:
    """An error that is no RuntimeError of PyTorch's passes through as it is, and leaves nothing behind."""

    def broken() -> torch.nn.Module:
        raise KeyError("weights")

    model = replace(case(tmp_path).model, torch_module=broken)
    with machine(), pytest.raises(KeyError) as caught:
        open_session(model)
    assert not isinstance(caught.value, BackendError)
