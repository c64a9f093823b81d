"""One backend, precision and batch size against a loop written by hand, in a process of its own. For cuda_report.py.

First the bare loop alone, before anything of the harness is opened: what it takes when the harness has set no switch of
the runtime. Then both by turns, AB BA AB …, on models of their own, so that a clock that drifts slows both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from backends.base import Precision, Session  # noqa: E402
from backends.casting import cast_feeds  # noqa: E402
from backends.host import physical_cores  # noqa: E402
from bench import device_time, timing  # noqa: E402
from bench.clock import PERF_CLOCK  # noqa: E402
from bench.commands.options import cache_folder  # noqa: E402
from bench.plan import WorkloadSpec  # noqa: E402
from bench.selection import BackendRequest  # noqa: E402
from bench.subject import Subject  # noqa: E402
from bench.workloads import load  # noqa: E402
from bench.workloads.base import CACHE_VERSION  # noqa: E402
from reports.accuracy import compare_outputs  # noqa: E402
from tests.benchmarks.cuda_loops import BareLoop, BareOnnx, BareTorch  # noqa: E402

_SPEC = WorkloadSpec(name="stargan")
_ALONE_S = 2.0
_LEAST_CALLS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--bs", type=int, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--turns", type=int, required=True, help="turns of each side")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    try:
        found = _measure(options)
    except Exception as error:  # the runtimes' errors have no common base, and the report names what failed
        traceback.print_exc()
        found = {"failed": " ".join(f"{type(error).__name__}: {error}".split())[:400]}
    identity = {"backend": options.backend, "precision": options.precision, "batch": options.bs}
    temporary = options.out.with_suffix(".part")
    temporary.write_text(json.dumps(identity | found), encoding="utf-8")
    temporary.replace(options.out)
    return 0


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    request = BackendRequest.parse(options.backend)
    cache = cache_folder(None) / CACHE_VERSION
    materials = load(_SPEC.name).materialise(_SPEC, [options.bs], cache, lambda what: None)
    subject = Subject.load(_SPEC, materials, request.name, request.options, options.device, options.bs)
    bare = _bare(subject, request, options.precision)
    found: dict[str, Any] = {"alone": {"host": _alone(bare.by_host)}}
    if bare.has_events:
        found["alone"]["device"] = _alone(bare.by_device)
    calls = 3 if options.device == "cpu" else device_time.TOGETHER
    with subject.open(subject.prepare(Precision(options.precision))) as session:
        session.copy_inputs(cast_feeds(subject.feeds[0], session.inputs))
        found["executed"] = session.precision.value
        found["host"] = _by_turns(_host_turn(session, calls), lambda: bare.by_host(calls), options.turns)
        if bare.has_events and session.device_event() is not None:
            found["device"] = _by_turns(
                lambda: _device_turn(session), lambda: bare.by_device(device_time.TOGETHER), options.turns
            )
    # A loop that computes something else is no peer.
    reference = subject.reference
    pictures = subject.workload.picture_outputs
    told = compare_outputs(reference, {next(iter(reference)): bare.output()}, options.precision, pictures)
    return found | {"wrong": "; ".join(each.reason for each in told if not each.passed)}


def _bare(subject: Subject, request: BackendRequest, precision: str) -> BareLoop:
    """The loop by hand for the same model and the same first inputs."""
    model = subject.workload.model(subject.spec, subject.materials, subject.batch)
    feeds, device, threads = subject.feeds[0], str(subject.device), physical_cores()
    if request.name == "pytorch":
        assert model.torch_module is not None
        graph = request.options.get("graph") == "true"
        inputs = [feeds[spec.name] for spec in model.inputs]
        return BareTorch(model.torch_module(), inputs, device, precision, graph, threads)
    assert model.onnx is not None
    (output,) = model.outputs
    return BareOnnx(model.onnx, feeds, output.name, output.shape, device, precision == "tf32", threads)


def _alone(turn: Callable[[int], list[float]]) -> float:
    """The median call in milliseconds, after a warm-up that is half as long."""
    _for(_ALONE_S / 2, turn)
    return statistics.median(_for(_ALONE_S, turn))


def _for(seconds: float, turn: Callable[[int], list[float]]) -> list[float]:
    """Times of calls for so long, and of a few at least."""
    times: list[float] = []
    end = time.monotonic() + seconds
    while len(times) < _LEAST_CALLS or time.monotonic() < end:
        times += turn(6)
    return times


def _host_turn(session: Session, calls: int) -> Callable[[], list[float]]:
    """The harness's loop, by its own samples."""

    def turn() -> list[float]:
        stamps = timing.Stamps(calls)
        session.synchronize()
        timing.run_block(session.enqueue, session.synchronize, time.perf_counter_ns, stamps, 2**63 - 1)
        return [sample / 1e6 for sample in stamps.durations_ns()[1:]]

    return turn


def _device_turn(session: Session) -> list[float]:
    """The harness's calls between events: one round of them."""
    times = device_time.device_times(session, PERF_CLOCK, budget_ns=0)
    assert times is not None
    return [sample / 1e6 for sample in times.times_ns]


def _by_turns(ours: Callable[[], list[float]], theirs: Callable[[], list[float]], turns: int) -> list[list[float]]:
    """Pairs of medians in milliseconds, the harness's first; the sides take the first turn by turns."""
    pairs = []
    with timing.collector_off():
        for index in range(turns + 2):
            first, second = (ours, theirs) if index % 2 == 0 else (theirs, ours)
            a, b = statistics.median(first()), statistics.median(second())
            pairs.append([a, b] if index % 2 == 0 else [b, a])
    return pairs[2:]  # the first turns warm both up


if __name__ == "__main__":
    sys.exit(main())
