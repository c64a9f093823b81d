"""Which columns a report compares, and what a reader must know about each pair before believing its ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reports.groups import Group
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

    @property
    def published(self) -> bool:
        return self.above.provenance == self.below.provenance == "published"

    @property
    def mixed(self) -> bool:
        """Whether a published figure meets one that is not."""
        return (self.above.provenance == "published") != (self.below.provenance == "published")


def pairs_of_sides(table: ScopeTable, above: Side, below: Side) -> list[Pair]:
    """Columns of the one side over columns of the other, of those that may meet.

    Published figures are held against published ones. They meet figures of one's own only where these have no
    partner of their own: a published card beside a measured one.
    """
    pairs = [
        Pair(mine, theirs)
        for mine in table.columns
        if above.matches(mine)
        for theirs in table.columns
        if below.matches(theirs) and mine != theirs and may_meet(mine, theirs)
    ]
    own = [pair for pair in pairs if not pair.mixed and not pair.published and comparable_batches(table, pair)]
    partnered = {pair.above for pair in own} | {pair.below for pair in own}
    return [pair for pair in pairs if not pair.mixed or not {pair.above, pair.below} & partnered]


def comparable_batches(table: ScopeTable, pair: Pair) -> list[int]:
    """The batch sizes at which both columns have a figure, be it flagged or not."""
    return [batch for batch in table.batches if table.fps(batch, pair.above) and table.fps(batch, pair.below)]


def why_none(table: ScopeTable, above: Side, below: Side) -> str:
    """Why two sides have nothing in a table that may be compared."""
    columns = [
        [column for column in table.columns if side.matches(column) and any(g.fps for g in table.of_column(column))]
        for side in (above, below)
    ]
    without = [side.text for side, found in zip((above, below), columns, strict=True) if not found]
    if without:
        return f"{' and '.join(without)}: no figure here; nothing was measured, or it failed or gave wrong outputs."
    both = [(mine, theirs) for mine in columns[0] for theirs in columns[1] if mine != theirs]
    if not both:
        return "both sides are the same figures."
    if not any(may_meet(mine, theirs) for mine, theirs in both):
        return (
            "simulated figures are never compared with others, nor those of one part of a publication with another's."
        )
    return "there is no batch size at which both sides have a figure."


def pairs_to_baseline(table: ScopeTable, baseline: Column | None) -> list[Pair]:
    """Every other column over the baseline, of those that may meet it."""
    if baseline is None:
        return []
    return [Pair(column, baseline) for column in table.columns if column != baseline and may_meet(column, baseline)]


def told_once(notes: Mapping[Pair, Sequence[str]], name: Callable[[Sequence[Pair]], str]) -> list[str]:
    """Notes on pairs, each once: after the `name` of the pairs that it is on, or without it if it is on all."""
    on: dict[str, list[Pair]] = {}
    for pair, several in notes.items():
        for note in several:
            on.setdefault(note, []).append(pair)
    return [note if len(pairs) == len(notes) else f"{name(pairs)}: {note}" for note, pairs in on.items()]


def inequalities(table: ScopeTable, pair: Pair) -> list[str]:
    """What is not equal on the two sides of a ratio: one plain sentence each, empty for a fair comparison."""
    above, below = pair.above, pair.below
    mine, theirs = table.of_column(above), table.of_column(below)
    told = [
        _precision(above, below),
        _clock(above, below),
        _conditions(above, below),
        *(_chips(column, groups) for column, groups in ((above, mine), (below, theirs)) if above.card != below.card),
        _model(mine, theirs),
        _inputs(mine, theirs),
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


def _conditions(above: Column, below: Column) -> str:
    """Of two cards it goes without saying that they are in different machines; of one it does not."""
    if above.card != below.card or not above.machine or not below.machine or above.machine == below.machine:
        return ""
    return (
        f"The two sides were measured under different conditions: {above.machine} and {below.machine} under Environment"
        " tell what differs."
    )


def _chips(column: Column, groups: Sequence[Group]) -> str:
    """Several chips multiplied are an assumption, or one that was looked into."""
    told = [group for group in groups if group.fps]
    chips = max((group.chips for group in told), default=1)
    if chips == 1:
        return ""
    shares = [group.measured.value / group.fps.value for group in told if group.measured and group.fps]
    if not shares:
        return (
            f"The FPS of {_name(column)} are those of one chip times {chips}: that its chips do not disturb each other"
            " is assumed, not measured."
        )
    low, high = f"{min(shares):.1%}", f"{max(shares):.1%}"
    return (
        f"The derived FPS of {_name(column)} are those of one chip times {chips}. With all {chips} at work at once"
        f" {low if low == high else f'{low} to {high}'} of that was measured: go by the measured figures."
    )


def _model(mine: Sequence[Group], theirs: Sequence[Group]) -> str:
    models = [{group.first.identity.model_sha256 for group in side} - {""} for side in (mine, theirs)]
    if all(models) and models[0] != models[1]:
        return "The two sides ran different model files: other weights, or another export."
    return ""


def _inputs(mine: Sequence[Group], theirs: Sequence[Group]) -> str:
    inputs = [{group.first.identity.inputs_sha256 for group in side} - {""} for side in (mine, theirs)]
    return "The two sides were fed different inputs." if all(inputs) and inputs[0] != inputs[1] else ""


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
