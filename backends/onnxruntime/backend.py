"""The backend: what it can do, and from a model to an open session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends import host, nvidia
from backends._cuda import Cuda, Vendor, open_cuda
from backends._cuda.tf32 import OVERRIDE, override
from backends.base import (
    Artifact,
    Availability,
    Backend,
    BackendUnavailable,
    Capabilities,
    Device,
    Model,
    ModelMismatch,
    OptionValue,
    Precision,
    Session,
    require_onnx,
)
from backends.convert.half import to_fp16
from backends.onnxruntime import loading
from backends.onnxruntime.card import Card, card_of
from backends.onnxruntime.engines import EngineFolder
from backends.onnxruntime.precision import check
from backends.onnxruntime.providers import NO_API, OPTIONS, Settings
from backends.onnxruntime.session import OrtSession

_INSTALL = "install it with: pip install -c constraints.txt -e '.[onnxruntime]'"
_PACKAGES = ("onnxruntime-gpu", "onnxruntime", "onnxruntime-openvino", "onnxruntime-cann", "onnxruntime-directml")


class OnnxRuntimeBackend(Backend):
    """One session a batch size, buffers bound once, default graph optimisations unless asked otherwise."""

    name = "onnxruntime"
    title = "ONNX Runtime"
    options = OPTIONS

    def _library(self) -> Any:
        """The vendor's module. Raises BackendUnavailable."""
        try:
            import onnxruntime
        except Exception as error:  # a broken installation can raise anything at import
            raise BackendUnavailable(f"import onnxruntime failed ({error}); {_INSTALL}.") from error
        return onnxruntime

    def _cuda(self) -> Vendor:
        """Where CUDA's modules come from."""
        return Vendor()

    def probe(self) -> Availability:
        present = [name for name in _PACKAGES if host.package_version(name)]
        if not present or not host.installed("onnxruntime"):
            return Availability(False, f"onnxruntime is not installed; {_INSTALL}.")
        gpus = nvidia.nvidia_devices() if "onnxruntime-gpu" in present else ()
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
            warnings=tuple(filter(None, (clash, nvidia.unlisted(gpus) if "onnxruntime-gpu" in present else ""))),
        )

    def capabilities(self, device: Device) -> Capabilities:
        if device.kind != "cuda":
            return Capabilities(precisions=frozenset({Precision.FP32}), dynamic_batch=True)
        return Capabilities(
            precisions=frozenset({Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8}),
            asynchronous=True,
            dynamic_batch=True,
            device_events=True,
        )

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        path = require_onnx(model, self.name)
        settings = Settings.of(options, device)
        if device.kind == "cpu":
            return Artifact(model, precision, path=path, sha256=model.sha256)
        check(model, precision, settings, self._card(device))
        if settings.tensorrt:
            _cache(model, "keeps TensorRT's engines")
        if precision is not Precision.FP16 or model.precision is Precision.FP16 or settings.tensorrt:
            return Artifact(model, precision, path=path, sha256=model.sha256)
        # The CUDA provider computes as the file says.
        half = to_fp16(path, _cache(model, "converts to fp16"))
        told = {"fp16 by": f"converted with {half.tool}: {half.summary}"}
        told |= {"fp16 notes": "; ".join(half.notes)} if half.notes else {}
        return Artifact(model, precision, path=half.path, sha256=half.sha256, settings=told)

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        ort = self._library()
        settings = Settings.of(options, device)
        loading.check_available(ort, settings)
        if device.kind == "cpu":
            return OrtSession(ort, artifact, device, options)
        loading.preload(ort, settings)
        card = self._card(device)
        engines = _engines(ort, artifact, card) if settings.tensorrt else None
        return OrtSession(ort, artifact, device, options, card, self._open_cuda(device, settings), engines)

    def _card(self, device: Device) -> Card:
        return card_of(device.index, self._cuda())

    def _open_cuda(self, device: Device, settings: Settings) -> Cuda | None:
        """Where the stream and pinned memory come from; None where ONNX Runtime is to have its own."""
        vendor = self._cuda()
        nothing = settings.cuda_api == "auto" and not (vendor.installed() and vendor.driver_version())
        if nothing or settings.cuda_api == NO_API:
            return None
        return open_cuda(device.index, settings.cuda_api, vendor)


def _cache(model: Model, what: str) -> Path:
    if model.cache is None:
        raise ModelMismatch(f"onnxruntime {what} in a cache folder, and was given none; name one with --cache.")
    return model.cache


def _engines(ort: Any, artifact: Artifact, card: Card) -> EngineFolder:
    """Apart for all that an engine depends on; TensorRT's own version is in the names that the provider gives."""
    model = artifact.model
    key = {
        "onnx": artifact.sha256, "onnxruntime": str(ort.__version__), "card": card.name, "capability": card.dotted,
        "precision": artifact.precision.value, "inputs": ", ".join(map(str, model.inputs)),
        OVERRIDE: override(),
    }  # fmt: skip
    return EngineFolder(_cache(model, "keeps TensorRT's engines"), key)
