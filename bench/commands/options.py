"""The options of a run, from what argparse gives."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from backends.base import Device, Precision, Scope
from bench.commands.report import canonical_label
from bench.errors import UsageError
from bench.phases import PhaseLimits
from bench.plan import WorkloadSpec
from bench.selection import BackendRequest, Wanted
from bench.stopping import Limits

#: Endings of files that were compiled for one vendor's runtime.
COMPILED = (".om", ".engine", ".plan", ".trt")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `run`, checked as far as they can be without touching a runtime."""

    backends: list[BackendRequest]
    workload: WorkloadSpec
    batches: list[int]
    #: empty for each backend's default
    precisions: list[Precision]
    scopes: list[Scope]
    device: Device | None
    limits: Limits
    out: Path | None
    baseline: str | None
    cache: Path
    chips: int | None
    streams: int
    phase_limits: PhaseLimits
    lock_timeout_s: float
    include_flagged: bool
    plots: bool
    invocations: int

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> RunOptions:
        """Raises UsageError for options that contradict each other, or name something unknown."""
        model, compiled = _model_files(given.model, given.compiled)
        workload = given.workload or ("onnx" if model else "stargan")
        if given.quick and given.max_time is not None:
            raise UsageError("--quick and --max-time contradict each other; give one of them.")
        for option, value, owner in (
            ("--weights", given.weights, "stargan"), ("--data", given.data, "stargan"),
            ("--attributes", given.attributes, "stargan"), ("--model", model, "onnx"),
            ("--shape", given.shape, "onnx"),
        ):  # fmt: skip
            if value and workload != owner:
                raise UsageError(f"{option} belongs to --workload {owner}, not to {workload}; leave one of them out.")
        try:
            device = Device.parse(given.device) if given.device else None
        except ValueError as error:
            raise UsageError(f"--device: {error}.") from None
        limits = Limits.quick() if given.quick else Limits.within(given.max_time or Limits().max_time_s)
        return cls(
            backends=[BackendRequest.parse(text) for text in given.backend],
            workload=WorkloadSpec(
                name=workload, weights=given.weights, model=model, compiled=compiled, data=given.data,
                attributes=given.attributes, shapes=dict(given.shape),
            ),
            batches=list(dict.fromkeys(given.bs or (1, 4, 8, 16))),
            precisions=[Precision(name) for name in dict.fromkeys(given.precision or ())],
            scopes=[Scope(name) for name in dict.fromkeys(given.scope or ('compute',))],
            device=device, limits=limits, out=given.out, baseline=given.baseline and canonical_label(given.baseline),
            cache=cache_folder(given.cache), chips=given.chips, streams=given.streams,
            phase_limits=PhaseLimits().changed(dict(given.phase_limit)), lock_timeout_s=given.lock_timeout,
            include_flagged=given.include_flagged, plots=not given.no_plots, invocations=given.invocations,
        )  # fmt: skip

    def wanted(self) -> Wanted:
        """What to look for backends for."""
        return Wanted(self.device, self.precisions, self.scopes, self.chips, self.streams)


def _model_files(model: str | None, compiled: str | None) -> tuple[str | None, str | None]:
    """The .onnx file and the compiled one, as `--model` takes either. Raises UsageError."""
    if model is not None and (Path(model).is_dir() or Path(model).suffix.lower() in COMPILED):
        if compiled is not None:
            raise UsageError(f"--model {model} is compiled already, and so is --compiled {compiled}; give one of them.")
        model, compiled = None, model
    return model, existing_compiled(compiled)


def existing_compiled(path: str | None) -> str | None:
    """The path of what --compiled names. Raises UsageError when nothing is there."""
    if path is not None and not Path(path).exists():
        raise UsageError(f"--compiled {path}: there is no such file or folder; make it with: python -m bench convert")
    return path


def cache_folder(given: Path | None) -> Path:
    """Where exported models and references are kept. Raises UsageError."""
    root = os.environ.get("XDG_CACHE_HOME")
    try:
        return (given or (Path(root) if root else Path("~/.cache")) / "bench").expanduser()
    except RuntimeError:
        raise UsageError("no home folder is known to keep the cache in; name a folder with --cache.") from None
