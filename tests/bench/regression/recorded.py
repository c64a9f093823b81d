"""Commands that give run files which were made before: a check of known durations, through the real command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reports.records import CellRecord
from reports.store import RunWriter
from tests.reports import samples

_NEXT = """\
n=$(cat "$1/next"); echo $((n + 1)) > "$1/next"
mkdir -p "$2" && cp "$1/$n.jsonl" "$2/run.jsonl"
"""


def write_runs(folder: Path, runs: Sequence[Sequence[CellRecord]]) -> str:
    """Lay the runs down in `folder`; the command that gives one after another, with `{out}` in it."""
    folder.mkdir(parents=True)
    for number, cells in enumerate(runs):
        with RunWriter(folder / f"{number}.jsonl", samples.header(id=f"run-{folder.name}-{number}")) as writer:
            for cell in cells:
                writer.append(cell)
    (folder / "next").write_text("0")
    (folder / "next.sh").write_text(_NEXT)
    return f"sh {folder}/next.sh {folder} {{out}}"


def noisy_runs(seed: int, count: int, latencies_ms: dict[str, float], sd: float = 0.008) -> list[list[CellRecord]]:
    """Runs of one cell a name, whose medians lie around these latencies with that relative standard deviation."""
    generator = np.random.default_rng(seed)
    return [
        [
            samples.cell(name, 1, latency * float(np.exp(generator.normal(0, sd))))
            for name, latency in latencies_ms.items()
        ]
        for _ in range(count)
    ]
