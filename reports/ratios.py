"""Which columns a report compares, and what a reader must know about each pair before believing its ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.groups import Group
from reports.records import CellRecord, Run
from reports.table import Column, ScopeTable, may_meet


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a ratio as a user named it: `text`, and the names of cards and engines that it stands for."""

    text: str
    names: frozenset[str]

    def matches(self, column: Column) -> bool:
        """Whether the column is of such a card, or of such an engine."""
        return bool({column.card, column.label, column.label.partition(":")[0]} & self.names)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two columns with a ratio between them."""

    above: Column
    below: Column

    def title(self, columns: Sequence[Column]) -> str:
        return f"{self.above.title(columns)} / {self.below.title(columns)}"


def pairs_of_sides(table: ScopeTable, above: Side, below: Side) -> list[Pair]:
    """Every column of the one side over every column of the other, of those that may meet."""
    return [
        Pair(mine, theirs)
        for mine in table.columns
        if above.matches(mine)
        for theirs in table.columns
        if below.matches(theirs) and mine != theirs and may_meet(mine, theirs)
    ]


def pairs_to_baseline(table: ScopeTable, baseline: Column | None) -> list[Pair]:
    """Every other column over the baseline, of those that may meet it."""
    if baseline is None:
        return []
    return [Pair(column, baseline) for column in table.columns if column != baseline and may_meet(column, baseline)]


def told_once(notes: Mapping[Pair, Sequence[str]], columns: Sequence[Column]) -> list[str]:
    """Notes on pairs, each once: after the titles of the pairs that it is on, or without them if it is on all."""
    on: dict[str, list[Pair]] = {}
    for pair, several in notes.items():
        for note in several:
            on.setdefault(note, []).append(pair)
    return [
        note if len(pairs) == len(notes) else f"{', '.join(pair.title(columns) for pair in pairs)}: {note}"
        for note, pairs in on.items()
    ]


def inequalities(table: ScopeTable, pair: Pair) -> list[str]:
    """What is not equal on the two sides of a ratio: one plain sentence each, empty for a fair comparison."""
    above, below = pair.above, pair.below
    mine, theirs = table.of_column(above), table.of_column(below)
    told = [
        _precision(above, below),
        _clock(above, below),
        _basis(mine, theirs, above, below),
        _model(mine, theirs),
        _accuracy(mine, theirs, above, below),
    ]
    return [sentence for sentence in told if sentence]


def _precision(above: Column, below: Column) -> str:
    if "unknown" in (above.precision, below.precision):
        which = [column for column in (above, below) if column.precision == "unknown"]
        return (
            f"It is not known in which precision {_both(which)} computed; an fp16 engine is no match for an fp32 one."
        )
    if above.precision != below.precision:
        return (
            f"It compares unequal things: {_name(above)} computed in {above.precision}, {_name(below)} in"
            f" {below.precision}."
        )
    return ""


def _clock(above: Column, below: Column) -> str:
    if above.clock == below.clock:
        return ""
    host, device = (above, below) if above.clock == "host" else (below, above)
    return (
        f"The clocks differ: {_name(device)} was timed by the device's own events, {_name(host)} by the host, whose"
        " figures hold launch and wake-up, too (tens of µs a batch)."
    )


def _basis(mine: Sequence[Group], theirs: Sequence[Group], above: Column, below: Column) -> str:
    """Several chips multiplied on one side are an assumption that the other side does not need."""
    chips = [max((group.first.chips for group in side), default=1) for side in (mine, theirs)]
    many = [column for column, count in zip((above, below), chips, strict=True) if count > 1]
    if not many or len(many) == 2:
        return ""
    return (
        f"The FPS of {_name(many[0])} are those of one chip times {max(chips)}: that its chips do not disturb each"
        " other is assumed, not measured."
    )


def _model(mine: Sequence[Group], theirs: Sequence[Group]) -> str:
    models = [{group.first.identity.model_sha256 for group in side} - {""} for side in (mine, theirs)]
    if all(models) and models[0] != models[1]:
        return "The two sides ran different model files: other weights, or another export."
    return ""


def _accuracy(mine: Sequence[Group], theirs: Sequence[Group], above: Column, below: Column) -> str:
    which = [
        column
        for column, groups in ((above, mine), (below, theirs))
        if not any(group.first.accuracy for group in groups)
    ]
    return f"Nothing here shows that the outputs of {_both(which)} were right." if which else ""


def _name(column: Column) -> str:
    return f"{column.card} ({column.engine})"


def _both(columns: Sequence[Column]) -> str:
    return " and ".join(map(_name, columns))


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
