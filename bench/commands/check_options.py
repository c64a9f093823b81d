"""The options of a check of two sides that are measured now, from what argparse gives."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backends.base import Device
from bench.commands.options import RunOptions
from bench.errors import UsageError
from bench.interpreter import Interpreter
from bench.phases import PhaseLimits
from bench.regression.commands import Command
from bench.regression.environments import Environment
from bench.regression.pairs import SideName
from bench.regression.rows import Grid
from bench.stopping import Limits
from reports.regression import Settings

SIDES: tuple[SideName, SideName] = ("base", "new")
_BY_ENVIRONMENT = ("python", "checkout", "env", "backend", "model", "compiled", "weights")
_COMMON = ("backend", "bs", "workload", "weights", "data", "attributes", "model", "compiled", "shape", "precision",
           "device", "scope")  # fmt: skip


@dataclass(frozen=True, slots=True)
class VerdictFiles:
    """What machines read, beside check.md."""

    junit: Path | None
    github_benchmark: Path | None
    bencher: Path | None
    annotate: bool

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> VerdictFiles:
        return cls(given.junit, given.github_benchmark, given.bencher, given.annotate)


@dataclass(frozen=True)
class CheckOptions:
    """Two sides, each by its environment or each by a command, and how they are measured and judged."""

    environments: Mapping[SideName, Environment]
    commands: Mapping[SideName, Command]
    #: of a check by environments
    grid: Grid
    device: Device | None
    rule: Settings
    out: Path | None
    cache: Path
    phase_limits: PhaseLimits
    lock_timeout_s: float
    #: whether the two processes of a pair are measured at once, in turns
    turns: bool
    files: VerdictFiles

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> CheckOptions:
        """Raises UsageError for options that contradict each other, or name something that is not there."""
        if bool(given.base_cmd) != bool(given.new_cmd):
            there, missing = ("base", "new") if given.base_cmd else ("new", "base")
            raise UsageError(f"--{there}-cmd takes a --{missing}-cmd beside it; give both, the same for equal sides.")
        commands: dict[SideName, Command] = {}
        environments: dict[SideName, Environment] = {}
        sides = {name: _run_options(given, name) for name in SIDES}
        if given.base_cmd:
            _refuse_environments(given)
            commands = {name: Command(name, getattr(given, f"{name}_cmd"), given.cmd_timeout) for name in SIDES}
        else:
            environments = {name: _environment(given, name, sides[name]) for name in SIDES}
            _check_alike(environments)
        common = sides["base"]
        grid = Grid(common.batches, common.precisions, common.scopes, Limits.invocation(given.samples, given.max_time))
        return cls(
            environments, commands, grid, common.device, _rule(given), out=given.out, cache=common.cache,
            phase_limits=common.phase_limits, lock_timeout_s=common.lock_timeout_s, turns=not given.one_by_one,
            files=VerdictFiles.from_namespace(given),
        )  # fmt: skip

    def told(self, name: SideName) -> str:
        """What sets a side apart, in words."""
        return self.commands[name].text if self.commands else self.environments[name].told

    @property
    def same(self) -> bool:
        """Whether nothing sets the two sides apart."""
        return self.told("base") == self.told("new")


def _rule(given: argparse.Namespace) -> Settings:
    if given.tolerated < given.margin:
        raise UsageError(
            f"--tolerated {given.tolerated:.3%} is less than --margin {given.margin:.3%}; what is noise is tolerated."
        )
    noisy = given.noisy_pairs or max(Settings().noisy_pairs, given.pairs)
    if noisy < given.pairs:
        raise UsageError(f"--noisy-pairs {noisy} is less than --pairs {given.pairs}; noisy rows take more pairs.")
    return Settings(
        pairs=given.pairs, noisy_pairs=noisy, alpha=given.alpha, margin=given.margin, tolerated=given.tolerated
    )


def _run_options(given: argparse.Namespace, name: SideName) -> RunOptions:
    """The side as `run` would read it; its backends are left to the side itself, which may know others."""
    values = vars(given) | {
        "backend": [],
        "model": getattr(given, f"{name}_model") or given.model,
        "compiled": getattr(given, f"{name}_compiled") or given.compiled,
        "weights": getattr(given, f"{name}_weights") or given.weights,
        "quick": False, "baseline": None, "chips": None, "streams": 1, "include_flagged": False, "no_plots": True,
        "invocations": 1,
    }  # fmt: skip
    return RunOptions.from_namespace(argparse.Namespace(**values))


def _refuse_environments(given: argparse.Namespace) -> None:
    for option in (*(f"{name}_{what}" for name in SIDES for what in _BY_ENVIRONMENT), *_COMMON):
        if getattr(given, option):
            raise UsageError(
                f"--{option.replace('_', '-')} means nothing beside --base-cmd and --new-cmd; write it into these."
            )


def _environment(given: argparse.Namespace, name: SideName, options: RunOptions) -> Environment:
    own = {what: getattr(given, f"{name}_{what}") for what in _BY_ENVIRONMENT}
    variables = dict(own["env"])
    told = [f"{what} {own[what]}" for what in ("python", "checkout", "model", "compiled", "weights") if own[what]]
    told += [f"backend {' '.join(own['backend'])}"] if own["backend"] else []
    told += [f"{key}={value}" for key, value in sorted(variables.items())]
    return Environment(
        name=name,
        interpreter=Interpreter.of(own["python"], own["checkout"], variables),
        workload=options.workload,
        backends=tuple(own["backend"] or given.backend),
        told=", ".join(told),
    )


def _check_alike(sides: Mapping[SideName, Environment]) -> None:
    base, new = sides["base"], sides["new"]
    if base.workload.name != new.workload.name:
        with_model = "base" if base.workload.model else "new"
        other = "new" if with_model == "base" else "base"
        raise UsageError(f"only the {with_model} side has a model; give --model, or --{other}-model, too.")
    if len(base.backends) != len(new.backends):
        raise UsageError(
            f"the base has {len(base.backends)} backends and the new side {len(new.backends)}; name as many on both,"
            " or give --backend for both."
        )
