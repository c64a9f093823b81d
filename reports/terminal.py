"""A run's main tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.markup import escape
from rich.table import Table

from reports import flags
from reports.records import CellRecord, Run
from reports.table import Column, ScopeTable, by_scope, find_baseline


def tables(run: Run, baseline: str | None = None, include_flagged: bool = False) -> list[Table]:
    """One rich table a scope: median latency, FPS per card derived and measured, and the ratio to the baseline.

    Where fewer chips than a card's were at work, the measured FPS are of those, and say so.
    """
    return [_table(run, scope, find_baseline(scope, baseline)) for scope in by_scope(run, include_flagged)]


def remarks(run: Run) -> Iterator[str]:
    """A line for every cell that a verdict went against, and for every throughput with a problem."""
    if old := flags.unchecked(run):
        yield f"⚠ {old}"
    for cell in run.cells:
        name = f"{cell.identity.label()} bs{cell.identity.batch} {cell.identity.scope}"
        words = flags.in_words(cell) if cell.flags else []
        if words:
            yield f"⚠ {name}: {'; '.join(words)}"
        if cell.throughput and cell.throughput.flags:
            yield f"⚠ {name}, all at once: {'; '.join(cell.throughput.flags)}"


def _table(run: Run, scope: ScopeTable, base: Column | None) -> Table:
    together = any(cell.throughput or cell.throughput_failure for cell in scope.cells.values())
    simulated = " (SIMULATED)" if any(c.provenance == "simulated" for c in scope.columns) else ""
    title = escape(f"{run.run.workload.name}, {scope.scope}{simulated}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
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
                escape(column.title(scope.columns)),
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
    together = cell.throughput
    figure = (
        f"{together.fps_per_card:.4g}"
        if together.fps_per_card is not None
        else f"{together.fps:.4g} ({together.chips} {'chip' if together.chips == 1 else 'chips'})"
    )
    # An efficiency is relative to what one chip gave alone: no better than that figure.
    against = together.flags or flags.short(cell)
    return figure + (" ⚠" if together.flags else ""), f"{together.efficiency:.1%}" + (" ⚠" if against else "")
