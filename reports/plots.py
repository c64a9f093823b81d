"""Plots of a run as PNG files: latency and FPS per card against batch size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reports.files import atomic_path
from reports.records import Run
from reports.table import ScopeTable, by_scope

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colour-blind safe (Okabe & Ito 2008), distinct markers for print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_KINDS = ("latency", "fps")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def names(run: Run) -> list[str]:
    """File names that `draw` writes: `<scope>-latency.png` and `<scope>-fps.png` for every scope with a figure."""
    return [f"{table.scope}-{kind}.png" for table in _drawable(run) for kind in _KINDS]


def draw(run: Run, folder: Path) -> list[Path]:
    """Write the plots into `folder`, each whole or not at all, and return their paths. Raises OSError."""
    # The object interface, not pyplot: no global state, and no display is ever looked for.
    from matplotlib.figure import Figure

    written = []
    for table in _drawable(run):
        for kind, fill in zip(_KINDS, (_latency, _fps), strict=True):
            figure = Figure(figsize=(7.0, 4.2), dpi=144, layout="constrained")
            axes = figure.subplots()
            fill(axes, table)
            _dress(axes, table, run)
            path = folder / f"{table.scope}-{kind}.png"
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
    for index, column in enumerate(columns):
        places = [
            (row + (index - (len(columns) - 1) / 2) * width, fps)
            for row, batch in enumerate(table.batches)
            if (fps := table.fps(batch, column)) is not None
        ]
        if not places:
            continue
        bars = axes.bar(
            [x for x, _ in places], [fps for _, fps in places], width * 0.92,
            label=column.title(columns), color=_COLOURS[index % len(_COLOURS)],
        )  # fmt: skip
        axes.bar_label(bars, fmt="%.3g", fontsize=7, padding=1)
    axes.set_ylabel("images a second and card (derived)")
    axes.set_title(f"FPS per card, {table.scope}", loc="left", fontsize=11)


def _dress(axes: Axes, table: ScopeTable, run: Run) -> None:
    """Ticks at the measured batch sizes, and what a picture must say when it is passed on alone."""
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
    simulated = any(column.provenance == "simulated" for column in table.columns)
    kind = "SIMULATED, not measured" if simulated else "measured"
    cards = ", ".join(sorted({column.card for column in table.columns}))
    axes.annotate(
        f"{run.run.workload.name} · {kind} on {cards} · {run.run.started}",
        xy=(1, -0.16), xycoords="axes fraction", ha="right", va="top", fontsize=6.5, color="#555555",
    )  # fmt: skip
