"""Does the harness measure what a simulated Atlas 300I was set to take? Means, copies, and four chips at once.

    python tests/benchmarks/acl_double.py

Each chip takes base + batch x image ms for an execution and a set time for a copy, asleep for the most of it, so that
four of them fit on two cores. The figures say nothing of a real chip: they show what the harness adds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from reports import store  # noqa: E402
from reports.records import CellRecord  # noqa: E402
from tests.doubles import acl, npu_smi  # noqa: E402
from tests.doubles.onnx_files import tiny_convnet  # noqa: E402

_BATCHES = (1, 4, 8, 16)
_BASE_MS, _IMAGE_MS, _COPY_MS = 4.0, 1.0, 5.0
_CHIP_MS = 20.0


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx = tiny_convnet(folder / "tiny.onnx")
        for batch in _BATCHES:
            acl.write_om(folder / f"tiny_bs{batch}.om", onnx, [batch])
        npu_smi.install(folder / "bin", npu_smi.CARD_300I)
        set_ms = {"base_ms": _BASE_MS, "image_ms": _IMAGE_MS, "copy_ms": _COPY_MS}
        for cell in _run(folder, set_ms, "--scope", "compute", "end-to-end", "--bs", *map(str, _BATCHES)):
            copies = 2 * _COPY_MS if cell.identity.scope == "end-to-end" else 0.0
            expected = _BASE_MS + _IMAGE_MS * cell.identity.batch + copies
            assert cell.latency is not None
            share = cell.latency.mean_ms / expected
            print(
                f"{cell.identity.scope}, bs {cell.identity.batch}: set {expected:g} ms, measured mean"
                f" {cell.latency.mean_ms:.4f} ms, {share:.4f} of it",
                flush=True,
            )
        for cell in _run(folder, {"base_ms": _CHIP_MS}, "--bs", "1", "--chips", "all"):
            ideal = 4 * 1000 / _CHIP_MS
            assert cell.throughput is not None
            fps = cell.throughput.fps_per_card
            assert fps is not None
            print(f"four chips at {_CHIP_MS:g} ms: measured {fps:.2f} FPS a card, {fps / ideal:.4f} of {ideal:g}")
        wrong = acl.faults_found(acl.read_journal(folder / "journal.jsonl"))
        print(f"rules broken and things left behind: {len(wrong)}")


def _run(folder: Path, settings: dict[str, Any], *arguments: str) -> list[CellRecord]:
    given = acl.install(folder / "plugin", acl.Config(journal=str(folder / "journal.jsonl"), **settings))
    out = folder / f"run-{len(list(folder.glob('run-*')))}"
    environment = os.environ | given | {
        "PATH": os.pathsep.join([str(folder / "bin"), os.environ["PATH"]]), "XDG_CACHE_HOME": str(folder / "cache"),
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "bench", "--model", str(folder / "tiny.onnx"), "--compiled", str(folder), "--backend",
         "simulated-acl", "--max-time", "5", "--no-plots", "--out", str(out), *arguments],
        env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return store.read(out).cells


if __name__ == "__main__":
    main()
