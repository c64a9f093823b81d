"""Time and peak memory of one report of many runs: `python tests/benchmarks/many_runs.py [--runs 1000]`.

Each run file has 12 cells of 1,000 samples, as three engines at four batch sizes give. The files are made up; what is
timed is the real command in a process of its own, beside a plain `json.loads` of every line in one.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

_ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(_ROOT))

from reports.records import Samples  # noqa: E402
from reports.summary import derived_fps_per_card, summarise  # noqa: E402
from tests.reports.samples import cell, header  # noqa: E402

_DIFFERENT = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-runs-") as folder:
        files = write(Path(folder) / "runs", given.runs)
        size = sum(file.stat().st_size for file in files)
        print(f"{len(files)} runs of 12 cells with 1,000 samples each: {size / 2**20:.0f} MiB")
        out = Path(folder) / "out" / "report.md"
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "bench", "report", str(Path(folder) / "runs"), "-o", str(out)],
            cwd=_ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        took = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        begin = time.perf_counter()
        for file in files:
            for line in file.read_bytes().splitlines():
                json.loads(line)
        plain = time.perf_counter() - begin
        print(
            f"bench report: {took:.1f} s, peak memory {peak:.0f} MiB, {len(list(out.parent.iterdir()))} files written"
        )
        print(f"reading alone with json.loads: {plain:.1f} s; ratio {took / plain:.2f}")


def write(folder: Path, count: int) -> list[Path]:
    """Run files with noise of their own in a few variants."""
    random = np.random.default_rng(0)
    variants = []
    for _ in range(_DIFFERENT):
        cells = []
        for number, backend in enumerate(("pytorch", "onnxruntime", "openvino")):
            for batch in (1, 4, 8, 16):
                base = cell(backend, batch, 1.0, count=4)
                times = (random.normal(1.0, 0.02, 1000) * (5.0 + number) * batch * 1e6).astype(int)
                samples = Samples(
                    samples_ns=times.tolist(), warmup_ns=times[:50].tolist(), group=1, stop="converged", overhead_ns=90
                )
                latency = summarise(samples)
                assert latency is not None
                fps = derived_fps_per_card(1, batch, latency.mean_ms)
                good = base.flags and replace(base.flags, steady=latency.steady, converged=latency.converged)
                cells.append(replace(base, samples=samples, latency=latency, fps_per_card=fps, flags=good))
        variants.append([msgspec.json.encode(record) + b"\n" for record in cells])
    files = []
    for number in range(count):
        run = folder / f"run-{number:05}"
        run.mkdir(parents=True)
        head = header(id=f"run-{number}", started=f"2026-11-{1 + number % 28:02}T12:{number % 60:02}:00+00:00",
                      cells_planned=12, skipped=[])  # fmt: skip
        file = run / "run.jsonl"
        file.write_bytes(msgspec.json.encode(head) + b"\n" + b"".join(variants[number % _DIFFERENT]))
        files.append(file)
    return files


if __name__ == "__main__":
    main()
