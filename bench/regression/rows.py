"""The rows of a check by environments: each cell of the base with the same cell of the new side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.base import Precision, Scope
from bench.errors import UsageError
from bench.plan import CellTask, WorkloadSpec, make_cells
from bench.regression.pairs import SideName
from bench.regression.probe import Candidate
from bench.stopping import Limits
from reports.records import variant_label


@dataclass(frozen=True, slots=True)
class Grid:
    """What is measured of every backend, and how; without `precisions` each in its default."""

    batches: Sequence[int]
    precisions: Sequence[Precision]
    scopes: Sequence[Scope]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Offer:
    """What one side runs, and on what: `content` is the SHA-256 of its model and of its inputs."""

    workload: WorkloadSpec
    content: tuple[str, str]


@dataclass(frozen=True)
class PlannedRow:
    """One row; without both tasks it cannot be measured, for that `reason`."""

    name: str
    base: CellTask | None
    new: CellTask | None
    reason: str = ""


def plan_rows(
    slots: Sequence[tuple[Candidate | None, Candidate | None]], offers: Mapping[SideName, Offer], grid: Grid
) -> list[PlannedRow]:
    """Every backend at every batch size, precision and scope. Raises UsageError where none can be measured."""
    rows = []
    for scope in grid.scopes:
        for precisions in [[precision] for precision in grid.precisions] or [[]]:
            for batch in grid.batches:
                one = Grid([batch], precisions, [scope], grid.limits)
                rows += [_row(base, new, offers, one) for base, new in slots]
    names = [row.name for row in rows]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{name} would be measured twice; name each backend once with the same options.")
    if not any(row.base and row.new for row in rows):
        reason = next((row.reason for row in rows), "no backend is usable there; see: python -m bench backends")
        raise UsageError(f"nothing can be measured on both sides: {reason}")
    return rows


def _row(base: Candidate | None, new: Candidate | None, offers: Mapping[SideName, Offer], one: Grid) -> PlannedRow:
    theirs, mine = _task(base, offers["base"], one), _task(new, offers["new"], one)
    labels = dict.fromkeys(
        variant_label(task.backend, task.options) if task else candidate.name
        for task, candidate in ((theirs, base), (mine, new))
        if candidate
    )
    precisions = dict.fromkeys([*one.precisions, *(task.precision for task in (theirs, mine) if task)])
    name = f"{' → '.join(labels)} bs{one.batches[0]} {' → '.join(precisions)}".rstrip()
    if one.scopes[0] is not Scope.COMPUTE:
        name += f" {one.scopes[0]}"
    reasons = [
        f"the {side} side cannot measure it: {candidate.reason if candidate else 'its bench has no such backend'}"
        for side, task, candidate in (("base", theirs, base), ("new", mine, new))
        if task is None
    ]
    return PlannedRow(name, theirs, mine, "; ".join(reasons))


def _task(candidate: Candidate | None, offer: Offer, one: Grid) -> CellTask | None:
    if candidate is None or candidate.variant is None:
        return None
    cells = make_cells(
        offer.workload, offer.content, [candidate.variant], one.batches, one.precisions, one.scopes, one.limits
    )
    return cells[0] if cells else None
