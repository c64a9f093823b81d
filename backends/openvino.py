"""OpenVINO on the CPU: one infer request, asynchronous start and wait, shared tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends import host
from backends.base import (
    Array,
    Artifact,
    Availability,
    Backend,
    BackendUnavailable,
    Capabilities,
    Device,
    DeviceError,
    Feeds,
    Model,
    ModelMismatch,
    OptionSpec,
    OptionValue,
    Precision,
    Session,
    require_onnx,
)

_INSTALL = "install it with: pip install -c constraints.txt -e '.[openvino]'"
_HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16"}
_EXECUTED = {"f32": Precision.FP32, "float32": Precision.FP32, "bf16": Precision.BF16, "bfloat16": Precision.BF16}


class OpenVinoBackend(Backend):
    """Compiles the .onnx file for one fixed batch; the precision reported is the one read back after compiling."""

    name = "openvino"
    title = "OpenVINO"
    options = (
        OptionSpec("threads", 0, "inference threads; 0 = physical cores"),
        OptionSpec("hint", "latency", "PERFORMANCE_HINT", ("latency", "throughput", "none")),
    )

    def probe(self) -> Availability:
        version = host.package_version("openvino")
        if version is None or not host.installed("openvino"):
            return Availability(False, f"openvino is not installed; {_INSTALL}.")
        return Availability(True, versions={"openvino": version}, devices=(host.cpu_device(),))

    def capabilities(self, device: Device) -> Capabilities:
        precisions = {Precision.FP32}
        if host.cpu_flags() & {"avx512_bf16", "amx_bf16"}:  # elsewhere OpenVINO takes the hint and runs fp32
            precisions.add(Precision.BF16)
        return Capabilities(precisions=frozenset(precisions), asynchronous=True)

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        return Artifact(model, precision, path=require_onnx(model, self.name), sha256=model.sha256)

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        try:
            import openvino
        except Exception as error:  # a broken installation can raise anything at import
            raise BackendUnavailable(f"import openvino failed ({error}); {_INSTALL}.") from error
        return _OpenVinoSession(openvino, artifact, options)


class _OpenVinoSession(Session):
    """One compiled model and one infer request over numpy memory that lives as long as the session."""

    def __init__(self, ov: Any, artifact: Artifact, options: Mapping[str, OptionValue]) -> None:
        model = artifact.model
        self.inputs, self.outputs = model.inputs, model.outputs
        threads = int(options["threads"]) or host.physical_cores()
        # Without the explicit precision OpenVINO runs bf16 on CPUs that have it, whatever the file says.
        config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _HINTS[artifact.precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        if options["hint"] != "none":
            config["PERFORMANCE_HINT"] = str(options["hint"]).upper()
        if options["hint"] == "throughput":
            del config["NUM_STREAMS"]
        self._compiled: Any = _compile(ov, artifact, config)
        self._version = str(ov.__version__)
        self._settings = {
            "threads": str(self._property("INFERENCE_NUM_THREADS")),
            "streams": str(self._property("NUM_STREAMS")),
            "hint": str(options["hint"]),
            "device": ", ".join(self._property("EXECUTION_DEVICES")),
        }
        if self._settings["device"] != "CPU":
            raise DeviceError(
                f"OpenVINO executes on {self._settings['device'] or 'no device'} though it was asked for the CPU;"
                " report this."
            )
        self.device = host.CPU
        self.precision, self._nodes = self._executed_precision()
        self._request: Any = self._compiled.create_infer_request()
        self._input_arrays = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in self.inputs}
        self._output_arrays = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in self.outputs}
        for name, array in (self._input_arrays | self._output_arrays).items():
            self._request.set_tensor(name, ov.Tensor(array, shared_memory=True))
        self._ran = self._in_flight = False

    def _property(self, name: str) -> Any:
        return self._compiled.get_property(name)

    def _executed_precision(self) -> tuple[Precision, str]:
        """Precision in force, and how many nodes of the compiled graph run in which one."""
        hint = self._property("INFERENCE_PRECISION_HINT")
        text = str(hint.get_type_name() if hasattr(hint, "get_type_name") else hint)
        if text not in _EXECUTED:
            raise DeviceError(f"OpenVINO reports inference precision {text!r}, which is not known here; report this.")
        nodes: Counter[str] = Counter()
        for node in self._compiled.get_runtime_model().get_ops():
            info = node.get_rt_info()
            if "runtimePrecision" in info:
                nodes[_text(info["runtimePrecision"])] += 1
        summary = ", ".join(f"{name} {count}" for name, count in nodes.most_common())
        quantised = nodes["i8"] + nodes["u8"] > 0
        return Precision.INT8 if quantised else _EXECUTED[text], summary

    def _copy_inputs(self, feeds: Feeds) -> None:
        for name, array in self._input_arrays.items():
            np.copyto(array, feeds[name])

    def enqueue(self) -> None:
        if self._in_flight:  # the one infer request refuses to be started again before it is done
            self._request.wait()
        self._request.start_async()
        self._ran = self._in_flight = True

    def synchronize(self) -> None:
        self._request.wait()
        self._in_flight = False

    def copy_outputs(self) -> dict[str, Array]:
        if not self._ran:
            raise DeviceError("no outputs yet: call enqueue and synchronize before copy_outputs.")
        return {name: array.copy() for name, array in self._output_arrays.items()}

    def describe(self) -> dict[str, str]:
        return {"openvino": self._version, "node precisions": self._nodes, **self._settings}

    def _close(self) -> None:
        self._request = self._compiled = None
        self._input_arrays.clear()
        self._output_arrays.clear()


def _text(value: Any) -> str:
    return str(value.astype(str)) if hasattr(value, "astype") else str(value)


def _compile(ov: Any, artifact: Artifact, config: Mapping[str, Any]) -> Any:
    """Read, fix the shapes, compile. Raises ModelMismatch with OpenVINO's first line."""
    core = ov.Core()
    try:
        network = core.read_model(str(artifact.path))
        network.reshape({spec.name: list(spec.shape) for spec in artifact.model.inputs})
        return core.compile_model(network, "CPU", dict(config))
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        # OpenVINO puts the place of its own source first ("Exception from src/...:") and the reason after it.
        reason = next((line for line in lines if not line.startswith("Exception from")), type(error).__name__)
        raise ModelMismatch(
            f"openvino cannot compile {artifact.path}: {reason}; check the .onnx file and its input shapes."
        ) from error
