"""A report's main tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.markup import escape
from rich.table import Table

from reports import flags
from reports.groups import Group
from reports.page import Page
from reports.ratios import Pair, inequalities, told_once
from reports.records import CellRecord
from reports.table import Column, ScopeTable

#: Beyond so many remarks nobody reads them; the report has all.
_MOST_REMARKS = 30


def tables(page: Page) -> list[Table]:
    """One rich table a workload and scope: latency, FPS per card derived and measured, and the ratio.

    Where fewer chips than a card's were at work, the measured FPS are of those, and say so.
    """
    return [_table(page, scope) for scope in page.tables]


def remarks(page: Page) -> Iterator[str]:
    """A line for every cell that a verdict went against, every throughput with a problem, every unequal ratio."""
    if old := flags.unchecked(page.runs):
        yield f"⚠ {old}"
    lines = []
    for cell in page.cells:
        name = page.name(cell)
        words = flags.in_words(cell) if cell.flags else []
        if words:
            lines.append(f"⚠ {name}: {'; '.join(words)}")
        if cell.throughput and cell.throughput.flags:
            lines.append(f"⚠ {name}, all at once: {'; '.join(cell.throughput.flags)}")
    yield from lines[:_MOST_REMARKS]
    if len(lines) > _MOST_REMARKS:
        yield f"⚠ and {len(lines) - _MOST_REMARKS} more remarks like these; they are in the report"
    for table in page.tables:
        unequal = {pair: inequalities(table, pair) for pair in page.pairs(table)}
        yield from (f"⚠ {note}" for note in told_once(unequal, table.columns))


def _table(page: Page, scope: ScopeTable) -> Table:
    together = any(c.throughput or c.throughput_failure for group in scope.groups.values() for c in group.cells)
    simulated = " (SIMULATED)" if any(c.provenance == "simulated" for c in scope.columns) else ""
    title = escape(f"{scope.workload}, {scope.scope}{simulated}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    measured = ("measured", "eff.") if together else ()
    for name in ("backend", "bs", "median ms", "± 95 %", "FPS/card", *measured, "ratio", "outputs"):
        left = name in ("backend", "outputs")
        table.add_column(
            name, justify="left" if left else "right", overflow="fold", no_wrap=name != "backend",
            min_width=11 if name == "backend" else None,
        )  # fmt: skip
    pairs = page.pairs(scope)
    for column in scope.columns:
        mine = [pair for pair in pairs if pair.above == column]
        for batch in scope.batches:
            group = scope.group(batch, column)
            if group is None:
                continue
            table.add_row(
                escape(column.title(scope.columns)),
                str(batch),
                *_latency(group),
                f"{group.fps.value:.{6 if _elsewhere(column) else 4}g}" if group.fps else "-",
                *(_throughput(group) if together else ()),
                ", ".join(_ratio(scope, batch, pair) for pair in mine) or "-",
                _outputs(group, column),
            )
        table.add_section()
    return table


def _elsewhere(column: Column) -> bool:
    return column.provenance in ("imported", "published")


def _latency(group: Group) -> tuple[str, str]:
    """Median, or the mean where a source tells no median, and half the width of its interval."""
    figure, mark = (group.median, "") if group.median else (group.mean, " mean")
    if figure is None:
        return "-", "-"
    own = group.single.latency if group.single else None
    half = own.relative_half_width if own else None
    if half is None and figure.low is not None and figure.high is not None:
        half = (figure.high - figure.low) / (2 * figure.value)
    several = f" ×{figure.invocations}" if figure.invocations > 1 else ""
    return f"{figure.value:.4g}{mark}{several}", f"{half:.1%}" if half is not None else "-"


def _ratio(scope: ScopeTable, batch: int, pair: Pair) -> str:
    ratio = scope.ratio(batch, pair.above, pair.below)
    if ratio is None:
        return "-"
    spread = f" ±{(ratio.high - ratio.low) / (2 * ratio.value):.1%}" if ratio.low and ratio.high else ""
    return f"{ratio.value:.1%}{spread}"


def _outputs(group: Group, column: Column) -> str:
    if group.status == "ok" and not any(cell.accuracy for cell in group.counted):
        return "unchecked" + (" ⚠" if group.against else "")
    told = {"ok": "right", "wrong": "WRONG", "failed": "failed"}[group.status]
    return told + (" ⚠" if group.against else "")


def _throughput(group: Group) -> tuple[str, str]:
    cell: CellRecord = group.first
    if cell.throughput is None:
        return "failed" if cell.throughput_failure else "-", "-"
    together = cell.throughput
    figure = (
        f"{together.fps_per_card:.4g}"
        if together.fps_per_card is not None
        else f"{together.fps:.4g} ({together.chips} {'chip' if together.chips == 1 else 'chips'})"
    )
    # An efficiency is relative to what one chip gave alone: no better than that figure.
    against = together.flags or group.against
    return figure + (" ⚠" if together.flags else ""), f"{together.efficiency:.1%}" + (" ⚠" if against else "")
