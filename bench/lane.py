"""One worker's part of a throughput measurement: open, prove right, warm up, line up, and go until the time is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from backends import registry
from backends.base import Array, Device, DeviceError, Feeds, Precision, Session
from bench import timing
from bench.clock import PERF_CLOCK
from bench.plan import CellTask, Lane
from bench.watch import open_watch
from bench.workloads import load as load_workload
from bench.workloads.base import Materials
from reports.accuracy import compare_outputs
from reports.statistics import steady_state

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LaneOrder:
    """What one worker is to do: keep the lane's requests in flight for `window_s` seconds.

    `executed` is the precision that the cell itself ran in; a lane in another would be another cell.
    """

    lane: Lane
    window_s: float
    executed: Precision


def run_lane(
    task: CellTask,
    materials: Materials,
    order: LaneOrder,
    phase: Callable[[str], None],
    line_up: Callable[[], int],
) -> tuple[timing.Stamps, list[str]]:
    """Begin at the time, in ns, that `line_up` returns; the stamps, and in words what speaks against them.

    Raises the errors of backends.base, and DeviceError when a session runs elsewhere, in another precision, or gives
    wrong outputs with that many open.
    """
    phase("build")
    lane = order.lane
    workload = load_workload(task.workload.name)
    model = workload.model(task.workload, materials, task.batch)
    backend = registry.load(task.backend)
    options = registry.parse_options(backend, task.options)
    device = Device.parse(lane.device)
    feeds = workload.host_batches(task.workload, materials, task.batch)
    reference = workload.reference(materials, task.batch)
    artifact = backend.prepare(model, task.precision, device, options)
    with closing(open_watch(device, lane.address)) as watch, ExitStack() as opened:
        phase("load")
        sessions = [opened.enter_context(backend.open(artifact, device, options)) for _ in range(lane.streams)]
        requests = [timing.compose(session, task.scope, feeds) for session in sessions]
        phase("check")
        _check(sessions, device, order.executed, feeds[0], reference)
        stamps = timing.Stamps(task.limits.max_samples + lane.streams)
        with timing.collector_off():
            phase("measure")
            _warm_up(requests, task, order.window_s)
            begin = line_up()
            watch.begin()
            while PERF_CLOCK() < begin:  # spinning, since a sleep would end late by its own measure
                pass
            timing.run_pipeline(requests, PERF_CLOCK, stamps, until_ns=begin + int(order.window_s * _NS_PER_S))
            watch.end(calls=stamps.count)
        phase("recheck")
        _check(sessions, device, order.executed, feeds[0], reference)
    remarks = [f"on {device} {session.fallback}" for session in sessions[:1] if session.fallback]
    throttled, reason = watch.throttling()
    if throttled:
        remarks.append(f"{lane.device} was held back: {reason}")
    state = steady_state(stamps.durations_ns())
    if lane.streams == 1 and state.steady is False:  # the order of queued requests says nothing of the device
        remarks.append(f"a worker on {lane.device} was not steady: {state.reason}")
    return stamps, remarks


def _check(
    sessions: Sequence[Session], device: Device, executed: Precision, feeds: Feeds, reference: dict[str, Array]
) -> None:
    """Every session must be what the cell's own was: right, on its device, in the same precision."""
    for session in sessions:
        if session.device != device:
            raise DeviceError(f"asked for {device}, the session runs on {session.device}; ask its backend's author.")
        if session.precision is not executed:
            raise DeviceError(f"the cell ran in {executed}, a session on {device} in {session.precision}.")
        session.copy_inputs(feeds)
        session.enqueue()
        session.synchronize()
        for output in compare_outputs(reference, session.copy_outputs(), session.precision.value):
            if not output.passed:
                raise DeviceError(f"with {len(sessions)} sessions on {device} the outputs are wrong: {output.reason}.")


def _warm_up(requests: list[tuple[timing.Step, timing.Step]], task: CellTask, window_s: float) -> None:
    """At the load that is to be measured; half the window at most."""
    until = PERF_CLOCK() + int(min(task.limits.warmup_max_s, window_s / 2) * _NS_PER_S)
    enough = PERF_CLOCK() + int(task.limits.warmup_min_s * _NS_PER_S)
    calls = 0
    while calls < task.limits.warmup_calls or PERF_CLOCK() < enough:
        timing.run_pipeline(requests, PERF_CLOCK, timing.Stamps(2 * len(requests)), until_ns=0)
        calls += len(requests)
        if PERF_CLOCK() >= until:
            break
