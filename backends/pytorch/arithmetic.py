"""In which arithmetic a module is executed: PyTorch's process-wide switches, set and read back, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backends import host
from backends._cuda.tf32 import OVERRIDE, check_not_forced, override
from backends.base import BackendUnavailable, Device, OptionValue, Precision

#: TF32 and bf16 came with Ampere.
_AMPERE = (8, 0)


def executed(torch: Any, asked: Precision, device: Device) -> Precision:
    """What the device makes of it: before Ampere, on a T4 for one, TF32 is fp32; so it is where the user forbade it.

    Raises BackendUnavailable for bf16 before Ampere, which PyTorch would emulate, and for fp32 where the environment
    may turn it into TF32.
    """
    if device.kind != "cuda" or asked is Precision.FP16:
        return asked
    has_both = tuple(torch.cuda.get_device_capability(device.index)) >= _AMPERE
    if asked is Precision.BF16 and not has_both:
        card = torch.cuda.get_device_name(device.index)
        raise BackendUnavailable(f"{card} has no bf16 arithmetic, PyTorch would emulate it; ask for fp16.")
    if asked is Precision.TF32 and not (has_both and override() != "0"):
        return Precision.FP32
    if asked is Precision.FP32:
        check_not_forced(has_both)
    return asked


def half_type(torch: Any, precision: Precision) -> Any:
    """PyTorch's type of 16 bits for this precision; None for the others."""
    return {Precision.FP16: torch.float16, Precision.BF16: torch.bfloat16}.get(precision)


def under_autocast(torch: Any, module: Any, kind: str, dtype: Any) -> Callable[..., Any]:
    """The module, each call of which is under autocast. Its weights stay fp32 and are cast in each call."""

    def call(*inputs: Any) -> Any:
        with torch.autocast(kind, dtype=dtype):
            return module(*inputs)

    return call


def apply_switches(torch: Any, asked: Precision, device: Device, options: Mapping[str, OptionValue]) -> dict[str, str]:
    """Set the switches for one session (a worker process opens sessions of one kind) and say what is in force.

    TF32 has two sets of switches, of which one may be used in a process: `allow_tf32` is the one that every version
    has. PyTorch's default lets convolutions use it and matmuls not; here fp32 means fp32 in both.
    """
    torch.set_num_threads(int(options["threads"]) or host.physical_cores())
    told = {"threads": str(torch.get_num_threads()), "channels_last": str(options["channels_last"]).lower()}
    if device.kind != "cuda":
        return told
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    cudnn.allow_tf32 = matmul.allow_tf32 = asked is Precision.TF32
    cudnn.benchmark = bool(options["cudnn_benchmark"])
    major, minor = torch.cuda.get_device_capability(device.index)
    told |= {
        "card": str(torch.cuda.get_device_name(device.index)),
        "compute capability": f"{major}.{minor}",
        "cuda": str(torch.version.cuda),
        "cudnn": str(cudnn.version()),
        "cudnn.allow_tf32": str(cudnn.allow_tf32).lower(),
        "matmul.allow_tf32": str(matmul.allow_tf32).lower(),
        "cudnn.benchmark": str(cudnn.benchmark).lower(),
        "cudnn.deterministic": str(cudnn.deterministic).lower(),
    }
    if forced := override():
        told[OVERRIDE] = forced
    return told


def in_words(precision: Precision, autocast: bool) -> str:
    """How the precision came about, for a reader."""
    if precision is Precision.TF32:
        return "fp32, which convolutions and matmuls may round to tf32"
    if precision not in (Precision.FP16, Precision.BF16):
        return f"{precision} weights and activations"
    if autocast:
        return f"{precision} by torch.autocast: fp32 weights, cast in each call"
    return f"{precision} weights and activations, all of the module"
