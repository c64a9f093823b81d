"""One worker's part of a throughput measurement: open, prove right, warm up, line up, and go until the time is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from backends.base import DeviceError, Precision, Session
from bench import timing
from bench.clock import PERF_CLOCK
from bench.messages import LaneTask
from bench.plan import CellTask
from bench.subject import Subject
from bench.watch import open_watch
from reports.statistics import steady_state

_NS_PER_S = 1_000_000_000


def run_lane(
    order: LaneTask, phase: Callable[[str], None], line_up: Callable[[], int]
) -> tuple[timing.Stamps, list[str]]:
    """Begin at the time, in ns, that `line_up` returns; the stamps, and in words what speaks against them.

    Raises the errors of backends.base, and DeviceError when a session runs elsewhere, in another precision, or gives
    wrong outputs with that many open.
    """
    phase("build")
    task, lane = order.cell, order.lane
    subject = Subject.of_cell(task, order.materials, lane.device)
    device = subject.device
    artifact = subject.prepare(task.precision)
    with closing(open_watch(device, lane.address)) as watch, ExitStack() as opened:
        phase("load")
        sessions = [opened.enter_context(subject.open(artifact)) for _ in range(lane.streams)]
        requests = [timing.compose(session, task.scope, subject.fed(session)) for session in sessions]
        phase("check")
        subject.check_card(sessions[0], task.card, lane.address)
        _check(sessions, subject, order.executed)
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
        _check(sessions, subject, order.executed)
    remarks = [f"on {device} {session.fallback}" for session in sessions[:1] if session.fallback]
    throttled, reason = watch.throttling()
    if throttled:
        remarks.append(f"{lane.device} was held back: {reason}")
    state = steady_state(stamps.durations_ns())
    if lane.streams == 1 and state.steady is False:  # the order of queued requests says nothing of the device
        remarks.append(f"a worker on {lane.device} was not steady: {state.reason}")
    return stamps, remarks


def _check(sessions: Sequence[Session], subject: Subject, executed: Precision) -> None:
    """Every session must be what the cell's own was: right, on its device, in the same precision."""
    device = subject.device
    for session in sessions:
        if session.device != device:
            raise DeviceError(f"asked for {device}, the session runs on {session.device}; ask its backend's author.")
        if session.precision is not executed:
            raise DeviceError(f"the cell ran in {executed}, a session on {device} in {session.precision}.")
        for output in subject.check(session):
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
