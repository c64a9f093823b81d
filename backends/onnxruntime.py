"""ONNX Runtime with I/O binding, on the CPU and on CUDA; a session that fell back to the CPU is an error."""

from __future__ import annotations

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

_INSTALL = "install it with: pip install -c constraints.txt -e '.[onnxruntime]'"
_PACKAGES = ("onnxruntime-gpu", "onnxruntime", "onnxruntime-openvino", "onnxruntime-cann", "onnxruntime-directml")
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxRuntimeBackend(Backend):
    """One session a batch size, buffers bound once, default graph optimisations unless asked otherwise."""

    name = "onnxruntime"
    title = "ONNX Runtime"
    options = (
        OptionSpec("threads", 0, "intra-op CPU threads; 0 = physical cores"),
        OptionSpec("optimization", "all", "graph optimisation level", ("off", "basic", "extended", "all")),
        OptionSpec("spinning", True, "threads spin while they wait (ONNX Runtime's default)"),
        OptionSpec("cpu_nodes", False, "on CUDA: let nodes run on the CPU instead of refusing the session"),
    )

    def probe(self) -> Availability:
        present = [name for name in _PACKAGES if host.package_version(name)]
        if not present or not host.installed("onnxruntime"):
            return Availability(False, f"onnxruntime is not installed; {_INSTALL}.")
        gpus = host.nvidia_devices() if "onnxruntime-gpu" in present else ()
        clash = ""
        if len(present) > 1:
            clash = (
                f"{' and '.join(present)} are installed together and overwrite each other's files;"
                " uninstall all of them, then install one."
            )
        return Availability(
            True,
            versions={name: host.package_version(name) or "" for name in present},
            devices=(*gpus, host.cpu_device()),
            warnings=(clash,) if clash else (),
        )

    def capabilities(self, device: Device) -> Capabilities:
        return Capabilities(precisions=frozenset({Precision.FP32}), dynamic_batch=True)

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        return Artifact(model, precision, path=require_onnx(model, self.name), sha256=model.sha256)

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        try:
            import onnxruntime
        except Exception as error:  # a broken installation can raise anything at import
            raise BackendUnavailable(f"import onnxruntime failed ({error}); {_INSTALL}.") from error
        return _OrtSession(onnxruntime, artifact, device, options)


