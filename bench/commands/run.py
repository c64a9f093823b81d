"""`bench run`: measure what was asked for, and leave run.jsonl, report.md, cells.csv and plots in one folder."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.commands.folders import fresh_folder
from bench.commands.measure import Plan, choose, finish, measure, planned
from bench.commands.options import RunOptions
from bench.environment import describe_conditions, describe_host, git_state, package_versions
from bench.errors import ExitCode, UsageError
from bench.progress import RunDisplay
from bench.selection import Selection
from bench.stopping import Limits
from reports.records import SCHEMA_VERSION, MeasureLimits, RunRecord
from reports.store import RunFileError, RunWriter


def run(options: RunOptions, command: Sequence[str]) -> int:
    """Measure and report; returns the exit status. Raises UsageError before anything is measured."""
    selection = choose(options)
    if not selection.variants:
        return ExitCode.USAGE
    with (
        fresh_folder(options.out) as folder,
        RunDisplay() as display,
        planned(options, selection, display) as plan,
        _new_file(folder, _header(command, plan, selection, options.limits)) as writer,
    ):
        interrupted = measure(plan, writer, options, display)
    return finish(folder, options, interrupted)


@contextlib.contextmanager
def _new_file(folder: Path, header: RunRecord) -> Iterator[RunWriter]:
    try:
        writer = RunWriter(folder / "run.jsonl", header)
    except RunFileError as error:
        raise UsageError(str(error)) from None
    with writer:
        yield writer


def _header(command: Sequence[str], plan: Plan, selection: Selection, limits: Limits) -> RunRecord:
    now = datetime.now(UTC)
    return RunRecord(
        schema=SCHEMA_VERSION,
        id=f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}",
        command=list(command),
        started=now.isoformat(timespec="seconds"),
        host=describe_host(),
        git=git_state(),
        packages=package_versions(),
        workload=plan.materials.info,
        cells_planned=len(plan.cells),
        skipped=selection.skipped,
        conditions=describe_conditions(),
        limits=MeasureLimits(**{name: getattr(limits, name) for name in MeasureLimits.__struct_fields__}),
        folder=str(Path.cwd()),
    )
