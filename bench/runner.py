"""Run a plan: prepare the workload once, then one worker process a cell, each record on the disk before the next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from bench.cell import failed_cell
from bench.messages import Event, Measured, MeasureTask, Phase, Prepared, PrepareTask
from bench.phases import PhaseLimits
from bench.plan import CellTask, WorkloadSpec, key_of
from bench.process import run_worker
from bench.throughput import measure_throughput
from bench.workloads.base import Materials
from reports.records import CellRecord, Failure, Throughput
from reports.store import RunWriter


class Observer(Protocol):
    """Watches a run, to show it."""

    def cell_started(self, number: int, task: CellTask) -> None: ...

    def cell_event(self, event: Event) -> None: ...

    def cell_done(self, record: CellRecord) -> None: ...


def prepare(
    workload: WorkloadSpec, batches: Sequence[int], cache: Path, limits: PhaseLimits, say: Callable[[str], None]
) -> Materials:
    """Make the workload's files in a worker process; `say` is told what is being done. Raises UsageError."""

    def on_event(event: Event) -> None:
        if isinstance(event, Phase):
            say(event.name)

    task = PrepareTask(workload=workload, batches=list(batches), cache=str(cache))
    return run_worker(task, on_event, limits).demand(Prepared, f"preparing {workload.name}").materials


def run_cells(
    cells: Sequence[CellTask],
    materials: Materials,
    writer: RunWriter,
    limits: PhaseLimits,
    observer: Observer,
    done: Collection[tuple[str, int]] = (),
) -> None:
    """Measure the cells one after another, but for those whose keys (`plan.key_of`) are in `done`.

    A cell that dies is recorded as failed and the next one is measured. KeyboardInterrupt passes through: the cell
    in progress is given up, those before it are on the disk.
    """
    for number, task in enumerate(cells):
        if key_of(task) in done:
            continue
        observer.cell_started(number, task)
        record, interrupted = _measure(task, materials, limits, observer)
        writer.append(record)
        observer.cell_done(record)
        if interrupted:
            raise KeyboardInterrupt


def _measure(task: CellTask, materials: Materials, limits: PhaseLimits, observer: Observer) -> tuple[CellRecord, bool]:
    """The cell's record, and whether Ctrl-C came when it was complete already."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    outcome = run_worker(MeasureTask(cell=task, materials=materials), observer.cell_event, limits)
    if not isinstance(outcome.result, Measured):
        failure = Failure(phase=outcome.phase, message=outcome.message, output_tail=list(outcome.output_tail))
        return failed_cell(task, failure, started), outcome.interrupted
    record = outcome.result.record
    if outcome.aftermath:
        record = replace(record, session=record.session | {"aftermath": outcome.aftermath})
    if not task.lanes or record.status != "ok" or outcome.interrupted:
        return record, outcome.interrupted
    together, interrupted = measure_throughput(task, materials, record, limits, observer.cell_event)
    if isinstance(together, Throughput):
        return replace(record, throughput=together), interrupted
    return replace(record, throughput_failure=together), interrupted
