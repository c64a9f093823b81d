"""The backend: what it can do, and from a model to an open session."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from backends.acl import probe
from backends.acl.artifact import Wish, find_or_build
from backends.acl.library import Library, load_module
from backends.acl.runtime import runtime_of
from backends.acl.session import AclSession
from backends.base import (
    Artifact,
    Availability,
    Backend,
    Capabilities,
    Device,
    Model,
    OptionSpec,
    OptionValue,
    Precision,
    Session,
)
from backends.convert import om

_GEARS = r"[1-9]\d*(-[1-9]\d*)+"


class AclBackend(Backend):
    """Static .om files, one a batch size, or with `batch=dynamic` one file for several."""

    name = "acl"
    title = "Ascend ACL"
    takes_compiled = True
    options = (
        OptionSpec("mode", "async", "execute_async and synchronize_stream, or sync: execute, as msame does",
                   ("async", "sync")),
        OptionSpec("batch", "static", "one .om a batch size, or dynamic: one .om with several (gears)",
                   ("static", "dynamic")),
        OptionSpec("gears", "1-4-8-16", "batch sizes of a dynamic .om that is built here", pattern=_GEARS),
        OptionSpec("soc", "", "the chip's exact name for atc, such as Ascend310; default: as npu-smi tells"),
        OptionSpec("precision_mode", "", "atc's --precision_mode: for what is built, and of an .om that does not tell",
                   ("", *om.PRECISION_MODES)),
    )  # fmt: skip

    def _library(self) -> ModuleType:
        """CANN's module; raises BackendUnavailable. The one place that imports it."""
        return load_module()

    def _missing(self) -> str:
        """Why that module cannot be there, "" if it may be; imports nothing."""
        return probe.missing_module()

    def probe(self) -> Availability:
        if missing := self._missing():
            return Availability(False, missing)
        return probe.availability()

    def diagnose(self, device: Device) -> list[str]:
        return probe.diagnose(device.index, self._library)

    def capabilities(self, device: Device) -> Capabilities:
        return Capabilities(
            precisions=frozenset({Precision.FP16, Precision.FP32}),  # fp32 where the .om was made so
            default_precision=Precision.FP16,  # which is what atc makes by default
            asynchronous=True,
            device_events=True,
            dynamic_batch=True,
            streams=True,
        )

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        def soc() -> str:
            return str(options["soc"]) or probe.soc_name(device.index) or Library(self._library()).soc_name()

        return find_or_build(Wish(model, precision, self._gears(options), str(options["precision_mode"]), soc))

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        library = Library(self._library())
        return AclSession(
            library, runtime_of(library), artifact, device, blocking=options["mode"] == "sync",
            dynamic=options["batch"] == "dynamic",
        )  # fmt: skip

    def _gears(self, options: Mapping[str, OptionValue]) -> tuple[int, ...] | None:
        if options["batch"] != "dynamic":
            return None
        return tuple(int(size) for size in str(options["gears"]).split("-"))
