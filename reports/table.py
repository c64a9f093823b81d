"""Runs as tidy tables: one row a cell, pivoted by batch size. Numbers stay numbers; renderings format them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.groups import Figure, Group
from reports.logs import different_logs
from reports.machines import machines
from reports.records import CellRecord, Provenance, Run
from reports.statistics import geometric_mean, welch_log_ratio

#: Which provenance is taken for a baseline first.
_TRUST: tuple[Provenance, ...] = ("measured", "imported", "published", "simulated")
#: Fewer invocations on a side, and the interval of a ratio rests on very little.
ENOUGH_INVOCATIONS = 5


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """What one column of a table stands for: cells that differ in the batch size only."""

    label: str
    precision: str
    asked_precision: str
    device: str
    card: str
    scope: str
    provenance: Provenance
    clock: str = "host"
    #: of published figures: the part of the publication
    source: str = ""
    #: letter of the conditions that it was measured under, where a report has several
    machine: str = ""
    #: of imported figures: what tells these logs from others of the same tool and card
    logs: str = ""

    @property
    def engine(self) -> str:
        """Who computed: the label; of published figures without the part of the publication that they are from."""
        return self.label.partition(":")[0] if self.source else self.label

    def title(self, others: Sequence[Column]) -> str:
        """The label, with whatever tells it apart from the other columns."""
        parts = [self.engine]
        if len({other.precision for other in others}) > 1:
            parts.append("precision unknown" if self.precision == "unknown" else self.precision)
        if self.device and len({other.device for other in others if other.card == self.card}) > 1:
            parts.append(self.device)
        if len({other.card for other in others}) > 1:
            parts.append(f"on {self.card}")
        if self.asked_precision != self.precision:
            parts.append(f"(asked {self.asked_precision})")
        if self.provenance != "measured":
            parts.append(self.kind)
        if self.machine and any(other.machine != self.machine and other.card == self.card for other in others):
            parts.append(f"({self.machine})")
        return " ".join(parts)

    @property
    def kind(self) -> str:
        """How its figures were obtained, with the part of the publication or what tells the logs apart."""
        which = self.source or self.logs
        return f"{self.provenance} ({which})" if which else self.provenance


def column_of(cell: CellRecord, machine: str = "") -> Column:
    """The column that a cell belongs to."""
    identity = cell.identity
    return Column(
        label=identity.label(),
        precision=identity.precision,
        asked_precision=cell.asked_precision,
        device=identity.device,
        card=identity.card,
        scope=identity.scope,
        provenance=cell.provenance,
        clock=cell.clock,
        source=identity.options.get("source", "") if cell.provenance == "published" else "",
        machine=machine,
    )


@dataclass(frozen=True, slots=True)
class Ratio:
    """FPS per card of one column over another's, with its 95 % interval; null where invocations do not allow one."""

    value: float
    low: float | None
    high: float | None
    #: invocations above and below
    invocations: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ScopeTable:
    """All cells of one workload and scope: columns in the order of the runs, rows by batch size."""

    workload: str
    scope: str
    columns: list[Column]
    batches: list[int]
    groups: dict[tuple[int, Column], Group]
    #: let cells enter ratios that a verdict went against
    include_flagged: bool = False

    def group(self, batch: int, column: Column) -> Group | None:
        return self.groups.get((batch, column))

    def of_column(self, column: Column) -> list[Group]:
        """What there is of a column, by batch size."""
        return [group for batch in self.batches if (group := self.group(batch, column)) is not None]

    def fps(self, batch: int, column: Column) -> Figure | None:
        """FPS per card, derived or stated; None for cells that are wrong, failed or absent."""
        group = self.group(batch, column)
        return group.fps if group else None

    def ratio(self, batch: int, above: Column, below: Column) -> Ratio | None:
        """FPS over those of another column at that batch size.

        None unless both have one, may meet, and no verdict went against either. The interval is Welch's on the logs
        of the invocations' FPS, two at least on both sides.
        """
        groups = self._may_compare(batch, above, below)
        return _ratio(groups[0].rates(), groups[1].rates()) if groups else None

    def measured_ratio(self, batch: int, above: Column, below: Column) -> Ratio | None:
        """As `ratio`, of the FPS with all chips at work at once; None unless one side at least has these measured.

        The other side may be derived where its card has one chip: nothing is multiplied then.
        """
        groups = self._may_compare(batch, above, below)
        if not groups or not any(group.measured for group in groups):
            return None
        sides = [group.measured_rates() or (group.rates() if group.chips == 1 else []) for group in groups]
        return _ratio(*sides) if all(sides) else None

    def _may_compare(self, batch: int, above: Column, below: Column) -> tuple[Group, Group] | None:
        """The two groups that a ratio is of, if there may be one."""
        mine, theirs = self.group(batch, above), self.group(batch, below)
        if not mine or not theirs or not mine.fps or not theirs.fps or not may_meet(above, below):
            return None
        return None if self.left_out(batch, above, below) else (mine, theirs)

    def left_out(self, batch: int, above: Column, below: Column) -> bool:
        """Whether both cells have a figure, and there is no ratio since a verdict went against one of them."""
        pair = [self.group(batch, above), self.group(batch, below)]
        groups = [group for group in pair if group is not None and group.fps]
        return len(groups) == 2 and not self.include_flagged and any(group.flagged for group in groups)

    def ratios(self, above: Column, below: Column) -> dict[int, Ratio | None]:
        """The ratio at every batch size of the table, None where there is none."""
        return {batch: self.ratio(batch, above, below) for batch in self.batches}


