"""A report's main tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from rich import box
from rich.console import Group as Together
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from reports import flags
from reports.digits import fps_digits, half_width, percent, significant, times
from reports.groups import Group
from reports.page import Page
from reports.ratios import Pair, comparable_batches, inequalities, told_once
from reports.records import CellRecord
from reports.table import Ratio, ScopeTable

#: Beyond so many remarks nobody reads them; the report has all.
_MOST_REMARKS = 30
#: A longer name stands above its rows instead of beside them.
_LONG_NAME = 24
_LEFT = ("backend", "pair", "outputs")
_NOTHING = "-"

#: The name of a column, and the cells of one of its rows.
_Line = tuple[str, tuple[str, ...]]


def tables(page: Page) -> list[RenderableType]:
    """A table a workload and scope: latency, FPS per card derived and measured, and the ratio to the baseline.

    The ratio that was asked for has a table of its own before. Where fewer chips than a card's were at work, the
    measured FPS are of those, and say so.
    """
    found: list[RenderableType] = []
    for scope in page.tables:
        if page.request.ratio:
            found += _asked_for(page, scope)
        found.append(_table(page, scope))
    return found


def remarks(page: Page) -> Iterator[str]:
    """A line for all cells of a kind that a verdict went against, every throughput with a problem, unequal ratios."""
    if old := flags.unchecked(page.runs):
        yield f"⚠ {old}"
    lines = [f"⚠ {line}" for line in page.against([c for c in page.cells if c.flags and flags.in_words(c)])]
    lines += [
        f"⚠ {page.name(cell)}, all at once: {'; '.join(cell.throughput.flags)}"
        for cell in page.cells
        if cell.throughput and cell.throughput.flags
    ]
    yield from lines[:_MOST_REMARKS]
    if len(lines) > _MOST_REMARKS:
        yield f"⚠ and {len(lines) - _MOST_REMARKS} more remarks like these; they are in the report"
    groups = [group for table in page.tables for group in table.groups.values() if group.fps]
    if any(group.fps and group.fps.invocations == 1 and group.fps.low is not None for group in groups):
        yield "± is within one process unless ×K stands beside the figure; how much processes differ is not in it."
    for table in page.tables:
        pairs = _pairs(page, table)
        unequal = {pair: inequalities(table, pair) for pair in pairs}
        yield from (f"⚠ {note}" for note in told_once(unequal, partial(_names, page, table)))


def _pairs(page: Page, table: ScopeTable) -> list[Pair]:
    return [pair for pair in page.pairs(table) if not page.request.ratio or comparable_batches(table, pair)]


def _names(page: Page, table: ScopeTable, pairs: Sequence[Pair]) -> str:
    """Pairs in a remark: by their numbers in the table of the ratio that was asked for, else by what is above."""
    if page.request.ratio:
        every = _pairs(page, table)
        return ", ".join(f"({every.index(pair) + 1})" for pair in pairs)
    return ", ".join(pair.above.title(table.columns) for pair in pairs)


def _asked_for(page: Page, scope: ScopeTable) -> list[RenderableType]:
    """The table of the ratio that was asked for: a pair after another, numbered where there are several."""
    pairs = _pairs(page, scope)
    if not page.request.ratio or not pairs:
        return []
    above, below = (side.text for side in page.request.ratio)
    measured = any(scope.measured_ratio(b, p.above, p.below) for p in pairs for b in scope.batches)
    lines: list[_Line] = []
    for number, pair in enumerate(pairs, start=1):
        name = (f"({number}) " if len(pairs) > 1 else "") + pair.title(scope.columns)
        for batch in comparable_batches(scope, pair):
            row = [str(batch)]
            row += [_fps(scope.group(batch, column)) for column in (pair.above, pair.below)]
            row.append(_ratio(scope.ratio(batch, pair.above, pair.below)))
            if measured:
                row.append(_ratio(scope.measured_ratio(batch, pair.above, pair.below)))
            lines.append((name, tuple(row)))
    header = ("bs", f"FPS {above}", f"FPS {below}", "ratio", *(("measured",) if measured else ()))
    return [_render(f"{scope.workload}, {scope.scope}: {above} / {below}", "pair", header, lines)]


def _table(page: Page, scope: ScopeTable) -> RenderableType:
    together = any(c.throughput or c.throughput_failure for group in scope.groups.values() for c in group.cells)
    simulated = " (SIMULATED)" if any(c.provenance == "simulated" for c in scope.columns) else ""
    pairs = [] if page.request.ratio else page.pairs(scope)
    measured = ("measured", "eff.") if together else ()
    ratio = () if page.request.ratio else ("ratio",)
    lines: list[_Line] = []
    for column in scope.columns:
        mine = next((pair for pair in pairs if pair.above == column), None)
        for batch in scope.batches:
            group = scope.group(batch, column)
            if group is None:
                continue
            row = (str(batch), *_latency(group), _fps(group), *(_throughput(group) if together else ()))
            if ratio:
                row += (_ratio(scope.ratio(batch, mine.above, mine.below) if mine else None),)
            lines.append((column.title(scope.columns), (*row, _outputs(group))))
    header = ("bs", "median ms", "± 95 %", "FPS/card", *measured, *ratio, "outputs")
    over = f"; ratio over {pairs[0].below.title(scope.columns)}" if pairs else ""
    return _render(f"{scope.workload}, {scope.scope}{simulated}{over}", "backend", header, lines)


def _render(title: str, what: str, header: Sequence[str], lines: Sequence[_Line]) -> RenderableType:
    """Rows with their names beside them, or above them where a name is long: so that 80 columns are enough."""
    if any(len(name) > _LONG_NAME for name, _ in lines):
        return _names_above(title, header, lines)
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for name in (what, *header):
        table.add_column(
            escape(name), justify="left" if name in _LEFT else "right", overflow="fold", no_wrap=name != what,
            min_width=11 if name == what else None,
        )  # fmt: skip
    for name, rows in groupby(lines, lambda line: line[0]):
        for _, row in rows:
            table.add_row(escape(name), *map(escape, row))
        table.add_section()
    return table


def _names_above(title: str, header: Sequence[str], lines: Sequence[_Line]) -> RenderableType:
    widths = [max(len(row[at]) for row in [header, *(row for _, row in lines)]) for at in range(len(header))]

    def line(cells: Sequence[str]) -> Text:
        sides = zip(header, cells, widths, strict=True)
        told = [cell.ljust(width) if name in _LEFT else cell.rjust(width) for name, cell, width in sides]
        return Text("  " + "  ".join(told).rstrip(), no_wrap=True, overflow="fold")

    parts = [Text(title, style="italic"), line(header), Text(" " + "─" * (sum(widths) + 2 * len(widths)))]
    for name, rows in groupby(lines, lambda line: line[0]):
        parts += [Text(name, style="bold"), *(line(row) for _, row in rows), Text("")]
    return Together(*parts)


def _latency(group: Group) -> tuple[str, str]:
    """Median, or the mean where a source tells no median, and half the width of its interval."""
    figure, mark = (group.median, "") if group.median else (group.mean, " mean")
    if figure is None:
        return _NOTHING, _NOTHING
    own = group.single.latency if group.single else None
    half = own.relative_half_width if own else None
    if half is None and figure.low is not None and figure.high is not None:
        half = (figure.high - figure.low) / (2 * figure.value)
    several = f" {times(group, figure)}" if figure.invocations > 1 or group.left_out else ""
    return f"{significant(figure.value)}{mark}{several}", half_width(half) if half is not None else _NOTHING


def _fps(group: Group | None) -> str:
    if group is None or group.fps is None:
        return _NOTHING
    return fps_digits(group, group.fps.value) + (" ⚠" if group.against else "")


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return _NOTHING
    if ratio.low is None or ratio.high is None:
        return percent(ratio.value)
    return f"{percent(ratio.value)} ±{half_width((ratio.high - ratio.low) / (2 * ratio.value))}"


def _outputs(group: Group) -> str:
    if group.status == "ok" and not any(cell.accuracy for cell in group.counted):
        return "unchecked"
    return {"ok": "right", "wrong": "WRONG", "failed": "failed"}[group.status]


def _throughput(group: Group) -> tuple[str, str]:
    cell: CellRecord = group.first
    if cell.throughput is None:
        return "failed" if cell.throughput_failure else _NOTHING, _NOTHING
    together = cell.throughput
    figure = (
        significant(together.fps_per_card)
        if together.fps_per_card is not None
        else f"{significant(together.fps)} ({together.chips} {'chip' if together.chips == 1 else 'chips'})"
    )
    # An efficiency is relative to what one chip gave alone: no better than that figure.
    against = together.flags or group.against
    return figure + (" ⚠" if together.flags else ""), f"{together.efficiency:.1%}" + (" ⚠" if against else "")
