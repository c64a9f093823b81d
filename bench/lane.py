"""One worker's part of a throughput measurement: open, prove right, warm up, line up, and go until the time is over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from backends import registry
from backends.base import Device, DeviceError
from bench import timing
from bench.clock import PERF_CLOCK
from bench.plan import CellTask, Lane
from bench.workloads import load as load_workload
from bench.workloads.base import Materials
from reports.accuracy import compare_outputs

_NS_PER_S = 1_000_000_000


def run_lane(
    task: CellTask,
    materials: Materials,
    lane: Lane,
    window_s: float,
    phase: Callable[[str], None],
    line_up: Callable[[], int],
) -> timing.Stamps:
    """Keep `lane.streams` requests in flight for `window_s` seconds from the time, in ns, that `line_up` returns.

    Raises the errors of backends.base, and DeviceError when the outputs are wrong with that many sessions open.
    """
    workload = load_workload(task.workload.name)
    model = workload.model(task.workload, materials, task.batch)
    backend = registry.load(task.backend)
    options = registry.parse_options(backend, task.options)
    device = Device.parse(lane.device)
    feeds = workload.host_batches(task.workload, materials, task.batch)
    reference = workload.reference(materials, task.batch)
    phase("build")
    artifact = backend.prepare(model, task.precision, device, options)
    with ExitStack() as opened:
        phase("load")
        sessions = [opened.enter_context(backend.open(artifact, device, options)) for _ in range(lane.streams)]
        requests = [timing.compose(session, task.scope, feeds) for session in sessions]

        def check() -> None:
            for session in sessions:
                session.copy_inputs(feeds[0])
                session.enqueue()
                session.synchronize()
                wrong = [o for o in compare_outputs(reference, session.copy_outputs(), session.precision.value)
                         if not o.passed]  # fmt: skip
                if wrong:
                    raise DeviceError(f"with {lane.streams} streams the outputs are wrong: {wrong[0].reason}.")

        phase("check")
        check()
        stamps = timing.Stamps(task.limits.max_samples + lane.streams)
        with timing.collector_off():
            phase("measure")
            _warm_up(requests, task, window_s)
            begin = line_up()
            while PERF_CLOCK() < begin:  # spinning, since a sleep would end late by its own measure
                pass
            timing.run_pipeline(requests, PERF_CLOCK, stamps, until_ns=begin + int(window_s * _NS_PER_S))
        phase("recheck")
        check()
    return stamps


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
