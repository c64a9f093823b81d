"""Our FPS against other tools' on the same engine, model, batch and settings, interleaved in one run.

    python tests/benchmarks/against_peers.py [--bs 1 4] [--seconds S] [--rounds R] [--peer openvino onnxruntime]

openvino: `benchmark_app` of the openvino package (same precision, hint, threads, one synchronous request), each side a
process of its own, in ABBA order. onnxruntime: a bare loop over `session.run_with_iobinding` on the very session that
our loop runs on, block by block. Goal: within 1 %.
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
from pathlib import Path

from backends import registry
from backends.base import Device, Precision, Scope
from backends.host import physical_cores
from bench import timing
from bench.plan import WorkloadSpec
from bench.workloads import load
from bench.workloads.base import Materials
from reports import store

SPEC = WorkloadSpec(name="stargan")
CPU = Device("cpu")


def ours_in_a_process(model: Path, batch: int, seconds: float, folder: Path) -> float:
    """FPS of `python -m bench` for one cell."""
    out = Path(tempfile.mkdtemp(dir=folder))
    command = [sys.executable, "-m", "bench", "--backend", "openvino", "--bs", str(batch), "--model", str(model)]
    subprocess.run([*command, "--max-time", str(seconds), "--out", str(out)], check=True, capture_output=True)
    (cell,) = store.read(out).cells
    if cell.fps_per_card is None:
        raise SystemExit(f"our own cell has no figure: {cell.status}, {cell.failure}")
    return cell.fps_per_card


def benchmark_app(model: Path, batch: int, seconds: float) -> float:
    """FPS that openvino's own tool prints."""
    tool = shutil.which("benchmark_app", path=str(Path(sys.executable).parent)) or "benchmark_app"
    command = [
        tool, "-m", str(model), "-d", "CPU", "-api", "sync", "-nireq", "1", "-nstreams", "1", "-nthreads",
        str(physical_cores()), "-infer_precision", "f32", "-hint", "none", "-t", str(int(seconds)),
        "-shape", f"real_img[{batch},3,128,128],attr[{batch},5]",
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    match = re.search(r"Throughput:\s+([\d.]+) FPS", done.stdout)
    if match is None:
        raise SystemExit(f"benchmark_app printed no throughput:\n{done.stdout[-2000:]}")
    return float(match.group(1))  # images a second: it multiplies by the batch itself


def compare_openvino(model: Path, batch: int, seconds: float, rounds: int, folder: Path) -> None:
    """Pairs in ABBA order."""
    pairs = []
    for index in range(rounds):
        if index % 2 == 0:
            mine, theirs = ours_in_a_process(model, batch, seconds, folder), benchmark_app(model, batch, seconds)
        else:
            theirs, mine = benchmark_app(model, batch, seconds), ours_in_a_process(model, batch, seconds, folder)
        pairs.append((mine, theirs))
    _print(f"openvino bs{batch}", "benchmark_app", pairs)


def compare_onnxruntime(materials: Materials, batch: int, seconds: float, rounds: int) -> None:
    """Alternate blocks of our loop and of the bare loop on one session."""
    workload, backend = load(SPEC.name), registry.load("onnxruntime")
    options = registry.parse_options(backend, {})
    artifact = backend.prepare(workload.model(SPEC, materials, batch), Precision.FP32, CPU, options)
    pairs = []
    with backend.open(artifact, CPU, options) as session:
        feeds = workload.host_batches(SPEC, materials, batch)
        session.copy_inputs(feeds[0])
        run, binding = session._session.run_with_iobinding, session._binding  # type: ignore[attr-defined]
        issue, complete = timing.compose(session, Scope.COMPUTE, feeds)
        for _ in range(3):
            run(binding)
        for index in range(rounds):
            sides = {}
            for side in ("ours", "bare") if index % 2 == 0 else ("bare", "ours"):
                until = time.perf_counter_ns() + int(seconds * 1e9)
                if side == "ours":
                    stamps = timing.Stamps(100_000)
                    timing.run_block(issue, complete, time.perf_counter_ns, stamps, until)
                    sides[side] = batch * 1e9 / statistics.fmean(stamps.durations_ns())
                else:
                    begin, calls = time.perf_counter_ns(), 0
                    while time.perf_counter_ns() < until:
                        run(binding)
                        calls += 1
                    sides[side] = batch * calls * 1e9 / (time.perf_counter_ns() - begin)
            pairs.append((sides["ours"], sides["bare"]))
    _print(f"onnxruntime bs{batch}", "bare loop", pairs)


def _print(name: str, peer: str, pairs: list[tuple[float, float]]) -> None:
    ratios = sorted(mine / theirs for mine, theirs in pairs)
    print(
        f"{name}: bench {statistics.median(m for m, _ in pairs):.3f} FPS, {peer}"
        f" {statistics.median(t for _, t in pairs):.3f} FPS, ratio median {statistics.median(ratios):.4f}"
        f" ({ratios[0]:.4f}-{ratios[-1]:.4f}, {len(pairs)} pairs)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bs", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--peer", nargs="+", choices=("openvino", "onnxruntime"), default=["openvino", "onnxruntime"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        materials = load(SPEC.name).materialise(SPEC, options.bs, Path(folder), lambda what: None)
        for batch in options.bs:
            if "onnxruntime" in options.peer:
                compare_onnxruntime(materials, batch, options.seconds, options.rounds)
            if "openvino" in options.peer:
                model = Path(materials.onnx or "")
                compare_openvino(model, batch, options.seconds, options.rounds, Path(folder))


if __name__ == "__main__":
    main()
