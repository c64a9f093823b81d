"""All that an engine is made from and bound to, which is what it is found by in the cache."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass

from backends._cuda import DeviceFacts
from backends._cuda.tf32 import OVERRIDE, override
from backends.base import Model, ModelMismatch, OptionValue, Precision
from backends.convert.graph import Graph
from backends.tensorrt.library import Library
from backends.tensorrt.precision import Route, dotted
from backends.tensorrt.products import built_for

Shape = tuple[int, ...]
#: Changed whenever an engine would come out otherwise from the same fields.
_SCHEMA = 1
_RANGE = re.compile(r"([1-9]\d*)-([1-9]\d*)")
_USUAL_RANGE = (1, 16)
#: what the option may be written as
PROFILES = rf"static|range|{_RANGE.pattern}"
LEVELS = range(6)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Bounds:
    """Smallest, usual and largest shape of an input; kernels are chosen for the usual one."""

    smallest: Shape
    usual: Shape
    largest: Shape

    @property
    def fixed(self) -> bool:
        return self.smallest == self.largest

    def __str__(self) -> str:
        usual = _by_x(self.usual)
        if self.fixed:
            return usual
        return f"{_by_x(self.smallest)} to {_by_x(self.largest)}, tuned for {usual}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose. `batches` is the range of a profile, None for one batch size; `workspace` bytes, 0: all."""

    batches: tuple[int, int] | None
    workspace: int
    level: int

    @classmethod
    def of(cls, options: Mapping[str, OptionValue], batch: int, backend: str) -> Settings:
        """Raises ModelMismatch, naming the option."""
        level = int(options["level"])
        if level not in LEVELS:
            raise ModelMismatch(f"{backend}:level={level} is none of TensorRT's optimisation levels, which are 0 to 5.")
        return cls(_batches(str(options["profile"]), batch, backend), int(options["workspace_mib"]) * _MIB, level)


@dataclass(frozen=True, slots=True)
class Recipe:
    """An engine to be built from `graph`, for inputs within `bounds`, on the card of `facts`."""

    graph: Graph
    model: Model
    precision: Precision
    route: Route
    bounds: Mapping[str, Bounds]
    settings: Settings
    facts: DeviceFacts

    @classmethod
    def of(
        cls, graph: Graph, model: Model, precision: Precision, route: Route, settings: Settings, facts: DeviceFacts
    ) -> Recipe:
        """Raises ModelMismatch, ConversionError: the file's inputs are not the model's, or fix another batch size."""
        return cls(graph, model, precision, route, _bounds(graph, model, settings), settings, facts)

    def key(self, library: Library) -> dict[str, str]:
        """For the cache: engines with equal keys are interchangeable."""
        return {
            "what": f"engine, form {_SCHEMA}",
            "onnx": self.graph.sha256,
            "library": library.title,
            "card": self.facts.name,
            "compute capability": dotted(self.facts.capability),
            # A version comes built for several CUDAs, whose kernels are others.
            "CUDA": f"driver {self.facts.driver.partition('.')[0]}, library {built_for(library.product) or 'not told'}",
            "precision": f"{self.precision}: {' '.join(self.route.flags) or 'no flags'}",
            "TF32": "on" if self.route.tf32 else "off",
            "shapes": "; ".join(f"{name} {bounds}" for name, bounds in sorted(self.bounds.items())),
            "workspace": str(self.settings.workspace),
            "level": str(self.settings.level),
            "InstanceNorm": norm_words(library.native_norm),
            "host": f"{platform.system()} {platform.machine()}",
            **({"converted by": self.route.half.tool} if self.route.half else {}),
            **({OVERRIDE: override()} if override() else {}),
        }

    def told(self) -> dict[str, str]:
        """The same for a reader, as far as the backend chose it."""
        half = self.route.half
        return {
            "precision route": self.route.words,
            **({"fp16 file": "; ".join((half.summary, *half.notes))} if half else {}),
            "profile": "; ".join(f"{name} {bounds}" for name, bounds in self.bounds.items()),
            "workspace": f"{self.settings.workspace // _MIB} MiB" if self.settings.workspace else "no limit",
            "optimisation level": str(self.settings.level),
            **({OVERRIDE: override()} if override() else {}),
        }


def norm_words(native: bool) -> str:
    """How InstanceNormalization is computed."""
    return "native layer" if native else "plugin"


def _batches(text: str, batch: int, backend: str) -> tuple[int, int] | None:
    if text == "static":
        return None
    found = _RANGE.fullmatch(text)
    if text != "range" and (found is None or int(found[1]) > int(found[2])):
        raise ModelMismatch(
            f"{backend}:profile={text} is no profile; write static (one engine a batch size), range (batches 1 to 16),"
            " or the batches, as 1-32."
        )
    low, high = (int(found[1]), int(found[2])) if found else _USUAL_RANGE
    if not low <= batch <= high:
        raise ModelMismatch(
            f"{backend}:profile={text} has no batch of {batch}; write a range that has, as"
            f" profile={min(low, batch)}-{max(high, batch)}."
        )
    return low, high


def _bounds(graph: Graph, model: Model, settings: Settings) -> dict[str, Bounds]:
    declared = {spec.name: spec.shape for spec in model.inputs}
    names = [each.name for each in graph.inputs]
    if sorted(names) != sorted(declared):
        raise ModelMismatch(
            f"{graph.title} has the inputs {', '.join(names)}, the model has {', '.join(declared)}; name the .onnx"
            " file of this model."
        )
    for each in graph.inputs:
        shape = declared[each.name]
        if len(shape) != len(each.dims) or any(
            dim not in (None, size) for dim, size in zip(each.dims, shape, strict=True)
        ):
            given = _by_x(tuple("?" if dim is None else dim for dim in each.dims))
            raise ModelMismatch(
                f"{graph.title}: input {each.name} is {given}, the model has {_by_x(shape)}; export it with these"
                " sizes, or with a batch that is left open."
            )
    if settings.batches is None:
        return {name: Bounds(shape, shape, shape) for name, shape in declared.items()}
    low, high = settings.batches
    graph.open_shapes()  # refuses a file that fixes its batch
    return {name: Bounds((low, *shape[1:]), shape, (high, *shape[1:])) for name, shape in declared.items()}


def _by_x(shape: tuple[object, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
