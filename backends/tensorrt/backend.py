"""The backends: what they can do, and from a model to an open session."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from backends import nvidia
from backends._cuda import APIS, Cuda, Vendor, device_facts, open_cuda
from backends.base import (
    Artifact,
    Availability,
    Backend,
    BackendError,
    BackendUnavailable,
    Capabilities,
    Device,
    DeviceError,
    DeviceInfo,
    Model,
    ModelMismatch,
    OptionSpec,
    OptionValue,
    Precision,
    Session,
    require_onnx,
)
from backends.tensorrt import diagnosis, probe, products
from backends.tensorrt.artifact import Trust, built, given, source
from backends.tensorrt.library import Library, library_of, load_module
from backends.tensorrt.precision import route
from backends.tensorrt.recipe import LEVELS, PROFILES, Recipe, Settings
from backends.tensorrt.session import TensorRTSession

_KIND = "cuda"


class TensorRTBackend(Backend):
    """One engine a batch size, or with `profile=range` one that takes several."""

    name = "tensorrt"
    title = "TensorRT"
    takes_compiled = True
    product: ClassVar[products.Product] = products.TENSORRT
    options = (
        OptionSpec(
            "profile",
            "static",
            "static: an engine a batch size; range: batches 1 to 16; or MIN-MAX, as 1-32",
            pattern=PROFILES,
        ),
        OptionSpec("graph", False, "run the engine as a CUDA graph, which takes most of the launching off the host"),
        OptionSpec("cuda_api", "auto", "module that memory and streams come from", APIS),
        OptionSpec("workspace_mib", 0, "memory that the builder may plan with; 0 = all of the card's"),
        OptionSpec("level", 3, "builder_optimization_level", tuple(map(str, LEVELS))),
        OptionSpec("trust", "", "folder whose engine files may be loaded, which runs code in them"),
    )

    def _library(self) -> Any:
        """The vendor's module; raises BackendUnavailable. The one place that imports it."""
        return load_module(self.product)

    def _cuda(self) -> Vendor:
        """Where CUDA's modules come from."""
        return Vendor()

    def _devices(self) -> tuple[DeviceInfo, ...]:
        """The cards that the kernel's driver lists."""
        return nvidia.nvidia_devices()

    def probe(self) -> Availability:
        return probe.availability(self.product, self._devices(), self._cuda())

    def diagnose(self, device: Device) -> list[str]:
        return list(diagnosis.diagnose(self.product, device.index, self._cuda(), self._library))

    def capabilities(self, device: Device) -> Capabilities:
        return Capabilities(
            precisions=frozenset({Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8}),
            asynchronous=True,
            dynamic_batch=True,
            device_events=True,
            streams=True,
        )

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        settings = Settings.of(options, model.batch, self.name)
        if model.compiled is not None:
            return given(model, precision, Trust(str(options["trust"]), self.name))
        onnx = require_onnx(model, self.name)
        self._check_kind(device)
        facts = device_facts(device.index, str(options["cuda_api"]), self._cuda())
        library = self._ready()
        way = route(library, model, precision, facts.capability, facts.name)
        graph, way = source(self.product, model, onnx, way)
        recipe = Recipe.of(graph, model, precision, way, settings, facts)
        return built(library, recipe, lambda: self._open_cuda(device, options))

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        plan = _read(artifact.path)
        cuda = self._open_cuda(device, options)
        try:
            library = self._ready()
            facts = device_facts(device.index, str(options["cuda_api"]), self._cuda())
        except BaseException:
            with suppress(BackendError):
                cuda.close()
            raise
        runs_on = DeviceInfo(device, facts.name, nvidia.plain_address(facts.address))
        return TensorRTSession(library, cuda, artifact, runs_on, graph=bool(options["graph"]), plan=plan)

    def _open_cuda(self, device: Device, options: Mapping[str, OptionValue]) -> Cuda:
        self._check_kind(device)
        return open_cuda(device.index, str(options["cuda_api"]), self._cuda())

    def _check_kind(self, device: Device) -> None:
        if device.kind != _KIND:
            raise BackendUnavailable(f"{self.title} runs on NVIDIA's GPUs, not on {device}; use --device cuda:0.")

    def _ready(self) -> Library:
        """The library, once the driver has answered. Raises BackendUnavailable."""
        library = library_of(self._library(), self.product)
        if not hasattr(library.module.IExecutionContext, "execute_async_v3") or not hasattr(
            library.module.IBuilderConfig, "builder_optimization_level"
        ):
            raise BackendUnavailable(f"{library.title} is too old; install TensorRT 8.6, 10 or newer.")
        return library


class TensorRTRTXBackend(TensorRTBackend):
    """The product for desktop cards; its figures are its own, and never those of TensorRT."""

    name = "tensorrt-rtx"
    title = "TensorRT for RTX"
    product = products.RTX


def _read(path: Path | None) -> bytes:
    if path is None:
        raise ModelMismatch("the artifact has no engine file; prepare it with this backend.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise DeviceError(f"{path} cannot be read: {error.strerror}; prepare it again.") from None
