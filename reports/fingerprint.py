"""Under which conditions cells were measured, fact by fact, and which facts two sides do not share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from reports.matching import Match, Taken
from reports.records import RunRecord

#: What can change between two runs and forbid the verdict on a cell, unless it is allowed by name.
Kind = Literal["model", "inputs", "host", "driver", "runtime", "settings", "clock"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: A condition: what it forbids when it changes, None for what is only told, and its name.
Fact = tuple[Kind | None, str]

#: Left in a session's description by the harness, not by the runtime.
_NOT_OF_THE_RUNTIME = ("aftermath",)
_DIGITS = 12
_UNKNOWN = "not recorded"


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that the two sides do not share; `kind` None for what is told, but forbids no verdict."""

    kind: Kind | None
    what: str
    base: str
    new: str

    def __str__(self) -> str:
        return f"{self.what}: {self.new} against {self.base}"


def differences(match: Match) -> list[Difference]:
    """What the invocations of the two sides do not share, in the order of KINDS, then what forbids nothing.

    A side with several values for a fact has them all told. Empty where a side has no figure.
    """
    base, new = _facts(match.base.with_median), _facts(match.new.with_median)
    if not base or not new:
        return []
    found = []
    for kind, what in dict.fromkeys([*base, *new]):
        theirs, mine = base.get((kind, what), _NOTHING), new.get((kind, what), _NOTHING)
        if theirs != mine or len(theirs) > 1:
            found.append(Difference(kind, what, _told(theirs), _told(mine)))
    return sorted(found, key=lambda one: KINDS.index(one.kind) if one.kind else len(KINDS))


def fingerprint(taken: Iterable[Taken], without: Iterable[Kind] = ()) -> frozenset[tuple[str, tuple[str, ...]]]:
    """The conditions that must be equal for a verdict, but for those kinds; equal for cells that may be compared."""
    left_out = set(without)
    return frozenset(
        (what, values)
        for (kind, what), values in _facts(taken).items()
        if kind is not None and kind not in left_out and values != _NOTHING
    )


#: The values of a fact that is not known.
_NOTHING = ("",)


def _facts(taken: Iterable[Taken]) -> dict[Fact, tuple[str, ...]]:
    """Every fact with the values that it has here, sorted."""
    values: dict[Fact, set[str]] = {}
    for one in taken:
        for fact, value in (_facts_of_cell(one) | _facts_of_run(one.run)).items():
            values.setdefault(fact, set()).add(value)
    return {fact: tuple(sorted(told)) for fact, told in values.items()}


def _told(values: tuple[str, ...]) -> str:
    return ", ".join(value or _UNKNOWN for value in values)


def _facts_of_cell(one: Taken) -> dict[Fact, str]:
    cell = one.cell
    facts: dict[Fact, str] = {
        ("model", "model"): cell.identity.model_sha256[:_DIGITS],
        ("inputs", "inputs"): cell.identity.inputs_sha256[:_DIGITS],
        ("clock", "clock"): cell.clock,
        ("driver", "driver"): cell.telemetry.driver if cell.telemetry else "",
        ("host", "chips of the card"): str(cell.chips),
        (None, "provenance"): cell.provenance,
    }
    for name, value in cell.session.items():
        if name not in _NOT_OF_THE_RUNTIME:
            facts["runtime", name] = value
    return facts


def _facts_of_run(run: RunRecord) -> dict[Fact, str]:
    facts: dict[Fact, str] = {}
    if host := run.host:
        facts["host", "host"] = host.name
        facts["host", "CPU"] = host.cpu
        facts["host", "CPUs usable"] = f"{host.logical_cpus} ({host.physical_cores} cores)"
        facts[None, "operating system"] = host.os
        facts[None, "Python"] = host.python
    if conditions := run.conditions:
        facts["settings", "frequency governor"] = conditions.governor or ""
        facts["settings", "container's CPU limit"] = f"{conditions.cpu_limit:g}" if conditions.cpu_limit else ""
        for name, value in conditions.thread_settings.items():
            facts["settings", name] = value
    for name, value in run.packages.items():
        facts[None, f"package {name}"] = value
    return facts


def commits(runs: Iterable[RunRecord]) -> str:
    """The commits of the harness that measured, each once; `not recorded` where none is known."""
    told = dict.fromkeys(
        f"{run.git.commit[:_DIGITS]}{' with uncommitted changes' if run.git.dirty else ''}" for run in runs if run.git
    )
    return ", ".join(told) or _UNKNOWN
