"""Publications held against themselves: ratios that they print, and figures that they state twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.records import CellRecord, Run


@dataclass(frozen=True, slots=True)
class StatedCheck:
    """A ratio that a publication prints beside what its own figures give."""

    title: str
    printed: str
    recomputed: str
    source: str

    @property
    def agrees(self) -> bool:
        return self.printed == self.recomputed


def stated_checks(runs: Sequence[Run]) -> list[StatedCheck]:
    """Every ratio that a publication prints, recomputed from the figures of the same part of it, to as many digits."""
    checks = []
    for run in runs:
        for stated in run.run.stated_ratios:
            above, below = (
                _stated_fps(run.cells, card, stated.batch, stated.source) for card in (stated.above, stated.below)
            )
            if above is None or below is None:
                continue
            digits = len(stated.printed.rstrip("%").partition(".")[2])
            checks.append(
                StatedCheck(
                    title=f"{stated.above} / {stated.below}, batch size {stated.batch}",
                    printed=stated.printed,
                    recomputed=f"{100 * above / below:.{digits}f}%",
                    source=stated.source,
                )
            )
    return checks


def _stated_fps(cells: Sequence[CellRecord], card: str, batch: int, source: str) -> float | None:
    for cell in cells:
        identity = cell.identity
        if (identity.card, identity.batch, identity.options.get("source", "")) == (card, batch, source):
            return cell.fps_per_card
    return None


#: What cutting digits off does to a figure of six.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two parts of a publication that state different FPS per card for one thing."""

    card: str
    batch: int
    figures: tuple[tuple[str, float], ...]


def contradictions(runs: Sequence[Run]) -> list[Contradiction]:
    """Published figures of one card, version, precision and batch size that differ between parts of a publication."""
    found: dict[tuple[str, str, str, int, str], dict[str, float]] = {}
    for cell in (cell for run in runs for cell in run.cells):
        identity = cell.identity
        if cell.provenance == "published" and cell.fps_per_card:
            version = cell.origin.version if cell.origin else ""
            place = (identity.workload, identity.card, identity.precision, identity.batch, version)
            found.setdefault(place, {})[identity.options.get("source", "")] = cell.fps_per_card
    return [
        Contradiction(card, batch, tuple(figures.items()))
        for (_, card, _, batch, _), figures in found.items()
        if max(figures.values()) > (1 + _ROUNDING) * min(figures.values())
    ]
