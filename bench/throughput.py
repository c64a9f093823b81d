"""Throughput of a whole card, seen from the parent: one worker a lane, one start for all, one window."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from backends.base import Precision
from bench.messages import Event, LaneTask, Phase, Ran, Ready
from bench.phases import PhaseLimits
from bench.plan import CellTask
from bench.plan import Lane as PlannedLane
from bench.process import Outcome, Worker, attend
from bench.workloads.base import Materials
from reports.records import CellRecord, Failure, Throughput
from reports.throughput import Lane, summarise_throughput

_NS_PER_S = 1_000_000_000
#: Between "all are ready" and the common start, for the message to reach every worker.
_LEAD_S = 0.2
#: Inferences that every worker should complete in the window, where the time limit allows it.
_WANTED = 150


def measure_throughput(
    task: CellTask, materials: Materials, record: CellRecord, limits: PhaseLimits, on_event: Callable[[Event], None]
) -> tuple[Throughput | Failure, bool]:
    """Run all lanes of a cell at once; `record` is the cell's own, measured on one chip before.

    The second value: Ctrl-C came when the workers had given their results already.
    """
    assert record.latency is not None
    window_s = _window_s(task, record.latency.mean_ms / 1e3)
    limits = limits.changed({"measure": limits.of("measure") + window_s})
    ready: set[int] = set()
    with ExitStack() as running:
        workers = [
            running.enter_context(Worker(_lane_task(task, materials, record, lane, window_s), limits, lane.cpus))
            for lane in task.lanes
        ]

        def listen(index: int, event: Event) -> None:
            if isinstance(event, Ready):
                ready.add(index)
                if len(ready) == len(workers):
                    on_event(Phase(f"throughput, {len(workers)} workers"))
                    begin = time.perf_counter_ns() + int(_LEAD_S * _NS_PER_S)
                    for worker in workers:
                        worker.start_at(begin)
            elif isinstance(event, Phase):
                on_event(Phase(f"throughput, worker {index + 1} of {len(workers)}: {event.name}"))

        attend(workers, listen)
    outcomes = [worker.outcome() for worker in workers]
    return _together(task, record, workers, outcomes), any(outcome.interrupted for outcome in outcomes)


def _together(
    task: CellTask, record: CellRecord, workers: Sequence[Worker], outcomes: Sequence[Outcome]
) -> Throughput | Failure:
    """The common rate, or the failure of the worker that was lost first."""
    assert record.fps_per_card is not None
    lanes = []
    for lane, worker, outcome in zip(task.lanes, workers, outcomes, strict=True):
        if isinstance(outcome.result, Ran):
            result, remarks = outcome.result, outcome.result.remarks
            if outcome.aftermath:
                remarks = [*remarks, f"on {lane.device} {outcome.aftermath}"]
            lanes.append(Lane(lane.device, lane.cpus, lane.streams, result.starts_ns, result.ends_ns, remarks))
        elif not worker.abandoned:
            where = f"throughput, {lane.device}, {outcome.phase}"
            return Failure(phase=where, message=outcome.message, output_tail=list(outcome.output_tail))
    try:
        return summarise_throughput(lanes, task.batch, task.chips, record.fps_per_card / task.chips)
    except ValueError as error:
        return Failure(phase="throughput", message=f"{error}.")


def _lane_task(
    task: CellTask, materials: Materials, record: CellRecord, lane: PlannedLane, window_s: float
) -> LaneTask:
    executed = Precision(record.identity.precision)
    return LaneTask(cell=task, materials=materials, lane=lane, window_s=window_s, executed=executed)


def _window_s(task: CellTask, latency_s: float) -> float:
    """Seconds that every worker goes on for: enough inferences at the contention that is to be expected."""
    in_flight = sum(lane.streams for lane in task.lanes)
    wanted = max(task.limits.min_time_s, _WANTED * latency_s * in_flight)
    return min(task.limits.max_time_s, wanted)
