"""Plots of a report as PNG files: latency, FPS per card and ratios by batch size, distributions, every sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reports.files import atomic_path
from reports.fonts import every_script
from reports.page import Page
from reports.plots import batches, panels, samples
from reports.table import ScopeTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Draws a plot of a table of the page, or says with None that there is nothing to draw.
Draw = Callable[[Page, ScopeTable], "Figure"]
#: kind -> whether there is something to draw, and how
_KINDS: dict[str, tuple[Callable[[Page, ScopeTable], bool], Draw]] = {
    "latency": (batches.has_latency, batches.latency),
    "fps": (batches.has_fps, batches.fps),
    "ratio": (panels.has_ratio, panels.ratio),
    "distribution": (samples.has_distribution, samples.distribution),
    "samples": (samples.has_samples, samples.every_sample),
}


def names(page: Page, prefix: str = "") -> list[str]:
    """File names that `draw` writes: `<prefix><scope>-<kind>.png` for every table and what it has figures for."""
    return [name for name, _, _ in _plots(page, prefix)]


def draw(page: Page, folder: Path, prefix: str = "") -> list[Path]:
    """Write the plots into `folder`, each whole or not at all, and return their paths. Raises OSError."""
    written = []
    with every_script():
        for name, table, make in _plots(page, prefix):
            with atomic_path(folder / name) as temporary:
                make(page, table).savefig(temporary, format="png")
            written.append(folder / name)
    return written


def _plots(page: Page, prefix: str) -> list[tuple[str, ScopeTable, Draw]]:
    return [
        (f"{prefix}{page.stem(table)}-{kind}.png", table, make)
        for table in page.tables
        for kind, (wanted, make) in _KINDS.items()
        if wanted(page, table)
    ]
