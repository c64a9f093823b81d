"""PyTorch's errors as one line each: no device to open, no memory left, work that failed on the device."""

from __future__ import annotations

import re
from typing import Any

from backends._cuda.codes import STICKY, code_of, explain
from backends._cuda.failures import NO_DRIVER, dotted, no_such_device
from backends.base import BackendUnavailable, Device, DeviceError

_NO_MEMORY = ("out of memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")
#: What cuDNN and cuBLAS say where it is not the module that is wrong.
_LIBRARIES = {
    "_STATUS_NOT_INITIALIZED": "the library could not start: most often too little memory is free (measure smaller"
    " batches, or end what else uses the card), or it is of another CUDA than the driver's",
    "unable to find an engine": "cuDNN has no way to compute a convolution there: too little memory is free, or this"
    " build of PyTorch does not support the card; measure smaller batches, or install another build",
}
_BUILDS = "https://pytorch.org/get-started"


def check_device(torch: Any, device: Device) -> None:
    """Raise BackendUnavailable unless PyTorch has that CUDA device, with the reason."""
    if not torch.backends.cuda.is_built():
        raise BackendUnavailable(
            f"torch {torch.__version__} is built without CUDA; install a build for CUDA ({_BUILDS}), or use"
            " --device cpu."
        )
    try:
        torch.cuda.init()
    except Exception as error:  # RuntimeError, AssertionError or PyTorch's own for a call that it put off
        raise BackendUnavailable(_why_not(torch, error)) from error
    count = torch.cuda.device_count()
    if device.index >= count:
        raise no_such_device(device.index, count)


def _why_not(torch: Any, error: Exception) -> str:
    text = " ".join(str(error).split())
    if "no NVIDIA driver" in text:
        return NO_DRIVER
    if old := re.search(r"driver on your system is too old \(found version (\d+)\)", text):
        return (
            f"the NVIDIA driver is too old: it knows CUDA {dotted(int(old[1]))}, and torch {torch.__version__} is built"
            f" for {torch.version.cuda}; install a newer driver, or a torch for an older CUDA ({_BUILDS})."
        )
    if "No CUDA GPUs" in text:
        return "PyTorch finds no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu."
    told = re.search(r"Error \d+: .*", text)
    reason = (told[0] if told else text.partition(". ")[0]).rstrip(".")
    return f"PyTorch cannot use CUDA here ({reason}); check nvidia-smi, or use --device cpu."


def out_of_memory(torch: Any, error: BaseException) -> bool:
    """Whether that is what happened, in PyTorch's own memory or in a library's."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in _NO_MEMORY)


def of_the_device(error: BaseException) -> bool:
    """Whether CUDA itself failed, after which every later call fails too."""
    return "CUDA error" in str(error)


def failure(torch: Any, what: str, error: BaseException, device: Device, batch: int) -> DeviceError:
    """The error of `what`, a call or a step in words."""
    if out_of_memory(torch, error):
        return DeviceError(
            f"{what}: {device} is out of memory with batch {batch}{_amounts(str(error))}; measure smaller batches"
            " (--bs), or end what else uses the card."
        )
    line = first_line(error)
    for sign, advice in _LIBRARIES.items():
        if sign in line:
            return DeviceError(f"{what} failed with batch {batch} ({line}); {advice}.")
    code = code_of(line.rpartition("CUDA error: ")[2])
    if code is not None and code not in STICKY:
        known = explain(code)
        return DeviceError(f"{what} failed ({line}: {known.meaning}); {known.advice}.")
    if not of_the_device(error):
        return DeviceError(f"{what} failed ({type(error).__name__}: {line}); check the module and its inputs.")
    return DeviceError(
        f"{what} failed ({line}); an earlier call may be the one that went wrong: CUDA_LAUNCH_BLOCKING=1 tells which,"
        " dmesg (Xid) whether it was the card."
    )


def _amounts(text: str) -> str:
    """What was asked for and what is free, as PyTorch tells it; nothing where it does not."""
    asked = re.search(r"Tried to allocate ([\d.]+ \w+)", text)
    free = re.search(r"total capacity of ([\d.]+ \w+) of which ([\d.]+ \w+) is free", text)
    told = [f"for {asked[1]}"] if asked else []
    told += [f"{free[2]} of {free[1]} are free"] if free else []
    return f" ({'; '.join(told)})" if told else ""


def first_line(error: BaseException) -> str:
    """The first line that says anything, without its full stop."""
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
