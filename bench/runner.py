"""Run a plan: prepare the workload once, then one worker process a cell, each record on the disk before the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.cell import failed_cell
from bench.errors import UsageError
from bench.plan import CellTask, WorkloadSpec
from bench.process import run_worker
from bench.worker import Event, Measured, MeasureTask, Phase, Prepared, PrepareTask
from bench.workloads.base import Materials
from reports.records import CellRecord, Failure
from reports.store import RunWriter


class Observer(Protocol):
    """Watches a run, to show it."""

    def preparing(self, what: str) -> None: ...

    def cell_started(self, number: int, task: CellTask) -> None: ...

    def cell_event(self, event: Event) -> None: ...

    def cell_done(self, record: CellRecord) -> None: ...


def prepare(workload: WorkloadSpec, batches: Sequence[int], cache: Path, observer: Observer) -> Materials:
    """Make the workload's files in a worker process. Raises UsageError with the worker's reason."""

    def on_event(event: Event) -> None:
        if isinstance(event, Phase):
            observer.preparing(event.name)

    task = PrepareTask(workload=workload, batches=list(batches), cache=str(cache))
    outcome = run_worker(task, on_event)
    if isinstance(outcome.result, Prepared):
        return outcome.result.materials
    if outcome.expected:
        raise UsageError(outcome.message)
    detail = " | ".join(outcome.output_tail[-3:])
    raise UsageError(f"preparing {workload.name} failed in phase '{outcome.phase}': {outcome.message} {detail}".strip())


def run_cells(cells: Sequence[CellTask], materials: Materials, writer: RunWriter, observer: Observer) -> None:
    """Measure the cells one after another. A cell that dies is recorded as failed and the next one is measured.

    KeyboardInterrupt passes through: the cell in progress is given up, those before it are on the disk.
    """
    for number, task in enumerate(cells):
        observer.cell_started(number, task)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        outcome = run_worker(MeasureTask(cell=task, materials=materials), observer.cell_event)
        if isinstance(outcome.result, Measured):
            record = outcome.result.record
        else:
            failure = Failure(phase=outcome.phase, message=outcome.message, output_tail=list(outcome.output_tail))
            record = failed_cell(task, failure, started)
        writer.append(record)
        observer.cell_done(record)