def _ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    counts = len(above), len(below)
    if min(counts) < 2:
        return Ratio(geometric_mean(above) / geometric_mean(below), None, None, counts)
    interval = welch_log_ratio(above, below)
    return Ratio(interval.estimate, interval.low, interval.high, counts)


def may_meet(a: Column, b: Column) -> bool:
    """Simulated figures only ever meet simulated ones, and published ones those of the same part of a publication."""
    if a.provenance == b.provenance == "published" and a.source != b.source:
        return False
    return (a.provenance == "simulated") == (b.provenance == "simulated")


def tables(runs: Sequence[Run], include_flagged: bool = False) -> list[ScopeTable]:
    """One table a workload and scope; scopes are never mixed in one column."""
    placed = [(column_of(cell, machine.letter), cell) for machine in machines(runs) for cell in machine.cells]
    logs = different_logs(placed)
    found: dict[tuple[str, str], dict[tuple[int, Column], list[CellRecord]]] = {}
    for column, cell in placed:
        identity = cell.identity
        if id(cell) in logs:
            column = replace(column, logs=logs[id(cell)])
        table = found.setdefault((identity.workload, identity.scope), {})
        table.setdefault((identity.batch, column), []).append(cell)
    return [
        ScopeTable(
            workload=workload,
            scope=scope,
            columns=list(dict.fromkeys(column for _, column in cells)),
            batches=sorted({batch for batch, _ in cells}),
            groups={place: Group(tuple(several)) for place, several in cells.items()},
            include_flagged=include_flagged,
        )
        for (workload, scope), cells in found.items()
    ]


def find_baseline(table: ScopeTable, name: str | None) -> Column | None:
    """The column that ratios are against.

    With a name: the column of exactly that label, else the first of that backend, else None. Without: the first with
    a figure that no verdict went against, else the first with a figure; measured ones before those from elsewhere.
    """
    if name is not None:
        exact = [column for column in table.columns if column.label == name]
        same_backend = [column for column in table.columns if column.label.partition(":")[0] == name]
        return next(iter(exact + same_backend), None)
    with_figure = [column for column in table.columns if any(group.fps for group in table.of_column(column))]
    with_figure.sort(key=lambda column: _TRUST.index(column.provenance))
    sound = [
        column for column in with_figure if any(group.fps and not group.flagged for group in table.of_column(column))
    ]
    return next(iter(sound + with_figure), None)
