"""What cuda_report.py measures, in phases that can be done one by one; what cannot be measured here, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backends import registry
from backends.base import Device, Precision
from bench.selection import BackendRequest

#: The modes of torch.compile that graphs of one's own are held against.
MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
GRAPHS = ("pytorch:graph=true", "pytorch:graph=true,channels_last=true")
COMPILED = tuple(f"pytorch:compile={mode}" for mode in MODES)
#: Those whose figures are held against a loop written by hand.
HELD = ("pytorch", GRAPHS[0], "onnxruntime")
LOOPS = "loops"


@dataclass(frozen=True, slots=True)
class Phase:
    """One command of the harness: these backends, each with these precisions."""

    name: str
    backends: tuple[str, ...]
    precisions: tuple[str, ...]


#: The figures that everything else is held against come first, what takes minutes to compile last.
_ON_CUDA = (
    Phase("pytorch", ("pytorch",), ("fp32", "tf32", "fp16")),
    Phase("fp16", (*GRAPHS, "pytorch:channels_last=true", "pytorch:autocast=true"), ("fp16",)),
    Phase("onnxruntime", ("onnxruntime", "onnxruntime:graph=true"), ("fp32", "tf32")),
    Phase(LOOPS, (), ()),
    Phase("tensorrt", ("tensorrt", "tensorrt:graph=true"), ("fp32", "tf32", "fp16")),
    Phase("compile", COMPILED, ("fp16",)),
)
#: The same way with what a CPU has: to try the script out where there is no GPU.
_ON_CPU = (
    Phase("pytorch", ("pytorch",), ("fp32",)),
    Phase("onnxruntime", ("onnxruntime",), ("fp32",)),
    Phase(LOOPS, (), ()),
)
PHASES = tuple(phase.name for phase in _ON_CUDA)


@dataclass(frozen=True, slots=True)
class Planned:
    """What can be measured here, and a line for each thing that cannot; `chosen` are the phases to do now."""

    phases: tuple[Phase, ...]
    chosen: tuple[Phase, ...]
    skipped: tuple[str, ...]

    def held(self) -> Iterator[tuple[str, str]]:
        """Backend and precision of what is held against a loop written by hand."""
        for phase in self.phases:
            for backend in phase.backends:
                if backend in HELD:
                    yield from ((backend, precision) for precision in phase.precisions)


def plan(device: Device, only: Sequence[str]) -> Planned:
    """The phases, without what this machine cannot do."""
    phases, skipped = [], []
    for phase in _ON_CPU if device.kind == "cpu" else _ON_CUDA:
        if phase.name == LOOPS:
            phases.append(phase)
            continue
        usable, precisions, reasons = _usable(phase, device)
        skipped += reasons
        if usable and precisions:
            phases.append(Phase(phase.name, usable, precisions))
    chosen = [phase for phase in phases if not only or phase.name in only]
    return Planned(tuple(phases), tuple(chosen), tuple(_once(skipped)))


def _usable(phase: Phase, device: Device) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    """The phase's backends and precisions that this machine has, and why not the others."""
    usable, precisions, reasons = [], set(), []
    for text in phase.backends:
        request = BackendRequest.parse(text)
        backend = registry.load(request.name)
        availability = registry.probe(backend)
        devices = [info.device for info in availability.devices]
        if not availability.usable:
            reasons.append(f"{request.name}: {availability.reason}")
        elif device not in devices:
            versions = ", ".join(f"{name} {version}" for name, version in availability.versions.items())
            reasons.append(
                f"{request.name}: {versions} has no {device} here, only {', '.join(map(str, devices)) or 'nothing'}"
            )
        elif trouble := _option_trouble(request):
            reasons.append(f"{text}: {trouble}")
        else:
            offered = backend.capabilities(device).precisions
            missing = [name for name in phase.precisions if Precision(name) not in offered]
            reasons += [f"{text}: {name} is not offered on {device}" for name in missing]
            if len(missing) < len(phase.precisions):
                usable.append(text)
                precisions |= set(phase.precisions) - set(missing)
    ordered = tuple(name for name in phase.precisions if name in precisions)
    return tuple(usable), ordered, reasons


def _option_trouble(request: BackendRequest) -> str:
    try:
        registry.parse_options(registry.load(request.name), request.options)
    except ValueError as error:
        return str(error)
    return ""


def canonical(text: str) -> str:
    """NAME:KEY=VALUE,… with its options in one order."""
    name, colon, options = text.partition(":")
    return name + colon + ",".join(sorted(options.split(",")))


def _once(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
