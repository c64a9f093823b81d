"""A run's main table for the terminal."""

from __future__ import annotations

from rich.table import Table

from reports.records import Run
from reports.table import by_scope, find_baseline


def tables(run: Run, baseline: str | None = None) -> list[Table]:
    """One rich table a scope: median latency, FPS per card and its ratio to the baseline."""
    rendered = []
    for scope in by_scope(run):
        base = find_baseline(scope, baseline)
        simulated = " (SIMULATED)" if any(c.provenance == "simulated" for c in scope.columns) else ""
        table = Table(title=f"{run.run.workload.name}, {scope.scope}{simulated}", title_justify="left")
        for name in ("backend", "batch", "median ms", "± 95 %", "FPS/card", "ratio", "outputs"):
            left = name in ("backend", "outputs")
            table.add_column(name, justify="left" if left else "right", overflow="fold")
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
                    f"{half:.1%}{'' if latency and latency.converged else ' ⚠'}" if half is not None else "-",
                    f"{cell.fps_per_card:.4g}" if cell.fps_per_card else "-",
                    f"{ratio:.1%}" if ratio is not None else "-",
                    {"ok": "right", "wrong": "WRONG", "failed": "failed"}[cell.status],
                )
            table.add_section()
        rendered.append(table)
    return rendered
