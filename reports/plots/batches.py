"""Latency and FPS per card against the batch size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.groups import Figure as Value
from reports.page import Page
from reports.plots import panels
from reports.plots.style import colour, interval_words, label, legend, line, marker, origin
from reports.table import ScopeTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: More bars at a batch size, or in all, and they lie in panels of their own, with names beside them.
_MOST_BESIDE, _MOST_BARS = 6, 32


def has_latency(page: Page, table: ScopeTable) -> bool:
    return any(group.median for group in table.groups.values())


def latency(page: Page, table: ScopeTable) -> Figure:
    figure, axes = _figure()
    batches: set[int] = set()
    for index, column in enumerate(table.columns):
        told = [(group.first.identity.batch, group.median) for group in table.of_column(column) if group.median]
        if not told:
            continue
        values = [value for _, value in told]
        batches |= {batch for batch, _ in told}
        axes.errorbar(
            [batch for batch, _ in told], [value.value for value in values], yerr=bars(values), capsize=3,
            label=label(column, table), color=colour(index), marker=marker(index), linestyle=line(index),
        )  # fmt: skip
    words = interval_words([group.median for group in table.groups.values()])
    axes.set_ylabel(f"median latency of a batch (ms)\nbars: {words}", fontsize=8)
    axes.set_yscale("log")
    axes.set_title(f"Latency, {table.scope}", loc="left", fontsize=10)
    _dress(axes, table, page, sorted(batches))
    return figure


def has_fps(page: Page, table: ScopeTable) -> bool:
    return any(group.fps for group in table.groups.values()) and len(table.groups) <= panels.MOST_ROWS


def fps(page: Page, table: ScopeTable) -> Figure:
    """Bars side by side; of many columns in panels, where every bar has its name."""
    figures = [group for group in table.groups.values() if group.fps]
    if len(table.columns) > _MOST_BESIDE or len(figures) > _MOST_BARS:
        return panels.fps(page, table)
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
        drawn = axes.bar(
            [x for x, _, _ in places], [value.value for _, _, value in places], width * 0.92,
            yerr=bars([value for _, _, value in places]), capsize=2, label=label(column, table),
            color=colour(index), ecolor="#333333", error_kw={"linewidth": 0.8},
        )  # fmt: skip
        many = len(columns) * len(table.batches) > 16
        axes.bar_label(
            drawn, [panels.digits(group) for _, group, _ in places], fontsize=6 if many else 7, padding=2,
            rotation=90 if many else 0,
        )  # fmt: skip
        for bar, (_, group, _) in zip(drawn, places, strict=True):
            if group.against:
                bar.set(hatch="////", edgecolor="white", linewidth=0)
                shown.add("hatched")
        together = [(x, group.measured.value) for x, group, _ in places if group.measured]
        if together:
            axes.plot([x for x, _ in together], [y for _, y in together], "D", color="black", markersize=4,
                      label=None if "measured" in shown else "measured, all chips and streams at once")  # fmt: skip
            shown.add("measured")
    words = interval_words([group.fps for group in figures])
    axes.set_ylabel(f"images a second and card ({panels.basis(table)})\nlines: {words}", fontsize=8)
    hint = "; hatched: a verdict went against it" if "hatched" in shown else ""
    axes.set_title(f"FPS per card, {table.scope}{hint}", loc="left", fontsize=10)
    _dress(axes, table, page, table.batches)
    return figure


def _figure() -> tuple[Figure, Axes]:
    # The object interface, not pyplot: no global state, and no display is ever looked for.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), dpi=144, layout="constrained")
    return figure, figure.subplots()


def bars(values: Sequence[Value]) -> list[list[float]]:
    """Distances to the ends of the intervals, as matplotlib wants them; NaN, and no bar, where there is none."""
    below = [math.nan if v.low is None else max(0.0, v.value - v.low) for v in values]
    above = [math.nan if v.high is None else max(0.0, v.high - v.value) for v in values]
    return [below, above]


def _dress(axes: Axes, table: ScopeTable, page: Page, batches: Sequence[int]) -> None:
    """Ticks at the measured batch sizes, and where the picture comes from."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

    if axes.get_yscale() == "log":
        axes.set_xscale("log", base=2)
        axes.set_xticks(batches, labels=[str(batch) for batch in batches])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xticks(range(len(batches)), labels=[str(batch) for batch in batches])
        axes.margins(x=0.08, y=0.15)
    axes.tick_params(labelsize=8)
    axes.set_xlabel("batch size", fontsize=8)
    axes.set_axisbelow(True)
    axes.grid(True, axis="y", alpha=0.3)
    figure = axes.get_figure()
    assert figure is not None
    legend(figure, axes)  # type: ignore[arg-type]
    figure.supxlabel(origin(page, table), fontsize=6, color="#555555", x=0.99, ha="right")
