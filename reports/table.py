"""Runs as tidy tables: one row a cell, pivoted by batch size. Numbers stay numbers; renderings format them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports import flags
from reports.records import CellRecord, Run
from reports.statistics import geometric_mean

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """What one column of a table stands for: cells that differ in the batch size only."""

    label: str
    precision: str
    asked_precision: str
    device: str
    card: str
    scope: str
    provenance: str

    def title(self, others: Sequence[Column]) -> str:
        """The label, with whatever tells it apart from the other columns."""
        parts = [self.label]
        parts += [
            str(getattr(self, name))
            for name in ("precision", "device", "card")
            if len({getattr(other, name) for other in others}) > 1
        ]
        if self.asked_precision != self.precision:
            parts.append(f"(asked {self.asked_precision})")
        if self.provenance != "measured":
            parts.append(self.provenance)
        return " ".join(parts)


def column_of(cell: CellRecord) -> Column:
    """The column that a cell belongs to."""
    identity = cell.identity
    return Column(
        label=identity.label(),
        precision=identity.precision,
        asked_precision=cell.asked_precision,
        device=identity.device,
        card=identity.card,
        scope=identity.scope,
        provenance=cell.provenance,
    )


@dataclass(frozen=True, slots=True)
class ScopeTable:
    """All cells of one scope: columns in the order of the run, rows by batch size."""

    scope: str
    columns: list[Column]
    batches: list[int]
    cells: dict[tuple[int, Column], CellRecord]
    #: let cells enter ratios that a verdict went against
    include_flagged: bool = False

    def cell(self, batch: int, column: Column) -> CellRecord | None:
        return self.cells.get((batch, column))

    def fps(self, batch: int, column: Column) -> float | None:
        """Derived FPS per card; None for cells that are wrong, failed or absent."""
        cell = self.cell(batch, column)
        return cell.fps_per_card if cell and cell.status == "ok" else None

    def ratio(self, batch: int, column: Column, baseline: Column) -> float | None:
        """FPS over the baseline's at that batch size.

        None unless both have one, are of one sort of provenance, and no verdict went against either.
        """
        mine, theirs = self.fps(batch, column), self.fps(batch, baseline)
        if mine is None or theirs is None or not may_meet(column, baseline) or self.left_out(batch, column, baseline):
            return None
        return mine / theirs

    def left_out(self, batch: int, column: Column, baseline: Column) -> bool:
        """Whether both cells have a figure, and there is no ratio since a verdict went against one of them."""
        pair = [self.cell(batch, column), self.cell(batch, baseline)]
        cells = [cell for cell in pair if cell is not None and cell.status == "ok"]
        return len(cells) == 2 and not self.include_flagged and not all(map(flags.comparable, cells))

    def mean_ratio(self, column: Column, baseline: Column) -> float | None:
        """Geometric mean of the ratios over the batch sizes that have one."""
        ratios = [ratio for batch in self.batches if (ratio := self.ratio(batch, column, baseline)) is not None]
        return geometric_mean(ratios) if ratios else None


def may_meet(a: Column, b: Column) -> bool:
    """Simulated figures only ever meet simulated ones."""
    return (a.provenance == "simulated") == (b.provenance == "simulated")


def by_scope(run: Run, include_flagged: bool = False) -> list[ScopeTable]:
    """One table a scope; scopes are never mixed in one column."""
    tables = []
    for scope in dict.fromkeys(cell.identity.scope for cell in run.cells):
        cells = [cell for cell in run.cells if cell.identity.scope == scope]
        tables.append(
            ScopeTable(
                scope=scope,
                columns=list(dict.fromkeys(column_of(cell) for cell in cells)),
                batches=sorted({cell.identity.batch for cell in cells}),
                cells={(cell.identity.batch, column_of(cell)): cell for cell in cells},
                include_flagged=include_flagged,
            )
        )
    return tables


def find_baseline(table: ScopeTable, name: str | None) -> Column | None:
    """The column that ratios are against.

    With a name: the column of exactly that label, else the first of that backend, else None. Without: the first with
    a figure that no verdict went against, else the first with a figure.
    """
    if name is not None:
        exact = [column for column in table.columns if column.label == name]
        same_backend = [column for column in table.columns if column.label.partition(":")[0] == name]
        return next(iter(exact + same_backend), None)
    with_figure: list[tuple[Column, list[CellRecord]]] = []
    for column in table.columns:
        cells = [cell for batch in table.batches if (cell := table.cell(batch, column)) is not None]
        if figures := [cell for cell in cells if cell.status == "ok" and cell.fps_per_card is not None]:
            with_figure.append((column, figures))
    sound = [column for column, cells in with_figure if any(map(flags.comparable, cells))]
    return next(iter(sound + [column for column, _ in with_figure]), None)


def frame(run: Run) -> pd.DataFrame:
    """One row a cell with its figures, for people who want to go on in pandas; latency in ms, times in s."""
    import pandas as pd

    rows = []
    for cell in run.cells:
        identity, artifact = cell.identity, cell.artifact
        latency = cell.latency if cell.status == "ok" else None
        together, telemetry = cell.throughput, cell.telemetry
        rows.append(
            {
                "backend": identity.label(), "card": identity.card, "device": identity.device,
                "precision": identity.precision, "asked_precision": cell.asked_precision, "scope": identity.scope,
                "batch": identity.batch, "status": cell.status, "provenance": cell.provenance, "clock": cell.clock,
                "chips": cell.chips, "fps_per_card": cell.fps_per_card,
                "samples": latency.count if latency else 0,
                "median_ms": latency.median_ms if latency else None,
                "median_low_ms": latency.median_low_ms if latency else None,
                "median_high_ms": latency.median_high_ms if latency else None,
                "mean_ms": latency.mean_ms if latency else None,
                "best_ms": latency.best_ms if latency else None,
                "p90_ms": latency.p90_ms if latency else None,
                "p95_ms": latency.p95_ms if latency else None,
                "p99_ms": latency.p99_ms if latency else None,
                "p99_upper99_ms": latency.p99_upper99_ms if latency else None,
                "mean_low_ms": latency.mean_low_ms if latency else None,
                "mean_high_ms": latency.mean_high_ms if latency else None,
                "effective_samples": latency.effective_count if latency else None,
                "left_out": latency.cut if latency else None,
                "fps_low": cell.fps_low, "fps_high": cell.fps_high,
                "flags": ", ".join(flags.short(cell)),
                "measured_fps": together.fps if together else None,
                "measured_fps_per_card": together.fps_per_card if together else None,
                "chips_at_once": together.chips if together else None,
                "streams": together.streams if together else None,
                "efficiency": together.efficiency if together else None,
                "peak_memory_bytes": telemetry.peak_memory_bytes if telemetry else None,
                "energy_per_image_j": telemetry.energy_per_image_j if telemetry else None,
                "max_abs": max((o.max_abs for o in cell.accuracy if o.max_abs is not None), default=None),
                "ssim": min((o.ssim for o in cell.accuracy if o.ssim is not None), default=None),
                "changed_pixels": max(
                    (o.changed_pixels for o in cell.accuracy if o.changed_pixels is not None), default=None
                ),
                "build_s": artifact.build_s if artifact else None,
                "load_s": artifact.load_s if artifact else None,
                "first_call_s": artifact.first_call_s if artifact else None,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
