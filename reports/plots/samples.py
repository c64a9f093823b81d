"""How latencies are distributed, and every sample in the order taken: drift, steps and outliers are seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports import flags
from reports.groups import Group
from reports.page import Page
from reports.plots.style import colour, folded, label, origin
from reports.records import CellRecord
from reports.table import ScopeTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Points drawn of one cell; more would only be ink.
_MOST_POINTS = 4000
#: More panels than this are too small to be looked at.
_MOST_PANELS = 60
#: 5 %, quartiles and median, 95 %
_BOX = (5, 25, 50, 75, 95)
#: Latencies further apart than this go on a logarithmic axis.
_WIDE = 6


def has_distribution(page: Page, table: ScopeTable) -> bool:
    return len(table.batches) * len(table.columns) <= 2 * _MOST_PANELS and any(
        _spread(group) is not None for group in table.groups.values()
    )


def distribution(page: Page, table: ScopeTable) -> Figure:
    """A box for every cell whose samples are known; a line from least to greatest where a source states only these."""
    from matplotlib.figure import Figure

    rows = {
        batch: told
        for batch in table.batches
        if (told := [column for column in table.columns if _spread(table.group(batch, column))])
    }
    heights = [0.55 + 0.24 * len(told) for told in rows.values()]
    figure = Figure(figsize=(8.0, 0.9 + sum(heights)), dpi=120, layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for (batch, told), axes in zip(rows.items(), panels[:, 0], strict=True):
        for place, column in enumerate(told):
            _box(axes, table.group(batch, column), place, colour(table.columns.index(column)))
        axes.set_yticks(range(len(told)), [folded(label(column, table)) for column in told], fontsize=7)
        axes.set_ylim(len(told) - 0.4, -0.6)
        _widen(axes, [_spread(table.group(batch, column)) for column in told])
        axes.set_ylabel(f"bs {batch}", fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.grid(True, axis="x", alpha=0.3)
    figure.align_ylabels(panels[:, 0])
    stated = any(_only_stated(table.group(batch, column)) for batch, told in rows.items() for column in told)
    figure.suptitle(
        f"Latency of a batch in ms, {table.scope}. Box: quartiles and median; whiskers: 5 to 95 %; dots: least and"
        " greatest"
        + (";\ndotted: least to greatest as a source states them, with median (|) and p99 (x)" if stated else ""),
        fontsize=8, x=0.01, ha="left",
    )  # fmt: skip
    figure.supxlabel(origin(page, table, 8.0), fontsize=6.5)
    return figure


def _latencies(group: Group) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Every sample of the counted invocations in ms, those left out as not steady excepted."""
    kept = [
        np.asarray(cell.samples.samples_ns[cell.latency.cut :]) / (cell.samples.group * 1e6)
        for cell in group.counted
        if cell.samples and cell.latency and cell.samples.samples_ns
    ]
    return np.concatenate(kept) if kept else np.empty(0)


def _only_stated(group: Group | None) -> bool:
    """Whether a line is drawn for a group, and no box."""
    return group is not None and _spread(group) is not None and not len(_latencies(group))


def _spread(group: Group | None) -> tuple[float, float] | None:
    """Least and greatest latency in ms, as far as they are known."""
    if group is None or not group.counted:
        return None
    values = _latencies(group)
    if len(values):
        return float(values.min()), float(values.max())
    stated = group.first.stated
    if stated and stated.min_ms is not None and stated.max_ms is not None:
        return stated.min_ms, stated.max_ms
    return None


