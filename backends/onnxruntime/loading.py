"""A vendor's session from a file: opened with what was asked for, or refused."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

from backends import host
from backends.base import BackendUnavailable, Device, Model, ModelMismatch, OptionValue, TensorSpec
from backends.onnxruntime.failures import Scene, explained, not_loaded
from backends.onnxruntime.placement import RECORD
from backends.onnxruntime.providers import CUDA, TENSORRT, Settings, Wish


def check_available(ort: Any, settings: Settings) -> None:
    """Raises BackendUnavailable unless this build has the provider."""
    available = ort.get_available_providers()
    if settings.provider not in available:
        raise BackendUnavailable(
            f"onnxruntime {ort.__version__} has no {settings.provider} (it has {', '.join(available)});"
            " install onnxruntime-gpu, or use --device cpu."
        )


def preload(ort: Any, settings: Settings) -> None:
    """Load the libraries that lie in wheels, where the dynamic linker does not look."""
    with suppress(Exception), redirect_stdout(io.StringIO()):  # what is missing is said, and better, by the session
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()
        if settings.provider == TENSORRT:
            importlib.import_module("tensorrt_libs")


def session_options(ort: Any, options: Mapping[str, OptionValue], threads: int, sizes: Mapping[str, int]) -> Any:
    """The vendor's SessionOptions; `sizes` are those of dimensions that the file leaves open, by their names."""
    made = ort.SessionOptions()
    made.log_severity_level = 3
    made.intra_op_num_threads = threads
    made.graph_optimization_level = {
        "off": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
        "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
        "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    }[str(options["optimization"])]
    made.add_session_config_entry("session.intra_op.allow_spinning", "1" if options["spinning"] else "0")
    made.add_session_config_entry(RECORD, "1")
    for name, size in sizes.items():
        made.add_free_dimension_override_by_name(name, size)
    return made


def run_options(ort: Any) -> Any:
    """The vendor's RunOptions for a stream that the caller waits for; a run would else end with a wait of its own."""
    made = ort.RunOptions()
    made.add_run_config_entry("disable_synchronize_execution_providers", "1")
    # The default, which costs some 70 microseconds a run to find out where it is not set.
    made.add_run_config_entry("gpu_graph_id", "0")
    return made


def open_sizes(path: Path, model: Model, device: Device) -> dict[str, int]:
    """Sizes of the dimensions that the file leaves open.

    With them known, chains of Shape nodes fold away; on a GPU they would run on the CPU.
    """
    sizes = {"batch": model.batch}
    if device.kind == "cpu":
        return sizes
    try:
        import onnx

        inputs = onnx.load(str(path), load_external_data=False).graph.input
    except Exception:  # onnx is not there, or cannot read it: ONNX Runtime says what is wrong with the file
        return sizes
    shapes = {spec.name: spec.shape for spec in model.inputs}
    for value in inputs:
        dims = value.type.tensor_type.shape.dim
        sizes |= {
            dim.dim_param: size
            for dim, size in zip(dims, shapes.get(value.name, ()), strict=False)
            if dim.WhichOneof("value") == "dim_param" and dim.dim_param
        }
    return sizes


def load(scene: Scene, wanted: Wish, options: Any) -> Any:
    """The vendor's session. Raises BackendUnavailable, ConversionError, DeviceError, ModelMismatch."""
    if scene.device.kind != "cpu" and not scene.settings.cpu_nodes:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        # Without the last argument it prints an error of a provider and goes on with the next one.
        return scene.ort.InferenceSession(str(scene.path), options, providers=wanted.argument(), enable_fallback=0)
    except Exception as error:
        raise explained(error, scene) from error


def check_providers(scene: Scene, wanted: Wish, found: Sequence[str]) -> None:
    """Raises BackendUnavailable where one was dropped, for lack of a library: a line in a log is all that says so."""
    for name in wanted.names:
        if name not in found:
            raise not_loaded(scene.ort, name, instead=found[0])
    if found[0] != wanted.names[0]:
        raise BackendUnavailable(
            f"onnxruntime puts {found[0]} before {wanted.names[0]}; install another version of onnxruntime."
        )


def check_names(kind: str, specs: Sequence[TensorSpec], found: Sequence[str]) -> None:
    """Raises ModelMismatch unless the file has the names that the model has."""
    wanted = {spec.name for spec in specs}
    if wanted != set(found):
        raise ModelMismatch(
            f"{kind}s of the .onnx file are {', '.join(sorted(found))}, not {', '.join(sorted(wanted))};"
            " export it again."
        )


def thread_count(options: Mapping[str, OptionValue]) -> int:
    """As asked, or one a physical core."""
    return int(options["threads"]) or host.physical_cores()


def build_facts(ort: Any) -> dict[str, str]:
    """The CUDA that this build was made for, where it says so."""
    version = getattr(ort, "cuda_version", "") or ""
    return {"built for": f"CUDA {version}"} if version and CUDA in ort.get_available_providers() else {}
