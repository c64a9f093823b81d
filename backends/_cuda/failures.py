"""The one line that a failed call becomes."""

from __future__ import annotations

from backends._cuda.codes import OUT_OF_MEMORY, UNAVAILABLE, explain
from backends.base import BackendError, BackendUnavailable, DeviceError

NO_DRIVER = (
    "no NVIDIA driver was found (its library libcuda.so.1 does not load); install it, or start the container with its"
    " GPUs (docker run --gpus all)."
)

#: The calls that allocate page-locked memory, by the runtime's name and by the driver's.
_ON_HOST = ("cudaHostAlloc", "cuMemHostAlloc")
_HOST_MEMORY = "measure smaller batches, or free memory of the host (free -h) and see the container's limit"
_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def failure(call: str, code: int, name: str = "", asked: int = 0, free: tuple[int, int] | None = None) -> DeviceError:
    """The error of a call: the code, its name and meaning, and what to do.

    Out of memory, `asked` are the bytes that were wanted and `free` what the device has free, and in all: no matter
    where it is the host's memory that there is too little of.
    """
    known = explain(code)
    told = f"{name}: {known.meaning}" if name and name != known.meaning else known.meaning
    if code == OUT_OF_MEMORY and asked:
        told += f" for {size(asked)}"
        if call in _ON_HOST:
            told += " of page-locked host memory"
        elif free is not None:
            told += f"; {size(free[0])} of {size(free[1])} are free"
    advice = _HOST_MEMORY if call in _ON_HOST and code == OUT_OF_MEMORY else known.advice
    return DeviceError(f"{call} failed with {code} ({told}); {advice}.")


def at_opening(code: int, error: DeviceError) -> BackendError:
    """The same as BackendUnavailable where nothing can be opened on this machine."""
    return BackendUnavailable(str(error)) if code in UNAVAILABLE else error


def size(count: int) -> str:
    """Bytes as people write them: 1.5 GiB."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes"


def no_such_device(device: int, count: int) -> BackendUnavailable:
    """The error for a number that no device has."""
    there = "cuda:0" if count == 1 else f"cuda:0 to cuda:{count - 1}"
    return BackendUnavailable(
        f"there is no cuda:{device}: CUDA shows {there}; name one of these, or see whether CUDA_VISIBLE_DEVICES hides"
        " the one that you mean."
    )


def dotted(version: int) -> str:
    """13.0 for 13000, as CUDA writes its versions."""
    return f"{version // 1000}.{version % 1000 // 10}"
