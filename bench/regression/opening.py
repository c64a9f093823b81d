"""From two sides as described to two sides that can be measured, with their files open and their devices held."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from backends.base import Device
from bench.compiled import digest
from bench.environment import describe_conditions, describe_host
from bench.errors import UsageError
from bench.locks import hold
from bench.phases import PhaseLimits
from bench.placement import lock_names
from bench.plan import CellTask
from bench.regression.commands import Command, CommandSide, match_cells
from bench.regression.environments import Environment, EnvironmentSide, candidate_slots
from bench.regression.pairs import Side, SideName
from bench.regression.probe import Found, Question
from bench.regression.rows import Grid, Offer, plan_rows
from bench.regression.turns import TurnTaking
from bench.selection import check_compiled
from bench.workloads.base import Materials
from reports.records import SCHEMA_VERSION, Conditions, Host, MeasureLimits, RunRecord
from reports.regression import Missing
from reports.store import RunFileError, RunWriter

#: A side's own file of records in the folder of a check.
FILES: Mapping[SideName, str] = {"base": "base.jsonl", "new": "new.jsonl"}
#: The turns of pairs that were measured at once.
TURNS = "pairs.jsonl"


@dataclass(frozen=True)
class Opened:
    """Two sides, the rows that they share, and why some of these cannot be measured."""

    base: Side
    new: Side
    rows: list[str]
    unmeasurable: dict[str, Missing]
    #: one invocation of a side measures all rows
    together: bool
    #: measures both processes of a pair at once, where they can be
    duo: TurnTaking | None = None


@dataclass(frozen=True)
class Work:
    """Where a check by environments works, and how patiently. `command` is the whole command line."""

    folder: Path
    cache: Path
    phase_limits: PhaseLimits
    lock_timeout_s: float
    command: Sequence[str]
    #: whether the two processes of a pair take turns
    turns: bool


@contextlib.contextmanager
def open_environments(
    sides: Mapping[SideName, Environment],
    grid: Grid,
    device: Device | None,
    work: Work,
    preparing: Callable[[str], None],
    note: Callable[[str], None],
) -> Iterator[Opened]:
    """Ask both sides what they have, hold the devices, prepare both workloads. Raises UsageError."""
    named = bool(sides["base"].backends)
    found: dict[SideName, Found] = {}
    for name, side in sides.items():
        preparing(f"looking at the {name} side")
        found[name] = side.ask(
            Question(
                backends=list(side.backends), device=str(device) if device else None,
                precisions=list(grid.precisions), scopes=list(grid.scopes),
            )
        )  # fmt: skip
    for name, side in sides.items():
        usable = [each.variant.backend for each in found[name].candidates if each.variant]
        check_compiled(side.workload.compiled, usable)
    slots = candidate_slots(found["base"], found["new"], named)
    variants = [candidate.variant for slot in slots for candidate in slot if candidate and candidate.variant]
    with contextlib.ExitStack() as stack:
        stack.enter_context(hold(lock_names(variants), work.lock_timeout_s, note))
        materials = {name: side.prepare(grid.batches, work.cache, work.phase_limits, preparing)
                     for name, side in sides.items()}  # fmt: skip
        for text in dict.fromkeys(text for made in materials.values() for text in made.info.notes):
            note(f"note: {text}")
        offers: dict[SideName, Offer] = {
            name: Offer(sides[name].workload, (made.info.model_sha256, made.info.inputs_sha256))
            for name, made in materials.items()
        }
        rows = plan_rows(slots, offers, grid)
        measurable = [row for row in rows if row.base and row.new]
        host, conditions = describe_host(), describe_conditions()
        tasks: dict[SideName, dict[str, CellTask]] = {
            "base": {row.name: row.base for row in measurable if row.base},
            "new": {row.name: row.new for row in measurable if row.new},
        }
        opened: dict[SideName, EnvironmentSide] = {}
        for name, side in sides.items():
            header = _header(side, found[name], materials[name], len(measurable), grid, host, conditions, work.command)
            writer = stack.enter_context(_new_file(work.folder / FILES[name], header))
            opened[name] = EnvironmentSide(side, tasks[name], materials[name], work.phase_limits, writer)
        yield Opened(
            opened["base"], opened["new"], [row.name for row in rows],
            {row.name: Missing(row.reason) for row in rows if not (row.base and row.new)}, together=False,
            duo=TurnTaking(opened, work.folder / TURNS) if work.turns else None,
        )  # fmt: skip


@contextlib.contextmanager
def _new_file(path: Path, header: RunRecord) -> Iterator[RunWriter]:
    try:
        writer = RunWriter(path, header)
    except RunFileError as error:
        raise UsageError(str(error)) from None
    with writer:
        yield writer


def _header(
    side: Environment,
    found: Found,
    materials: Materials,
    rows: int,
    grid: Grid,
    host: Host,
    conditions: Conditions,
    command: Sequence[str],
) -> RunRecord:
    now = datetime.now(UTC)
    told = [f"The {side.name} side of a check: {side.told}."] if side.told else [f"The {side.name} side of a check."]
    return RunRecord(
        schema=SCHEMA_VERSION,
        id=f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}-{side.name}",
        command=list(command),
        started=now.isoformat(timespec="seconds"),
        host=replace(host, python=found.python),
        git=found.git,
        packages=found.packages,
        workload=replace(
            materials.info,
            compiled_sha256=digest(side.workload.compiled),
            notes=[*materials.info.notes, *told],
        ),
        cells_planned=rows,
        conditions=conditions,
        limits=MeasureLimits(**{name: getattr(grid.limits, name) for name in MeasureLimits.__struct_fields__}),
        folder=str(Path.cwd()),
    )


@contextlib.contextmanager
def open_commands(
    sides: Mapping[SideName, Command],
    folder: Path,
    preparing: Callable[[str], None],
    note: Callable[[str], None],
) -> Iterator[Opened]:
    """Run both commands for the first time, which is the first pair of every row. Raises UsageError.

    Nothing is locked: commands that are runs of bench lock for themselves.
    """
    opened = {name: CommandSide(command, folder / FILES[name], note) for name, command in sides.items()}
    with contextlib.ExitStack() as stack:
        cells = {}
        for name, side in opened.items():
            stack.callback(side.close)
            preparing(f"first run of the {name} side")
            cells[name] = side.discover()
        rows = match_cells(cells["base"], cells["new"])
        if not any(base and new for _, base, new in rows):
            held = "; ".join(
                f"the {name} side's {', '.join(key.title() for key in keys)}" for name, keys in cells.items()
            )
            raise UsageError(f"no cell of the two commands is the same: {held}.")
        opened["base"].name_rows({row: base for row, base, _ in rows if base})
        opened["new"].name_rows({row: new for row, _, new in rows if new})
        absent = {
            row: Missing(f"the {'new side' if base else 'base'} did not measure it")
            for row, base, new in rows
            if not (base and new)
        }
        yield Opened(opened["base"], opened["new"], [row for row, _, _ in rows], absent, together=True)
