"""Does the harness measure what a simulated GPU was set to take? Means, copies, launches, CUDA graphs, device events.

An execution of batch n takes base + n x image ms, a copy a set time, asleep for the most of it, a launch a set time of
the host. The double itself is Python that runs while a launch lasts, so that what its launches take is measured first,
in this process, by a bare loop. The figures say nothing of a real card: they show what the harness adds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from backends import registry  # noqa: E402
from reports import store  # noqa: E402
from reports.device_time import figures  # noqa: E402
from reports.records import CellRecord  # noqa: E402
from tests.backends.tensorrt.machines import Simulated  # noqa: E402
from tests.backends.tiny import feeds, tiny_model  # noqa: E402
from tests.doubles import tensorrt  # noqa: E402
from tests.doubles.cuda import Config as Machine  # noqa: E402
from tests.doubles.cuda import Timing, faults_found, read_journal  # noqa: E402
from tests.doubles.onnx_files import tiny_convnet  # noqa: E402

_BATCHES = (1, 4, 8, 16)
_BASE_MS, _IMAGE_MS, _COPY_MS, _LAUNCH_US = 4.0, 1.0, 5.0, 20.0
_VARIANTS = ("cuda_api=cuda-bindings", "cuda_api=cuda-bindings,graph=true", "cuda_api=pycuda", "profile=range")


def main() -> None:
    generations: tuple[tensorrt.Generation, ...] = get_args(tensorrt.Generation)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--generation", nargs="+", choices=generations, default=generations, help="of TensorRT (default: all)"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny_convnet(folder / "tiny.onnx")
        for generation in given.generation:
            config = tensorrt.Config(
                generation=generation,
                machine=Machine(copy_ms=_COPY_MS, launch_us=_LAUNCH_US, journal=str(folder / "journal.jsonl")),
                base_ms=_BASE_MS, image_ms=_IMAGE_MS,
            )  # fmt: skip
            launch_ms = {variant: _launch_ms(folder, config, variant) for variant in _VARIANTS}
            for cell in _run(folder, config):
                variant = cell.identity.label().partition(":")[2]
                print(f"{generation}, {variant}, {_line(cell, launch_ms[variant])}", flush=True)
        wrong = faults_found(read_journal(folder / "journal.jsonl"))
        print(f"rules broken and things left behind: {len(wrong)}")


def _launch_ms(folder: Path, config: tensorrt.Config, variant: str) -> float:
    """What `enqueue` takes of the host with this double, the median of some."""
    here = Simulated(config, timing=Timing())
    options = registry.parse_options(here.backend, dict(part.split("=", 1) for part in variant.split(",")))
    took = []
    (folder / "launches").mkdir(exist_ok=True)
    with here.open(tiny_model(folder / "launches", 1), **options) as session:
        session.copy_inputs(feeds(1, 1))
        for _ in range(100):
            begin = time.perf_counter()
            session.enqueue()
            took.append(time.perf_counter() - begin)
            session.synchronize()
    return statistics.median(took) * 1e3


def _line(cell: CellRecord, launch_ms: float) -> str:
    """What was set, what was measured, and its share."""
    copies = 2 * _COPY_MS if cell.identity.scope == "end-to-end" else 0.0
    device_ms = _BASE_MS + _IMAGE_MS * cell.identity.batch
    expected = device_ms + copies + launch_ms
    assert cell.latency is not None
    share = cell.latency.mean_ms / expected
    line = (
        f"{cell.identity.scope}, bs {cell.identity.batch}: set {device_ms + copies:g} ms and launch {launch_ms:.3f} ms,"
        f" mean {cell.latency.mean_ms:.4f} ms, {share:.4f}"
    )
    if cell.device_times is not None:
        median = figures(cell.device_times).median_ms
        line += f"; device set {device_ms:g} ms, median {median:.4f} ms, {median / device_ms:.4f}"
    return line


def _run(folder: Path, config: tensorrt.Config) -> list[CellRecord]:
    generation = config.generation
    given = tensorrt.install(folder / f"plugin-{generation}", config)
    out = folder / f"run-{generation}"
    name = "simulated-tensorrt-rtx" if generation == "rtx" else "simulated-tensorrt"
    subprocess.run(
        [sys.executable, "-m", "bench", "--model", str(folder / "tiny.onnx"), "--backend",
         *(f"{name}:{variant}" for variant in _VARIANTS), "--max-time", "5", "--no-plots", "--out", str(out),
         "--scope", "compute", "end-to-end", "--bs", *map(str, _BATCHES)],
        env=os.environ | given | {"XDG_CACHE_HOME": str(folder / "cache")}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return store.read(out).cells


if __name__ == "__main__":
    main()
