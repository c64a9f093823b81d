"""ONNX -> plan: parse, one optimisation profile, the builder's settings, build. Needs the device that it is built for.

Whatever TensorRT makes here is let go of when the workshop closes, whether or not something failed: it must be gone
before CUDA is. So no function keeps any of it in a variable, which a traceback would keep alive.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backends.base import BackendUnavailable, ConversionError
from backends.tensorrt.library import Library
from backends.tensorrt.network import check_ports, creation_flags, faults, ports, unreadable
from backends.tensorrt.recipe import Recipe, norm_words
from backends.tensorrt.timings import TimingFile


def build(library: Library, recipe: Recipe, target: Path, timings: TimingFile | None) -> dict[str, str]:
    """Write the plan to `target`; what is worth knowing of how it was built.

    `timings` keeps what was measured for the next build. Raises ConversionError, ModelMismatch, BackendUnavailable, and
    OSError where `target` cannot be written.
    """
    with Workshop(library, recipe) as workshop:
        workshop.parse()
        workshop.choose()
        workshop.add_profile()
        kept = workshop.use(timings) if timings is not None else ""
        workshop.write_plan(target)
        norm = workshop.norm_route()
        if timings is not None:
            kept = workshop.keep(timings) or kept
    return {"InstanceNorm": norm} | ({"timing cache": kept} if kept else {})


class Workshop:
    """Builder, network, parser, configuration and profile of one build."""

    def __init__(self, library: Library, recipe: Recipe) -> None:
        self._library, self._recipe = library, recipe
        self._trt = library.module
        self._builder: Any = None
        self._network: Any = None
        self._parser: Any = None
        self._config: Any = None
        self._profile: Any = None
        self._timings: Any = None
        try:
            self._builder = library.make("Builder", self._trt.Builder, library.logger)
            self._network = library.make("create_network", self._builder.create_network, creation_flags(library))
            self._parser = library.make("OnnxParser", self._trt.OnnxParser, self._network, library.logger)
            self._config = library.make("create_builder_config", self._builder.create_builder_config)
        except BaseException:
            self.close()
            raise

    def parse(self) -> None:
        """From the file, beside which its external data lies."""
        graph = self._recipe.graph
        since = self._library.messages.mark()
        if not self._parser.parse_from_file(str(graph.path)):
            raise unreadable(self._library, graph, faults(self._parser), since)
        check_ports(ports(self._network), self._recipe.model, graph.title)

    def choose(self) -> None:
        """Precision, memory, effort; and that the engine can tell its layers."""
        trt, recipe = self._trt, self._recipe
        route, settings = recipe.route, recipe.settings
        if "FP16" in route.flags and not getattr(self._builder, "platform_has_fast_fp16", True):
            raise BackendUnavailable(
                f"{self._library.title} says that {recipe.facts.name} has no fast fp16; ask for --precision fp32."
            )
        for name in route.flags:
            self._config.set_flag(getattr(trt.BuilderFlag, name))
        (self._config.set_flag if route.tf32 else self._config.clear_flag)(trt.BuilderFlag.TF32)
        if settings.workspace:
            self._config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace)
        self._config.builder_optimization_level = settings.level
        self._config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        self._aim()

    def add_profile(self) -> None:
        """One, where an input leaves dimensions open. TensorRT takes unknown names and shapes that do not fit."""
        open_inputs = [port.name for port in ports(self._network) if -1 in port.shape]
        if not open_inputs:
            return
        self._profile = self._library.make("create_optimization_profile", self._builder.create_optimization_profile)
        for name in open_inputs:
            bounds = self._recipe.bounds[name]
            self._profile.set_shape(name, bounds.smallest, bounds.usual, bounds.largest)
        since = self._library.messages.mark()
        valid = bool(self._profile)
        if not valid or self._config.add_optimization_profile(self._profile) < 0:
            told = "; ".join(f"{name} {self._recipe.bounds[name]}" for name in open_inputs)
            raise self._library.failure(ConversionError, f"add_optimization_profile({told})", since)

    def use(self, timings: TimingFile) -> str:
        """Begin with what earlier builds measured. Returns a word on what became of it."""
        self._timings = self._library.make("create_timing_cache", self._config.create_timing_cache, timings.content)
        if self._config.set_timing_cache(self._timings, False):
            return "used" if timings.content else "begun"
        # Of another device or version: it is measured anew.
        self._timings = self._library.make("create_timing_cache", self._config.create_timing_cache, b"")
        if not self._config.set_timing_cache(self._timings, False):
            return "refused"
        return "begun anew: the one that was kept is of another device"

    def write_plan(self, target: Path) -> None:
        """The build itself, which takes seconds to minutes."""
        graph, library = self._recipe.graph, self._library
        plan = library.make(
            f"building an engine of {graph.title} for batch {self._recipe.model.batch}",
            self._builder.build_serialized_network, self._network, self._config,
        )  # fmt: skip
        with target.open("wb") as file:
            file.write(memoryview(plan))

    def keep(self, timings: TimingFile) -> str:
        """Keep what was measured; a word only where that failed, which costs nothing but the next build's time."""
        grown = self._config.get_timing_cache()
        content = bytes(memoryview(grown.serialize())) if grown is not None else b""
        return timings.write(content) if content else ""

    def norm_route(self) -> str:
        """How the parser mapped InstanceNormalization, as its flag says after the parse."""
        return norm_words(bool(self._parser.get_flag(self._trt.OnnxParserFlag.NATIVE_INSTANCENORM)))

    def _aim(self) -> None:
        """TensorRT for RTX builds for a list of GPUs, of which the newest are not the one that is here."""
        facts = self._recipe.facts
        if not hasattr(self._config, "set_compute_capability"):
            return
        member = getattr(self._trt.ComputeCapability, f"SM{facts.capability[0]}{facts.capability[1]}", None)
        if member is None:
            major, minor = facts.capability
            raise BackendUnavailable(
                f"{self._library.title} has no support for {facts.name} (compute capability {major}.{minor}); use the"
                " backend tensorrt."
            )
        self._config.num_compute_capabilities = 1
        if not self._config.set_compute_capability(member, 0):
            raise self._library.failure(ConversionError, f"set_compute_capability({member.name})")

    def close(self) -> None:
        """Let go of everything, the builder last."""
        self._timings = self._profile = None
        self._parser = self._config = None
        self._network = None
        self._builder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
