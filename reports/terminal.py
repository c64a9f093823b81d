"""A run's main tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.table import Table

from reports import flags
from reports.records import CellRecord, Run
from reports.table import Column, ScopeTable, by_scope, find_baseline


def tables(run: Run, baseline: str | None = None, include_flagged: bool = False) -> list[Table]:
    """One rich table a scope: median latency, FPS per card derived and measured, and the ratio to the baseline."""
    return [_table(run, scope, find_baseline(scope, baseline)) for scope in by_scope(run, include_flagged)]


def remarks(run: Run) -> Iterator[str]:
    """A line for every cell that a verdict went against."""
    for cell in run.cells:
        if words := flags.in_words(cell):
            yield f"⚠ {cell.identity.label()} bs{cell.identity.batch} {cell.identity.scope}: {'; '.join(words)}"


def _table(run: Run, scope: ScopeTable, base: Column | None) -> Table:
    together = any(cell.throughput or cell.throughput_failure for cell in scope.cells.values())
    simulated = " (SIMULATED)" if any(c.provenance == "simulated" for c in scope.columns) else ""
    table = Table(title=f"{run.run.workload.name}, {scope.scope}{simulated}", title_justify="left", box=box.SIMPLE_HEAD,
                  collapse_padding=True, pad_edge=False)  # fmt: skip
    measured = ("measured", "eff.") if together else ()
    for name in ("backend", "bs", "median ms", "± 95 %", "FPS/card", *measured, "ratio", "outputs"):
        left = name in ("backend", "outputs")
        table.add_column(
            name, justify="left" if left else "right", overflow="fold", no_wrap=name != "backend",
            min_width=11 if name == "backend" else None,
        )  # fmt: skip
    for column in scope.columns:
        for batch in scope.batches:
            cell = scope.cell(batch, column)
            if cell is None:
                continue
            latency = cell.latency if cell.status == "ok" else None
            half = latency.relative_half_width if latency else None
            ratio = scope.ratio(batch, column, base) if base else None
            table.add_row(
                column.title(scope.columns),
                str(batch),
                f"{latency.median_ms:.4g}" if latency else "-",
                f"{half:.1%}" if half is not None else "-",
                f"{cell.fps_per_card:.4g}" if cell.fps_per_card else "-",
                *(_throughput(cell) if together else ()),
                f"{ratio:.1%}" if ratio is not None else "-",
                {"ok": "right", "wrong": "WRONG", "failed": "failed"}[cell.status]
                + (" ⚠" if flags.short(cell) else ""),
            )
        table.add_section()
    return table


def _throughput(cell: CellRecord) -> tuple[str, str]:
    if cell.throughput is None:
        return "failed" if cell.throughput_failure else "-", "-"
    return f"{cell.throughput.fps:.4g}", f"{cell.throughput.efficiency:.1%}"
