"""PyTorch: eager or `torch.compile`, on the CPU and on CUDA."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
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
    DeviceInfo,
    Feeds,
    Model,
    ModelMismatch,
    OptionSpec,
    OptionValue,
    Precision,
    Session,
)

_INSTALL = "install it with: pip install -c constraints.txt -e '.[torch]'"


class PyTorchBackend(Backend):
    """Runs the workload's own nn.Module; the fp32 CPU form of it is the reference that accuracy is held against."""

    name = "pytorch"
    title = "PyTorch"
    options = (
        OptionSpec("threads", 0, "intra-op CPU threads; 0 = physical cores"),
        OptionSpec(
            "compile",
            "off",
            "torch.compile mode, compiled for one fixed shape while the session opens",
            ("off", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"),
        ),
        OptionSpec("channels_last", False, "NHWC memory format for weights and 4-D inputs"),
    )

    def probe(self) -> Availability:
        version = host.package_version("torch")
        if version is None or not host.installed("torch"):
            return Availability(False, f"torch is not installed; {_INSTALL}.")
        gpus: tuple[DeviceInfo, ...] = () if version.endswith("+cpu") else host.nvidia_devices()
        return Availability(True, versions={"torch": version}, devices=(*gpus, host.cpu_device()))

    def capabilities(self, device: Device) -> Capabilities:
        cpu = {Precision.FP32, Precision.BF16}
        cuda = {Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16}
        return Capabilities(
            precisions=frozenset(cuda if device.kind == "cuda" else cpu),
            asynchronous=device.kind == "cuda",
            dynamic_batch=True,
            streams=device.kind == "cuda",
        )

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        if model.torch_module is None:
            raise ModelMismatch(
                f"backend 'pytorch' runs a PyTorch module and {model.name} has none;"
                " measure an .onnx file with onnxruntime, openvino or tensorrt."
            )
        return Artifact(model, precision, sha256=model.sha256)

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        try:
            import torch
        except Exception as error:  # a broken installation can raise anything at import
            raise BackendUnavailable(f"import torch failed ({error}); {_INSTALL}.") from error
        if device.kind == "cuda" and (not torch.cuda.is_available() or device.index >= torch.cuda.device_count()):
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            raise BackendUnavailable(
                f"PyTorch sees {count} CUDA devices, not {device}; check nvidia-smi or use --device cpu."
            )
        session = _CudaSession if device.kind == "cuda" else _TorchSession
        return session(artifact, device, options)


class _TorchSession(Session):
    """Static input tensors on the device; the output tensor is PyTorch's own, newly made by each call."""

    def __init__(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> None:
        import torch

        self._torch: Any = torch
        model = artifact.model
        self.inputs, self.outputs = model.inputs, model.outputs
        self.precision = _executed(torch, artifact.precision, device)
        self._device: Any = torch.device(str(device))
        self._settings = _apply_global_settings(torch, artifact.precision, device, options)
        compute_dtype = {Precision.FP16: torch.float16, Precision.BF16: torch.bfloat16}.get(self.precision)
        if model.torch_module is None:
            raise ModelMismatch(f"{model.name} has no PyTorch module; prepare the artifact with this backend.")
        module = model.torch_module().eval().to(self._device)
        memory_format = torch.channels_last if options["channels_last"] else torch.contiguous_format
        if compute_dtype is not None:
            module = module.to(compute_dtype)
        self._module: Any = module.to(memory_format=memory_format)
        self._mode = str(options["compile"])
        if self._mode != "off":
            self._module = torch.compile(self._module, mode=self._mode, dynamic=False)
        self._static_inputs: list[Any] = []
        for spec in self.inputs:
            dtype = torch.from_numpy(np.empty(0, spec.dtype)).dtype
            if compute_dtype is not None and dtype.is_floating_point:
                dtype = compute_dtype
            tensor = torch.zeros(spec.shape, dtype=dtype, device=self._device)
            self._static_inputs.append(tensor.to(memory_format=memory_format) if tensor.dim() == 4 else tensor)
        self.device, self.fallback = _placement(self._module, self._static_inputs)
        self._result: tuple[Any, ...] = ()
        if self._mode != "off":
            self._compile()

    def _compile(self) -> None:
        """Compile now, so that the time counts as loading; the first call does it."""
        try:
            self.enqueue()
            self.synchronize()
        except Exception as error:  # the compiler's errors have no common base
            first = next((line for line in str(error).splitlines() if line.strip()), "")
            raise DeviceError(
                f"torch.compile(mode={self._mode!r}) failed: {type(error).__name__}: {first};"
                " a C++ compiler must be installed, or use pytorch:compile=off."
            ) from error

    def _copy_inputs(self, feeds: Feeds) -> None:
        for spec, tensor in zip(self.inputs, self._static_inputs, strict=True):
            tensor.copy_(self._torch.from_numpy(np.ascontiguousarray(feeds[spec.name])))

    def enqueue(self) -> None:
        with self._torch.inference_mode():
            result = self._module(*self._static_inputs)
        self._result = result if isinstance(result, tuple) else (result,)

    def synchronize(self) -> None:
        pass  # on the CPU, PyTorch returns when the work is done

    def copy_outputs(self) -> dict[str, Array]:
        if not self._result:
            raise DeviceError("no outputs yet: call enqueue and synchronize before copy_outputs.")
        outputs: dict[str, Array] = {}
        for spec, tensor in zip(self.outputs, self._result, strict=True):
            wide = tensor.float() if tensor.dtype in (self._torch.bfloat16, self._torch.float16) else tensor
            outputs[spec.name] = np.array(wide.cpu().numpy(), dtype=spec.dtype, order="C", copy=True)
        return outputs

    def describe(self) -> dict[str, str]:
        return {"torch": str(self._torch.__version__), "compile": self._mode, **self._settings}

    def _close(self) -> None:
        self._result = ()
        self._static_inputs.clear()
        self._module = None


class _CudaSession(_TorchSession):
    """On a CUDA stream of its own: the allocations, the copies and the work, so that nothing overtakes anything."""

    def __init__(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> None:
        import torch

        place = torch.device(str(device))
        self._stream: Any = torch.cuda.Stream(device=place)
        # Whatever the caller has started on the device before is done before this session's first work.
        self._stream.wait_stream(torch.cuda.current_stream(place))
        with torch.cuda.stream(self._stream):
            super().__init__(artifact, device, options)

    def _copy_inputs(self, feeds: Feeds) -> None:
        with self._torch.cuda.stream(self._stream):
            super()._copy_inputs(feeds)

    def enqueue(self) -> None:
        with self._torch.cuda.stream(self._stream):
            super().enqueue()

    def synchronize(self) -> None:
        try:
            self._stream.synchronize()
        except RuntimeError as error:
            raise DeviceError(f"torch.cuda.Stream.synchronize failed: {error}; see dmesg for Xid errors.") from error

    def copy_outputs(self) -> dict[str, Array]:
        with self._torch.cuda.stream(self._stream):
            return super().copy_outputs()

    def _close(self) -> None:
        super()._close()
        self._torch.cuda.empty_cache()


def _placement(module: Any, inputs: list[Any]) -> tuple[Device, str]:
    """Device of the input tensors, and in words which of the module's tensors lie elsewhere."""
    place = inputs[0].device
    elsewhere = {str(t.device) for t in chain(inputs, module.parameters(), module.buffers()) if t.device != place}
    fallback = f"tensors of the module lie on {', '.join(sorted(elsewhere))}" if elsewhere else ""
    return Device(place.type, place.index or 0), fallback


def _executed(torch: Any, asked: Precision, device: Device) -> Precision:
    """TF32 exists from compute capability 8.0 on (Ampere); before, on a T4 for one, the same switch means fp32."""
    if asked is Precision.TF32 and torch.cuda.get_device_capability(device.index) < (8, 0):
        return Precision.FP32
    return asked


def _apply_global_settings(
    torch: Any, precision: Precision, device: Device, options: Mapping[str, OptionValue]
) -> dict[str, str]:
    """Set PyTorch's process-wide switches for one session (a worker process opens one) and say what they are."""
    threads = int(options["threads"]) or host.physical_cores()
    torch.set_num_threads(threads)
    settings = {"threads": str(torch.get_num_threads()), "channels_last": str(options["channels_last"]).lower()}
    if device.kind == "cuda":
        # PyTorch's default lets convolutions use TF32 while matmuls do not; here fp32 means fp32 in both.
        allow = precision is Precision.TF32
        torch.backends.cudnn.allow_tf32 = allow
        torch.backends.cuda.matmul.allow_tf32 = allow
        torch.backends.cudnn.benchmark = True
        settings |= {
            "card": torch.cuda.get_device_name(device.index),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
            "allow_tf32": str(allow).lower(),
            "cudnn.benchmark": "true",
        }
    return settings
