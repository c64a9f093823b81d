"""Plots of a run as PNG files: latency and FPS per card against batch size, and every sample in its order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reports import flags
from reports.files import atomic_path
from reports.records import CellRecord, Run
from reports.table import ScopeTable, by_scope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colour-blind safe (Okabe & Ito 2008), distinct markers for print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_KINDS = ("latency", "fps", "samples")
#: Points drawn of one cell; more would only be ink.
_MOST_POINTS = 4000
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def names(run: Run, prefix: str = "") -> list[str]:
    """File names that `draw` writes: `<prefix><scope>-<kind>.png` for every scope with a figure."""
    return [f"{prefix}{table.scope}-{kind}.png" for table in _drawable(run) for kind in _KINDS]


def draw(run: Run, folder: Path, prefix: str = "") -> list[Path]:
    """Write the plots into `folder`, each whole or not at all, and return their paths. Raises OSError."""
    # The object interface, not pyplot: no global state, and no display is ever looked for.
    from matplotlib.figure import Figure

    written = []
    for table in _drawable(run):
        for kind, fill in zip(_KINDS, (_latency, _fps, None), strict=True):
            if fill is None:
                figure = _samples(table, run)
            else:
                figure = Figure(figsize=(7.0, 4.2), dpi=144, layout="constrained")
                axes = figure.subplots()
                fill(axes, table)
                _dress(axes, table, run)
            path = folder / f"{prefix}{table.scope}-{kind}.png"
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format="png")
            written.append(path)
    return written


def _drawable(run: Run) -> list[ScopeTable]:
    return [
        table
        for table in by_scope(run)
        if any(table.fps(batch, column) for batch in table.batches for column in table.columns)
    ]


def _latency(axes: Axes, table: ScopeTable) -> None:
    for index, column in enumerate(table.columns):
        cells = [cell for batch in table.batches if (cell := table.cell(batch, column)) and cell.status == "ok"]
        summaries = [(cell.identity.batch, cell.latency) for cell in cells if cell.latency]
        if not summaries:
            continue
        median = [latency.median_ms for _, latency in summaries]
        low = [latency.median_ms - (latency.median_low_ms or latency.median_ms) for _, latency in summaries]
        high = [(latency.median_high_ms or latency.median_ms) - latency.median_ms for _, latency in summaries]
        axes.errorbar(
            [batch for batch, _ in summaries], median, yerr=[low, high], capsize=3,
            label=column.title(table.columns), color=_COLOURS[index % len(_COLOURS)],
            marker=_MARKERS[index % len(_MARKERS)],
        )  # fmt: skip
    axes.set_ylabel("median latency of a batch (ms)\nbars: 95 % interval")
    axes.set_yscale("log")
    axes.set_title(f"Latency, {table.scope}", loc="left", fontsize=11)


def _fps(axes: Axes, table: ScopeTable) -> None:
    columns = table.columns
    width = 0.8 / len(columns)
    shown: set[str] = set()
    for index, column in enumerate(columns):
        places = [
            (row + (index - (len(columns) - 1) / 2) * width, cell)
            for row, batch in enumerate(table.batches)
            if (cell := table.cell(batch, column)) is not None and cell.status == "ok" and cell.fps_per_card
        ]
        if not places:
            continue
        figures = [cell.fps_per_card or 0.0 for _, cell in places]
        bars = axes.bar(
            [x for x, _ in places], figures, width * 0.92, yerr=_spread([cell for _, cell in places]), capsize=2,
            label=column.title(columns), color=_COLOURS[index % len(_COLOURS)], ecolor="#333333",
            error_kw={"linewidth": 0.8},
        )  # fmt: skip
        axes.bar_label(bars, fmt="%.4g", fontsize=7, padding=1)
        for bar, (_, cell) in zip(bars, places, strict=True):
            if flags.short(cell):
                bar.set(hatch="////", edgecolor="white", linewidth=0)
                shown.add("hatched: a verdict went against it")
        together = [(x, t.fps_per_card) for x, cell in places if (t := cell.throughput) and t.fps_per_card]
        if together:
            axes.plot([x for x, _ in together], [y for _, y in together], "D", color="black", markersize=4,
                      label=None if "measured" in shown else "measured, all chips and streams at once")  # fmt: skip
            shown.add("measured")
    axes.set_ylabel("images a second and card (derived)\nlines: 95 % interval")
    hints = sorted(shown - {"measured"})
    axes.set_title(f"FPS per card, {table.scope}" + (f"; {hints[0]}" if hints else ""), loc="left", fontsize=10)


def _spread(cells: Sequence[CellRecord]) -> list[list[float]]:
    """Distances from each FPS to the ends of its interval, 0 where there is none; as matplotlib wants them."""
    below, above = [], []
    for cell in cells:
        middle = cell.fps_per_card or 0.0
        below.append(max(0.0, middle - (cell.fps_low if cell.fps_low is not None else middle)))
        above.append(max(0.0, (cell.fps_high if cell.fps_high is not None else middle) - middle))
    return [below, above]


def _samples(table: ScopeTable, run: Run) -> Figure:
    """Every sample in the order taken, a panel a cell: drift, steps and outliers are seen, not computed."""
    from matplotlib.figure import Figure

    rows, columns = len(table.batches), len(table.columns)
    figure = Figure(figsize=(1.2 + 2.6 * columns, 0.9 + 1.5 * rows), dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for row, batch in enumerate(table.batches):
        for index, column in enumerate(table.columns):
            axes = panels[row][index]
            cell = table.cell(batch, column)
            _panel(axes, cell, _COLOURS[index % len(_COLOURS)])
            if row == 0:
                axes.set_title(column.title(table.columns), loc="left", fontsize=8)
            if index == 0:
                axes.set_ylabel(f"bs {batch} (ms)", fontsize=8)
    figure.suptitle(
        f"Every sample in its order, {table.scope}. Band: 95 % interval of the median; grey: left out as not steady",
        fontsize=8, x=0.01, ha="left",
    )  # fmt: skip
    figure.supxlabel(f"number of the sample                {_origin(table, run)}", fontsize=6.5)
    return figure


def _panel(axes: Axes, cell: CellRecord | None, colour: str) -> None:
    axes.tick_params(labelsize=6)
    latency = cell.latency if cell else None
    if cell is None or cell.samples is None or latency is None or cell.status != "ok":
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, cell.status if cell else "-", transform=axes.transAxes, ha="center", fontsize=8)
        return
    samples = cell.samples
    step = max(1, len(samples.samples_ns) // _MOST_POINTS)
    scale = samples.group * 1e6
    places = range(0, len(samples.samples_ns), step)
    axes.plot(places, [samples.samples_ns[i] / scale for i in places], ".", markersize=2, color=colour)
    if latency.cut:
        axes.axvspan(0, latency.cut, color="#999999", alpha=0.35, linewidth=0)
    if latency.median_low_ms is not None and latency.median_high_ms is not None:
        axes.axhspan(latency.median_low_ms, latency.median_high_ms, color=colour, alpha=0.3, linewidth=0)
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


def _origin(table: ScopeTable, run: Run) -> str:
    """What a picture must say when it is passed on alone."""
    simulated = any(column.provenance == "simulated" for column in table.columns)
    kind = "SIMULATED, not measured" if simulated else "measured"
    cards = ", ".join(sorted({column.card for column in table.columns}))
    return f"{run.run.workload.name} · {kind} on {cards} · {run.run.started}"


def _dress(axes: Axes, table: ScopeTable, run: Run) -> None:
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
        axes.margins(y=0.12)
    axes.set_xlabel("batch size")
    axes.set_axisbelow(True)
    axes.grid(True, axis="y", alpha=0.3)
    axes.get_figure().legend(loc="outside upper right", ncols=4, frameon=False, fontsize=8)  # type: ignore[union-attr]
    axes.annotate(
        _origin(table, run),
        xy=(1, -0.16), xycoords="axes fraction", ha="right", va="top", fontsize=6.5, color="#555555",
    )  # fmt: skip
