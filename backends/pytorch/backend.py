"""The backend: what it can do, which options go together, and from a module to an open session."""

from __future__ import annotations

from collections.abc import Mapping

from backends import host, nvidia
from backends.base import (
    Artifact,
    Availability,
    Backend,
    BackendUnavailable,
    Capabilities,
    Device,
    DeviceInfo,
    Model,
    ModelMismatch,
    OptionSpec,
    OptionValue,
    Precision,
    Session,
)
from backends.pytorch.cuda import WITH_GRAPHS, CudaSession
from backends.pytorch.failures import check_device
from backends.pytorch.installation import built_for_cuda
from backends.pytorch.session import TorchSession

_INSTALL = "install it with: pip install -c constraints.txt -e '.[torch]'"
_HALF = (Precision.FP16, Precision.BF16)


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
            ("off", "default", *WITH_GRAPHS, "max-autotune-no-cudagraphs"),
        ),
        OptionSpec("channels_last", False, "NHWC memory format for weights and 4-D inputs"),
        OptionSpec("graph", False, "on CUDA: one call captured as a CUDA graph, and replayed"),
        OptionSpec("autocast", False, "fp16, bf16 by torch.autocast with weights in fp32, instead of all in 16 bits"),
        OptionSpec("cudnn_benchmark", True, "on CUDA: cuDNN tries its convolutions out and takes the fastest"),
    )

    def probe(self) -> Availability:
        version = host.package_version("torch")
        if version is None or not host.installed("torch"):
            return Availability(False, f"torch is not installed; {_INSTALL}.")
        found = nvidia.nvidia_devices()
        gpus: tuple[DeviceInfo, ...] = found if built_for_cuda(version) else ()
        left_out = (
            f"torch {version} is built without CUDA, so that {found[0].card} is left out; to use it, install a build"
            " for CUDA (https://pytorch.org/get-started)."
            if found and not gpus
            else ""
        )
        return Availability(
            True,
            versions={"torch": version},
            devices=(*gpus, host.cpu_device()),
            warnings=tuple(filter(None, (left_out, nvidia.unlisted(found) if built_for_cuda(version) else ""))),
        )

    def capabilities(self, device: Device) -> Capabilities:
        on_cuda = device.kind == "cuda"
        cpu = {Precision.FP32, Precision.BF16}
        cuda = {Precision.FP32, Precision.TF32, Precision.FP16, Precision.BF16}
        return Capabilities(
            precisions=frozenset(cuda if on_cuda else cpu),
            asynchronous=on_cuda,
            dynamic_batch=True,
            device_events=on_cuda,
            streams=on_cuda,
        )

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        if model.torch_module is None:
            raise ModelMismatch(
                f"backend 'pytorch' runs a PyTorch module and {model.name} has none;"
                " measure an .onnx file with onnxruntime, openvino or tensorrt."
            )
        _check_options(precision, device, options)
        return Artifact(model, precision, sha256=model.sha256)

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        try:
            import torch
        except Exception as error:  # a broken installation can raise anything at import
            raise BackendUnavailable(f"import torch failed ({error}); {_INSTALL}.") from error
        _check_options(artifact.precision, device, options)
        if device.kind != "cuda":
            return TorchSession(torch, artifact, device, options)
        check_device(torch, device)
        return CudaSession(torch, artifact, device, options)


def _check_options(precision: Precision, device: Device, options: Mapping[str, OptionValue]) -> None:
    """Raise BackendUnavailable for options that this device, this precision or one another have no use for."""
    if options["graph"] and device.kind != "cuda":
        raise BackendUnavailable(f"pytorch:graph=true needs CUDA and the device is {device}; leave it out.")
    if options["graph"] and options["compile"] in WITH_GRAPHS:
        raise BackendUnavailable(
            f"pytorch:compile={options['compile']} makes CUDA graphs itself; leave out graph=true, or use"
            " compile=default or compile=max-autotune-no-cudagraphs."
        )
    if options["autocast"] and precision not in _HALF:
        raise BackendUnavailable(
            f"pytorch:autocast=true is a way to {' or '.join(_HALF)} and the precision is {precision}; leave it out, or"
            " ask for one of these with --precision."
        )
