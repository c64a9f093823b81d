"""What an error of ONNX Runtime's means: its exceptions share no importable base class, so its words are read."""

from __future__ import annotations

import ctypes
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import BackendError, BackendUnavailable, ConversionError, Device, DeviceError, ModelMismatch
from backends.convert.graph import told
from backends.onnxruntime.providers import CUDA, TENSORRT, Settings

_NO_MEMORY = re.compile(
    r"out of memory|OutOfMemory|Failed to allocate memory|smaller than requested bytes|cudaErrorMemoryAllocation"
    r"|_STATUS_ALLOC_FAILED"
)
_NO_DEVICE = re.compile(r"Invalid device ID|invalid device ordinal|device id doesn't match", re.IGNORECASE)
_NO_CAPTURE = re.compile(r"cuda ?graph|captur", re.IGNORECASE)
_NO_OPTION = re.compile(
    r"Unknown provider option|Invalid TensorRT EP option|The value for the key|Failed to parse provider"
)
_NO_LIBRARY = re.compile(
    r"Please install TensorRT libraries|CUDA_PATH is set but|Provider not available|Failed to load"
)
_NO_ENGINE = re.compile(r"TensorRT EP (could not deserialize|failed to deserialize)")
_NO_BUILD = re.compile(r"TensorRT EP (Failed to Build|failed to create engine|could not build)", re.IGNORECASE)
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
#: Libraries -> where they come from.
_SOURCES = (
    ("libnvinfer.so.10", "TensorRT 10 from NVIDIA's own package index: pip install 'tensorrt-cu13<11'"),
    ("libnvonnxparser.so.10", "TensorRT 10 from NVIDIA's own package index: pip install 'tensorrt-cu13<11'"),
    ("libcuda.so", "the NVIDIA driver; in a container start it with --gpus all"),
)
_CUDA_WHEELS = "CUDA's and cuDNN's libraries: pip install 'onnxruntime-gpu[cuda,cudnn]'"
_ANY_LIBRARY = "the CUDA and cuDNN libraries of its release notes"


@dataclass(frozen=True, slots=True)
class Scene:
    """What was being done, for messages; `opening` until the first run."""

    ort: Any
    settings: Settings
    path: Path
    device: Device
    batch: int
    opening: bool = True
    #: the user's file, where `path` was made of it
    made_from: str = ""

    @property
    def title(self) -> str:
        """The file for messages: by the name that the user knows."""
        return told(self.path, self.made_from)


def first_line(error: BaseException) -> str:
    """The first line that says anything, without ONNX Runtime's own prefix."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return _PREFIX.sub("", line).rstrip(".")


def engine_is_damaged(error: BaseException) -> bool:
    """Whether it is a kept engine that TensorRT does not load."""
    return _NO_ENGINE.search(str(error)) is not None


def explained(error: BaseException, scene: Scene) -> BackendError:
    """The project's error for it, one line that ends with what to do.

    The vendor's objects in its traceback are let go of: they must not outlive the stream that they work on.
    """
    traceback.clear_frames(error.__traceback__)
    words, line, provider = str(error), first_line(error), scene.settings.provider
    if scene.device.kind != "cpu":
        if _NO_MEMORY.search(words):
            return DeviceError(
                f"batch {scene.batch} does not fit in the memory of {scene.device} ({line}); try smaller batches, or"
                " end what else uses the card (nvidia-smi shows it)."
            )
        if _NO_DEVICE.search(words):
            return BackendUnavailable(
                f"ONNX Runtime finds no {scene.device} ({line}); compare with nvidia-smi -L and CUDA_VISIBLE_DEVICES."
            )
        if _NO_LIBRARY.search(words):
            return not_loaded(scene.ort, provider)
        if _NO_OPTION.search(words):
            return BackendUnavailable(
                f"onnxruntime {scene.ort.__version__} does not take an option ({line}); install onnxruntime-gpu 1.20 or"
                " newer."
            )
        if "fallback to CPU EP" in words:
            return _on_the_cpu(scene)
        if scene.settings.graph and _NO_CAPTURE.search(words):
            return DeviceError(f"{scene.title} cannot run as a CUDA graph ({line}); leave out graph=true.")
        if _NO_BUILD.search(words):
            return ConversionError(
                f"TensorRT cannot build an engine of {scene.title} ({line}); see the lines above, or use"
                " onnxruntime:provider=cuda."
            )
    if scene.opening:
        return ModelMismatch(f"onnxruntime cannot load {scene.title}: {line}; check the .onnx file.")
    hint = "check the .onnx file" if scene.device.kind == "cpu" else "see dmesg for Xid errors, or try smaller batches"
    return DeviceError(f"onnxruntime cannot run {scene.title} on {scene.device}: {line}; {hint}.")


def not_loaded(ort: Any, provider: str, instead: str = "") -> BackendUnavailable:
    """For a provider that this build has and that is not there; `instead` is the one that came in its place."""
    missing = missing_library(ort, provider)
    what = f"onnxruntime fell back from {provider} to {instead}" if instead else f"onnxruntime cannot load {provider}"
    if not missing:
        return BackendUnavailable(f"{what}; install {_ANY_LIBRARY}, or use --device cpu.")
    return BackendUnavailable(f"{what} ({missing}); install {_source(missing)}.")


def _on_the_cpu(scene: Scene) -> BackendUnavailable:
    provider = scene.settings.provider
    if missing := missing_library(scene.ort, provider):
        return BackendUnavailable(f"onnxruntime cannot load {provider} ({missing}); install {_source(missing)}.")
    return BackendUnavailable(
        f"onnxruntime would run nodes of {scene.title} on the CPU instead of {provider}; install {_ANY_LIBRARY}, or"
        " allow it with onnxruntime:cpu_nodes=true."
    )


def _source(missing: str) -> str:
    return next((source for name, source in _SOURCES if name in missing), _CUDA_WHEELS)


def missing_library(ort: Any, provider: str) -> str:
    """What the dynamic linker says of a provider's library, "" where it loads or this build has none.

    ONNX Runtime itself says it in a line of its log only.
    """
    name = {CUDA: "cuda", TENSORRT: "tensorrt"}.get(provider)
    folder = Path(getattr(ort, "__file__", None) or "").parent / "capi"
    library = folder / f"libonnxruntime_providers_{name}.so"
    if not library.is_file():
        return ""
    try:
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(library))
    except OSError as error:
        return str(error).partition("\n")[0]
    return ""
