"""FPS per card and ratios in panels: one for every batch size, a line for every column or pair, its name beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.digits import fps_digits, percent
from reports.groups import Figure as Value
from reports.groups import Group
from reports.page import Page
from reports.plots.style import colour, folded, interval_words, label, marker, origin
from reports.ratios import Pair
from reports.table import ScopeTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: More lines than this are too small to be looked at.
MOST_ROWS = 240
_WIDTH = 8.0
#: Heights in inches: of a line of text, and of what a panel takes beside its lines.
_LINE, _PANEL = 0.24, 0.45


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a panel: its name, which column or pair it is of, the figure, and what is written beside it."""

    name: str
    index: int
    value: Value
    text: str
    group: Group | None = None


def fps(page: Page, table: ScopeTable) -> Figure:
    rows = {
        batch: [
            _Row(folded(label(column, table)), index, group.fps, digits(group) + (" ⚠" if group.against else ""), group)
            for index, column in enumerate(table.columns)
            if (group := table.group(batch, column)) is not None and group.fps is not None
        ]
        for batch in table.batches
    }
    words = interval_words([group.fps for group in table.groups.values()])
    hatched = any(row.group and row.group.against for several in rows.values() for row in several)
    measured = any(row.group and row.group.measured for several in rows.values() for row in several)
    title = f"FPS per card, {table.scope}: images a second ({basis(table)}); lines: {words}" + (
        "; hatched: a verdict went against it" if hatched else ""
    )
    figure, panels = _panels(rows, title + ("; diamonds: measured, all chips at once" if measured else ""))
    for (batch, several), axes in zip(_told(rows).items(), panels, strict=True):
        for place, row in enumerate(several):
            flagged = row.group is not None and bool(row.group.against)
            axes.barh(place, row.value.value, 0.7, color=colour(row.index), hatch="////" if flagged else None,
                      edgecolor="white" if flagged else None, linewidth=0)  # fmt: skip
            _interval(axes, place, row.value, "#333333")
            if row.group and row.group.measured:
                axes.plot(row.group.measured.value, place, "D", color="black", markersize=4)
            axes.annotate(row.text, (_end(row), place), xytext=(4, 0), textcoords="offset points", va="center",
                          fontsize=7)  # fmt: skip
        _dress(axes, batch, several)
        axes.set_xlim(0, 1.2 * max(map(_end, several)))
    figure.supxlabel(origin(page, table, _WIDTH), fontsize=6, color="#555555")
    return figure


def has_ratio(page: Page, table: ScopeTable) -> bool:
    rows = sum(
        ratio is not None for pair in page.pairs(table) for ratio in table.ratios(pair.above, pair.below).values()
    )
    return 0 < rows <= MOST_ROWS


def ratio(page: Page, table: ScopeTable) -> Figure:
    """FPS over those of another column, with its interval where it has one; the dashed line is equality."""
    pairs = [pair for pair in page.pairs(table) if any(table.ratios(pair.above, pair.below).values())]
    rows: dict[int, list[_Row]] = {batch: [] for batch in table.batches}
    for index, pair in enumerate(pairs):
        for batch, found in table.ratios(pair.above, pair.below).items():
            if found is not None:
                value = Value(
                    100 * found.value, _hundredfold(found.low), _hundredfold(found.high), found.invocations[0]
                )
                rows[batch].append(_Row(_name(pair, pairs, table), index, value, percent(found.value)))
    over = {pair.below for pair in pairs}
    what = f"those of {label(pairs[0].below, table)}" if len(over) == 1 else "those of the other"
    known = any(row.value.low is not None for several in rows.values() for row in several)
    intervals = "lines: 95 % interval, from the spread between processes" if known else "no intervals known"
    figure, panels = _panels(rows, f"FPS per card over {what} (%), {table.scope}; {intervals}", sharex=True)
    for (batch, several), axes in zip(_told(rows).items(), panels, strict=True):
        axes.axvline(100, color="#333333", linewidth=0.8, linestyle="--")
        for place, row in enumerate(several):
            _interval(axes, place, row.value, colour(row.index))
            axes.plot(row.value.value, place, marker(row.index), color=colour(row.index), markersize=5)
            axes.annotate(row.text, (_end(row), place), xytext=(6, 0),
                          textcoords="offset points", va="center", fontsize=7)  # fmt: skip
        _dress(axes, batch, several)
        axes.margins(x=0.14)
    panels[-1].set_xlabel("%", fontsize=7)
    figure.supxlabel(origin(page, table, _WIDTH), fontsize=6, color="#555555")
    return figure


def _name(pair: Pair, pairs: Sequence[Pair], table: ScopeTable) -> str:
    """What is above, and what is below where that is not the same everywhere."""
    above = folded(label(pair.above, table))
    return above if len({each.below for each in pairs}) == 1 else f"{above}\n/ {folded(label(pair.below, table))}"


def _end(row: _Row) -> float:
    """The greatest value that is drawn in a row."""
    measured = row.group.measured.value if row.group and row.group.measured else 0.0
    return max(row.value.value, row.value.high or 0.0, measured)


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _told(rows: Mapping[int, list[_Row]]) -> dict[int, list[_Row]]:
    return {batch: several for batch, several in rows.items() if several}


def _panels(rows: Mapping[int, list[_Row]], title: str, sharex: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for every batch size that has a line, as high as its lines need."""
    from matplotlib.figure import Figure

    told = _told(rows)
    heights = [_PANEL + sum(_LINE * (1 + 0.6 * row.name.count("\n")) for row in several) for several in told.values()]
    figure = Figure(figsize=(_WIDTH, 0.9 + sum(heights)), dpi=120, layout="constrained")
    panels = figure.subplots(len(told), 1, squeeze=False, sharex=sharex, gridspec_kw={"height_ratios": heights})
    figure.suptitle("\n".join(textwrap.wrap(title, 120)), fontsize=8, x=0.01, ha="left")
    figure.align_ylabels(panels[:, 0])
    return figure, list(panels[:, 0])


def _dress(axes: Axes, batch: int, rows: Sequence[_Row]) -> None:
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=7)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_ylabel(f"bs {batch}", fontsize=8)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_axisbelow(True)
    axes.grid(True, axis="x", alpha=0.3)


def _interval(axes: Axes, place: int, value: Value, hue: str) -> None:
    if value.low is not None and value.high is not None:
        axes.errorbar(
            value.value, place, xerr=[[max(0.0, value.value - value.low)], [max(0.0, value.high - value.value)]],
            color=hue, capsize=2, linewidth=1, linestyle="none",
        )  # fmt: skip


def digits(group: Group) -> str:
    """The FPS of a group as the report has them."""
    return fps_digits(group, group.fps.value) if group.fps else ""


def basis(table: ScopeTable) -> str:
    """Whether the FPS of a table are derived or stated."""
    stated = any(group.first.fps_basis == "stated" for group in table.groups.values())
    return f"derived{' or stated' if stated else ''}"