class _OrtSession(Session):
    """Inputs and outputs are OrtValues on the device, bound once at open."""

    def __init__(self, ort: Any, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> None:
        self._ort = ort
        model = artifact.model
        self.inputs, self.outputs = model.inputs, model.outputs
        # ONNX Runtime executes what the file says; it was asked for fp32, the only precision it declares.
        self.precision = model.precision
        self._provider = _PROVIDERS.get(device.kind)
        if self._provider is None:
            raise BackendUnavailable(f"backend 'onnxruntime' has no provider for {device}; use --device cpu or cuda.")
        threads = int(options["threads"]) or host.physical_cores()
        self._settings = {key: str(value).lower() for key, value in options.items()} | {"threads": str(threads)}
        session_options = ort.SessionOptions()
        session_options.log_severity_level = 3
        session_options.intra_op_num_threads = threads
        session_options.graph_optimization_level = {
            "off": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
            "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
            "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
            "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
        }[str(options["optimization"])]
        session_options.add_session_config_entry("session.intra_op.allow_spinning", "1" if options["spinning"] else "0")
        # With the batch known, chains of Shape nodes fold away; on CUDA they would run on the CPU.
        session_options.add_free_dimension_override_by_name("batch", model.batch)
        self._session: Any = self._load(session_options, artifact, device, bool(options["cpu_nodes"]))
        self.device = self._device_in_force()
        if self.device.kind != "cpu" and options["cpu_nodes"]:
            self.fallback = "nodes that CUDA lacks may run on the CPU (cpu_nodes=true)"
        self._check_names(model)
        self._binding: Any = self._session.io_binding()
        place = (device.kind, device.index)
        self._input_values = {
            s.name: ort.OrtValue.ortvalue_from_numpy(np.zeros(s.shape, s.dtype), *place) for s in self.inputs
        }
        self._output_values = {
            s.name: ort.OrtValue.ortvalue_from_shape_and_type(list(s.shape), s.dtype, *place) for s in self.outputs
        }
        for name, value in self._input_values.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in self._output_values.items():
            self._binding.bind_ortvalue_output(name, value)
        self._run = self._session.run_with_iobinding
        self._ran = False

    def _load(self, session_options: Any, artifact: Artifact, device: Device, cpu_nodes: bool) -> Any:
        ort = self._ort
        available = ort.get_available_providers()
        if self._provider not in available:
            raise BackendUnavailable(
                f"onnxruntime {ort.__version__} has no {self._provider} (it has {', '.join(available)});"
                " install onnxruntime-gpu, or use --device cpu."
            )
        providers: list[Any] = [self._provider]
        if device.kind == "cuda":
            if hasattr(ort, "preload_dlls"):
                ort.preload_dlls()
            # ONNX Runtime lets fp32 convolutions use TF32 unless told otherwise.
            providers = [(self._provider, {"device_id": str(device.index), "use_tf32": "0"})]
            if not cpu_nodes:
                session_options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            session = ort.InferenceSession(str(artifact.path), session_options, providers=providers)
        except Exception as error:  # ONNX Runtime's exceptions share no importable base class
            if "fallback to CPU EP" in str(error):
                raise BackendUnavailable(
                    f"onnxruntime would run nodes of {artifact.path} on the CPU instead of {self._provider}; install"
                    " the CUDA and cuDNN libraries of its release notes, or allow it with onnxruntime:cpu_nodes=true."
                ) from error
            raise ModelMismatch(
                f"onnxruntime cannot load {artifact.path}: {_first_line(error)}; check the .onnx file."
            ) from error
        # Without the library it needs, a provider is dropped with a log line only and the CPU takes over.
        if session.get_providers()[0] != self._provider:
            raise BackendUnavailable(
                f"onnxruntime fell back from {self._provider} to {session.get_providers()[0]};"
                " install the CUDA and cuDNN libraries of its release notes, or use --device cpu."
            )
        return session

    def _device_in_force(self) -> Device:
        """Device of the provider that comes first, with the index that the provider itself holds."""
        provider = self._session.get_providers()[0]
        kind = next(kind for kind, name in _PROVIDERS.items() if name == provider)
        return Device(kind, int(self._session.get_provider_options()[provider].get("device_id", 0)))

    def _check_names(self, model: Model) -> None:
        for kind, specs, nodes in (
            ("input", model.inputs, self._session.get_inputs()),
            ("output", model.outputs, self._session.get_outputs()),
        ):
            wanted, found = {s.name for s in specs}, {n.name for n in nodes}
            if wanted != found:
                raise ModelMismatch(
                    f"{kind}s of the .onnx file are {', '.join(sorted(found))}, not {', '.join(sorted(wanted))};"
                    " export it again."
                )

    def _copy_inputs(self, feeds: Feeds) -> None:
        for name, value in self._input_values.items():
            value.update_inplace(np.ascontiguousarray(feeds[name]))

    def enqueue(self) -> None:
        self._run(self._binding)
        self._ran = True

    def synchronize(self) -> None:
        self._binding.synchronize_outputs()

    def copy_outputs(self) -> dict[str, Array]:
        if not self._ran:
            raise DeviceError("no outputs yet: call enqueue and synchronize before copy_outputs.")
        return {name: np.array(value.numpy(), copy=True) for name, value in self._output_values.items()}

    def describe(self) -> dict[str, str]:
        return {
            "onnxruntime": str(self._ort.__version__),
            "providers": ", ".join(self._session.get_providers()),
            **self._settings,
        }

    def _close(self) -> None:
        self._binding.clear_binding_inputs()
        self._binding.clear_binding_outputs()
        self._binding = self._run = self._session = None
        self._input_values.clear()
        self._output_values.clear()


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
