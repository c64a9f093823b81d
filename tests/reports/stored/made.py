"""Made-up runs of different days, with known medians."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from reports import store
from reports.records import CellRecord, LatencySummary, Run
from tests.reports.samples import cell, header


def timed(backend: str, batch: int, median_ms: float, **changes: Any) -> CellRecord:
    """A cell of exactly that median, known to half a per cent."""
    made = cell(backend, batch, 10.0, count=100, **changes)
    assert made.latency is not None
    return replace(made, latency=_scaled(made.latency, median_ms), fps_per_card=batch * 1000 / median_ms)


def _scaled(latency: LatencySummary, median_ms: float) -> LatencySummary:
    return replace(
        latency, median_ms=median_ms, median_low_ms=median_ms * 0.995, median_high_ms=median_ms * 1.005,
        mean_ms=median_ms,
    )  # fmt: skip


def run_of(name: str, *cells: CellRecord, day: int = 1, **changes: Any) -> Run:
    started = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)).isoformat()
    return Run(
        run=header(**{"id": name, "started": started, "cells_planned": len(cells), **changes}), cells=list(cells)
    )


def write(path: Path, run: Run) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with store.RunWriter(path, run.run) as writer:
        for record in run.cells:
            writer.append(record)
    return path


class Sessions:
    """Runs of the same cells on different days, with a known spread between sessions and between processes."""

    def __init__(
        self, seed: int, sd: float = 0.005, within_sd: float = 0.002, invocations: int = 1, rows: int = 2
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.sd, self.within_sd, self.invocations = sd, within_sd, invocations
        self.base = [timed("pytorch", 2**row, 10.0 * 2**row) for row in range(rows)]
        self.made = 0

    def run(self, slowdown: float = 0.0) -> Run:
        """Another session, slower by that share."""
        self.made += 1
        cells = []
        for row in self.base:
            day = self.random.normal(0, self.sd)
            for number in range(self.invocations):
                assert row.latency is not None
                factor = math.exp(day + self.random.normal(0, self.within_sd)) * (1 + slowdown)
                median = row.latency.median_ms * factor
                cells.append(replace(row, invocation=number, latency=_scaled(row.latency, median)))
        return run_of(f"session-{self.made}", *cells, day=self.made)