def _widen(axes: Axes, spreads: Sequence[tuple[float, float] | None]) -> None:
    """A logarithmic axis where latencies are so far apart that a linear one would squeeze the small ones."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    told = [spread for spread in spreads if spread]
    least, greatest = min(low for low, _ in told), max(high for _, high in told)
    if greatest / least <= _WIDE:
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _box(axes: Axes, group: Group | None, index: int, hue: str) -> None:
    spread = _spread(group)
    if group is None or spread is None:
        return
    values = _latencies(group)
    if len(values):
        low, first, middle, third, high = np.percentile(values, _BOX)
        axes.plot([low, high], [index, index], color=hue, linewidth=1)
        axes.barh(index, third - first, 0.55, left=first, color=hue, alpha=0.45, edgecolor=hue)
        axes.plot([middle, middle], [index - 0.28, index + 0.28], color="black", linewidth=1.2)
        axes.plot(spread, [index, index], ".", color=hue, markersize=3)
        return
    axes.plot(spread, [index, index], color=hue, linewidth=1, linestyle=":", marker=".")
    stated = group.first.stated
    if stated and stated.median_ms is not None:
        axes.plot(stated.median_ms, index, "|", color="black", markersize=9)
    if stated and "99" in stated.percentiles_ms:
        axes.plot(stated.percentiles_ms["99"], index, "x", color=hue, markersize=5)


def has_samples(page: Page, table: ScopeTable) -> bool:
    return len(table.batches) * len(table.columns) <= _MOST_PANELS and any(
        cell.samples and cell.samples.samples_ns for group in table.groups.values() for cell in group.counted
    )


def every_sample(page: Page, table: ScopeTable) -> Figure:
    """Every sample in the order taken, a panel a cell; of several invocations those of the first."""
    from matplotlib.figure import Figure

    rows, columns = len(table.batches), len(table.columns)
    figure = Figure(figsize=(1.2 + 2.6 * columns, 0.9 + 1.5 * rows), dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for row, batch in enumerate(table.batches):
        for index, column in enumerate(table.columns):
            axes = panels[row][index]
            group = table.group(batch, column)
            _panel(axes, group.first if group else None, colour(index))
            if row == 0:
                axes.set_title(folded(label(column, table), 36), loc="left", fontsize=8)
            if index == 0:
                axes.set_ylabel(f"bs {batch} (ms)", fontsize=8)
    several = any(len(group.counted) > 1 for group in table.groups.values())
    figure.suptitle(
        f"Every sample in its order, {table.scope}{' (first invocation)' if several else ''}. Band: 95 % interval of"
        " the median; grey: left out as not steady",
        fontsize=8, x=0.01, ha="left",
    )  # fmt: skip
    width = 1.2 + 2.6 * columns
    figure.supxlabel(f"number of the sample\n{origin(page, table, width)}", fontsize=6.5)
    return figure


def _panel(axes: Axes, cell: CellRecord | None, hue: str) -> None:
    axes.tick_params(labelsize=6)
    latency = cell.latency if cell else None
    told = cell is not None and cell.samples is not None and cell.samples.samples_ns and cell.status == "ok"
    if cell is None or cell.samples is None or latency is None or not told:
        axes.set_xticks([])
        axes.set_yticks([])
        why = "-" if cell is None else "no samples told" if cell.status == "ok" else cell.status
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", fontsize=8)
        return
    samples = cell.samples
    step = max(1, len(samples.samples_ns) // _MOST_POINTS)
    scale = samples.group * 1e6
    places = range(0, len(samples.samples_ns), step)
    axes.plot(places, [samples.samples_ns[i] / scale for i in places], ".", markersize=2, color=hue)
    if latency.cut:
        axes.axvspan(0, latency.cut, color="#999999", alpha=0.35, linewidth=0)
    if latency.median_low_ms is not None and latency.median_high_ms is not None:
        axes.axhspan(latency.median_low_ms, latency.median_high_ms, color=hue, alpha=0.3, linewidth=0)
    axes.axhline(latency.median_ms, color="black", linewidth=0.6)
    # Rare outliers must not flatten everything else; those beyond the panel are counted in it.
    ordered = sorted(samples.samples_ns)
    top = 1.25 * ordered[min(len(ordered) - 1, int(0.98 * len(ordered)))] / scale
    beyond = sum(value / scale > top for value in ordered)
    if beyond:
        axes.set_ylim(top=top)
        axes.text(0.99, 0.97, f"{beyond} above", transform=axes.transAxes, ha="right", va="top", fontsize=6)
    against = flags.short(cell)
    if against:
        axes.text(0.01, 0.97, ", ".join(against), transform=axes.transAxes, va="top", fontsize=6, color="#b00000")
