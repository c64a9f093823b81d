"""Latency, FPS per card and ratios against the batch size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.groups import Figure as Value
from reports.groups import Group
from reports.page import Page
from reports.plots.style import colour, label, marker, origin
from reports.table import ScopeTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def has_latency(page: Page, table: ScopeTable) -> bool:
    return any(group.median for group in table.groups.values())


def latency(page: Page, table: ScopeTable) -> Figure:
    figure, axes = _figure()
    for index, column in enumerate(table.columns):
        told = [(group.first.identity.batch, group.median) for group in table.of_column(column) if group.median]
        if not told:
            continue
        values = [value for _, value in told]
        axes.errorbar(
            [batch for batch, _ in told], [value.value for value in values], yerr=_bars(values), capsize=3,
            label=label(column, table), color=colour(index), marker=marker(index),
        )  # fmt: skip
    axes.set_ylabel("median latency of a batch (ms)\nbars: 95 % interval")
    axes.set_yscale("log")
    axes.set_title(f"Latency, {table.scope}", loc="left", fontsize=11)
    _dress(axes, table, page)
    return figure


def has_fps(page: Page, table: ScopeTable) -> bool:
    return any(group.fps for group in table.groups.values())


def fps(page: Page, table: ScopeTable) -> Figure:
    figure, axes = _figure()
    columns = table.columns
    width = 0.8 / len(columns)
    shown: set[str] = set()
    for index, column in enumerate(columns):
        places = [
            (row + (index - (len(columns) - 1) / 2) * width, group, group.fps)
            for row, batch in enumerate(table.batches)
            if (group := table.group(batch, column)) is not None and group.fps is not None
        ]
        if not places:
            continue
        bars = axes.bar(
            [x for x, _, _ in places], [value.value for _, _, value in places], width * 0.92,
            yerr=_bars([value for _, _, value in places]), capsize=2, label=label(column, table),
            color=colour(index), ecolor="#333333", error_kw={"linewidth": 0.8},
        )  # fmt: skip
        many = len(columns) * len(table.batches) > 16
        axes.bar_label(bars, fmt="%.4g", fontsize=6 if many else 7, padding=2, rotation=90 if many else 0)
        for bar, (_, group, _) in zip(bars, places, strict=True):
            if group.against:
                bar.set(hatch="////", edgecolor="white", linewidth=0)
                shown.add("hatched: a verdict went against it")
        together = [(x, rate) for x, group, _ in places if (rate := _measured(group)) is not None]
        if together:
            axes.plot([x for x, _ in together], [y for _, y in together], "D", color="black", markersize=4,
                      label=None if "measured" in shown else "measured, all chips and streams at once")  # fmt: skip
            shown.add("measured")
    stated = any(group.first.fps_basis == "stated" for group in table.groups.values())
    axes.set_ylabel(f"images a second and card (derived{' or stated' if stated else ''})\nlines: 95 % interval")
    hints = sorted(shown - {"measured"})
    axes.set_title(f"FPS per card, {table.scope}" + (f"; {hints[0]}" if hints else ""), loc="left", fontsize=10)
    _dress(axes, table, page)
    return figure


def _measured(group: Group) -> float | None:
    """FPS per card of all chips at once, where an invocation has it."""
    return next((cell.throughput.fps_per_card for cell in group.counted if cell.throughput), None)


def has_ratio(page: Page, table: ScopeTable) -> bool:
    return any(table.ratio(batch, pair.above, pair.below) for pair in page.pairs(table) for batch in table.batches)


def ratio(page: Page, table: ScopeTable) -> Figure:
    figure, axes = _figure()
    pairs = page.pairs(table)
    for index, pair in enumerate(pairs):
        told = [
            (row, found)
            for row, batch in enumerate(table.batches)
            if (found := table.ratio(batch, pair.above, pair.below)) is not None
        ]
        if not told:
            continue
        shift = 0.06 * (index - (len(pairs) - 1) / 2)
        percent = [Value(100 * r.value, r.low and 100 * r.low, r.high and 100 * r.high, 1) for _, r in told]
        axes.errorbar(
            [row + shift for row, _ in told], [value.value for value in percent], yerr=_bars(percent), capsize=3,
            label=pair.title(table.columns), color=colour(index), marker=marker(index), linestyle="none",
        )  # fmt: skip
        for (row, _), value in zip(told, percent, strict=True):
            axes.annotate(f"{value.value:.1f}", (row + shift, value.value), xytext=(5, 4),
                          textcoords="offset points", fontsize=7)  # fmt: skip
    axes.axhline(100, color="#333333", linewidth=0.8, linestyle="--")
    known = any(
        found.low is not None
        for pair in pairs
        for batch in table.batches
        if (found := table.ratio(batch, pair.above, pair.below)) is not None
    )
    axes.set_ylabel(f"FPS per card over the other's (%)\n{'bars: 95 % interval' if known else 'no intervals known'}")
    axes.set_title(f"Ratio, {table.scope}", loc="left", fontsize=11)
    _dress(axes, table, page)
    return figure


def _figure() -> tuple[Figure, Axes]:
    # The object interface, not pyplot: no global state, and no display is ever looked for.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), dpi=144, layout="constrained")
    return figure, figure.subplots()


def _bars(values: Sequence[Value]) -> list[list[float]]:
    """Distances to the ends of the intervals, as matplotlib wants them; NaN, and no bar, where there is none."""
    below = [math.nan if v.low is None else max(0.0, v.value - v.low) for v in values]
    above = [math.nan if v.high is None else max(0.0, v.high - v.value) for v in values]
    return [below, above]


def _dress(axes: Axes, table: ScopeTable, page: Page) -> None:
    """Ticks at the measured batch sizes, and where the picture comes from."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

    if axes.get_yscale() == "log":
        axes.set_xscale("log", base=2)
        axes.set_xticks(table.batches, labels=[str(batch) for batch in table.batches])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xticks(range(len(table.batches)), labels=[str(batch) for batch in table.batches])
        axes.margins(x=0.08, y=0.15)
    axes.set_xlabel("batch size")
    axes.set_axisbelow(True)
    axes.grid(True, axis="y", alpha=0.3)
    names = max((len(text) for text in axes.get_legend_handles_labels()[1]), default=0)
    axes.get_figure().legend(  # type: ignore[union-attr]
        loc="outside upper right", ncols=4 if names < 20 else 2, frameon=False, fontsize=8 if names < 40 else 7
    )
    axes.annotate(
        origin(page, table),
        xy=(1, -0.16), xycoords="axes fraction", ha="right", va="top", fontsize=6.5, color="#555555",
    )  # fmt: skip
