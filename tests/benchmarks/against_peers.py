"""Our FPS against other tools' on the same engine, model, batch and settings, interleaved in one run.

    python tests/benchmarks/against_peers.py [--bs 1 4] [--turns N] [--processes N]

onnxruntime: a bare loop over `session.run_with_iobinding`. openvino: the measuring loop of the openvino package's
`benchmark_app` (synchronous, inference only) on a request of its own. Both sides work on the same loaded model and take
turns of a few calls, AB BA AB …, so that a machine whose speed drifts slows both. `--processes N` adds N pairs of whole
processes, `python -m bench` against `benchmark_app`. Goal: within 1 %.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backends import registry
from backends.base import Device, Precision, Scope, Session
from backends.host import physical_cores
from bench import timing
from bench.plan import WorkloadSpec
from bench.workloads import load
from bench.workloads.base import Materials
from reports import store
from reports.statistics import median_interval

SPEC = WorkloadSpec(name="stargan")
CPU = Device("cpu")
CALLS = 2  # a turn
#: Gives the seconds that one call took, averaged over a turn.
Turn = Callable[[], float]


def our_turn(session: Session) -> Turn:
    """A turn of the harness's loop, by its own samples."""
    issue, complete = timing.compose(session, Scope.COMPUTE, [])

    def turn() -> float:
        stamps = timing.Stamps(CALLS)
        timing.run_block(issue, complete, time.perf_counter_ns, stamps, 2**63 - 1)
        return statistics.fmean(stamps.durations_ns()) / 1e9

    return turn


def onnxruntime_turn(session: Any) -> Turn:
    """A turn of the shortest loop that one would write by hand."""
    run, binding = session._session.run_with_iobinding, session._binding

    def turn() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            run(binding)
        return (time.perf_counter() - begin) / CALLS

    return turn


def openvino_turn(session: Any) -> Turn:
    """A turn of benchmark_app's loop; its FPS is iterations over its total duration."""
    from openvino.tools.benchmark.benchmark import Benchmark

    class Queue:
        """What the loop asks of its data source."""

        def get_next_batch_size(self) -> int:
            return int(session.inputs[0].shape[0])

    tool = Benchmark("CPU", number_iterations=CALLS, duration_seconds=0, api_type="sync", inference_only=True)
    (request,) = tool.create_infer_requests(session._compiled)
    for name, array in session._input_arrays.items():
        request.get_tensor(name).data[:] = array

    def turn() -> float:
        _, duration_s, iterations = tool.sync_inference(request, Queue())
        return float(duration_s / iterations)

    return turn


def compare(name: str, peer: str, materials: Materials, batch: int, turns: int) -> None:
    """Open one session and let both sides take turns on it."""
    workload, backend = load(SPEC.name), registry.load(name)
    options = registry.parse_options(backend, {})
    artifact = backend.prepare(workload.model(SPEC, materials, batch), Precision.FP32, CPU, options)
    with backend.open(artifact, CPU, options) as session:
        session.copy_inputs(workload.host_batches(SPEC, materials, batch)[0])
        ours, theirs = our_turn(session), (onnxruntime_turn if name == "onnxruntime" else openvino_turn)(session)
        pairs = []
        with timing.collector_off():
            for index in range(turns + 2):
                first, second = (ours, theirs) if index % 2 == 0 else (theirs, ours)
                a, b = first(), second()
                pairs.append((batch / a, batch / b) if index % 2 == 0 else (batch / b, batch / a))
        _print(f"{name} bs{batch}", peer, pairs[2:])  # the first turns warm both requests up


def whole_processes(model: Path, batch: int, pairs: int, seconds: int, folder: Path) -> None:
    """`python -m bench` and `benchmark_app`, each measuring for `seconds`, in ABBA order."""
    tool = shutil.which("benchmark_app", path=str(Path(sys.executable).parent)) or "benchmark_app"
    theirs = [
        tool, "-m", str(model), "-d", "CPU", "-api", "sync", "-nireq", "1", "-nstreams", "1", "-nthreads",
        str(physical_cores()), "-infer_precision", "f32", "-hint", "none", "-t", str(seconds),
        "-shape", f"real_img[{batch},3,128,128],attr[{batch},5]",
    ]  # fmt: skip

    def peer() -> float:
        done = subprocess.run(theirs, check=True, capture_output=True, text=True)
        match = re.search(r"Throughput:\s+([\d.]+) FPS", done.stdout)
        if match is None:
            raise SystemExit(f"benchmark_app printed no throughput:\n{done.stdout[-2000:]}")
        return float(match.group(1))  # images a second: it multiplies by the batch itself

    def bench() -> float:
        out = Path(tempfile.mkdtemp(dir=folder))
        command = [sys.executable, "-m", "bench", "--backend", "openvino", "--bs", str(batch), "--model", str(model)]
        subprocess.run([*command, "--max-time", str(seconds), "--out", str(out)], check=True, capture_output=True)
        (cell,) = store.read(out).cells
        if cell.fps_per_card is None:
            raise SystemExit(f"our own cell has no figure: {cell.status}, {cell.failure}")
        return cell.fps_per_card

    results = []
    for index in range(pairs):
        if index % 2 == 0:
            results.append((bench(), peer()))
        else:
            other = peer()
            results.append((bench(), other))
    _print(f"openvino bs{batch}, whole processes", "benchmark_app", results)


def _print(name: str, peer: str, pairs: list[tuple[float, float]]) -> None:
    ratios = [mine / theirs for mine, theirs in pairs]
    interval = median_interval(ratios)
    known = f"95 % interval {interval.low:.4f}-{interval.high:.4f}" if interval else "too few pairs for an interval"
    print(
        f"{name}: bench {statistics.median(m for m, _ in pairs):.3f} FPS, {peer}"
        f" {statistics.median(t for _, t in pairs):.3f} FPS; ratio of a pair, median"
        f" {statistics.median(ratios):.4f}, {known}, {len(pairs)} pairs",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bs", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--turns", type=int, default=60, help="turns of each side")
    parser.add_argument("--processes", type=int, default=0, help="pairs of whole processes, 10 s each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        materials = load(SPEC.name).materialise(SPEC, options.bs, Path(folder), lambda what: None)
        for batch in options.bs:
            compare("onnxruntime", "bare loop", materials, batch, options.turns)
            compare("openvino", "benchmark_app's loop", materials, batch, options.turns)
            if options.processes:
                whole_processes(Path(materials.onnx or ""), batch, options.processes, 10, Path(folder))


if __name__ == "__main__":
    main()
