"""What a report is made from: the runs, how they are grouped, and what its reader asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reports.machines import Machine, machines
from reports.ratios import Pair, Side, pairs_of_sides, pairs_to_baseline
from reports.records import CellRecord, Run
from reports.roofline import CardLimits
from reports.table import Column, ScopeTable, column_of, find_baseline, tables


class UnknownBaseline(ValueError):  # noqa: N818 - reads as what is wrong
    """`--baseline` or a side of `--ratio` names what the runs do not hold; one line."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a reader asked for beside the runs themselves."""

    baseline: str | None = None
    #: instead of a baseline: the two sides of one ratio
    ratio: tuple[Side, Side] | None = None
    include_flagged: bool = False
    #: names of the run files, as the report tells where its samples are
    sources: tuple[str, ...] = ("run.jsonl",)
    #: what a reader should know about the files
    notes: tuple[str, ...] = ()
    #: name of a card -> what it can do at most
    limits: Mapping[str, CardLimits] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A report before it is written down."""

    runs: Sequence[Run]
    request: Request = field(default_factory=Request)

    @cached_property
    def machines(self) -> list[Machine]:
        return machines(self.runs)

    @cached_property
    def cells(self) -> list[CellRecord]:
        """Every invocation of every cell, in the order of the runs."""
        return [cell for run in self.runs for cell in run.cells]

    @cached_property
    def tables(self) -> list[ScopeTable]:
        return tables(self.runs, self.request.include_flagged)

    @cached_property
    def workloads(self) -> list[str]:
        return list(dict.fromkeys(run.run.workload.name for run in self.runs))

    @property
    def simulated(self) -> bool:
        return any(cell.provenance == "simulated" for cell in self.cells)

    def stem(self, table: ScopeTable) -> str:
        """How file names of a table's plots begin: its scope, after the workload's name where there are several."""
        if len({other.workload for other in self.tables}) == 1:
            return table.scope
        return re.sub(r"[^A-Za-z0-9_.]+", "_", table.workload) + "-" + table.scope

    def pairs(self, table: ScopeTable) -> list[Pair]:
        """The pairs of columns that a table's ratios are of."""
        if self.request.ratio:
            return pairs_of_sides(table, *self.request.ratio)
        return pairs_to_baseline(table, self.baseline(table))

    def baseline(self, table: ScopeTable) -> Column | None:
        return find_baseline(table, self.request.baseline)

    def check(self) -> None:
        """Raises UnknownBaseline when what ratios are to be of is in none of the tables."""
        name, ratio = self.request.baseline, self.request.ratio
        if name is not None and self.tables and all(find_baseline(table, name) is None for table in self.tables):
            known = ", ".join(dict.fromkeys(column.label for table in self.tables for column in table.columns))
            raise UnknownBaseline(f"--baseline {name}: the run holds {known}; name one of these.")
        for side in ratio or ():
            columns = [column for table in self.tables for column in table.columns]
            if not any(side.matches(column) for column in columns):
                known = ", ".join(dict.fromkeys(name for c in columns for name in (c.card, c.label)))
                raise UnknownBaseline(f"--ratio: nothing here is {side.text!r}; the runs hold {known}.")

    def name(self, cell: CellRecord) -> str:
        """A cell in a list, told apart from those of other cards, machines and invocations."""
        identity = cell.identity
        column = column_of(cell)
        precision = "precision unknown" if identity.precision == "unknown" else identity.precision
        parts = [f"{column.engine} bs{identity.batch}", precision, identity.scope]
        if self._several_cards:
            parts.append(f"on {identity.card}")
        if cell.provenance != "measured":
            parts.append(cell.provenance + (f" ({column.source})" if column.source else ""))
        if letter := self._letters[id(cell)]:
            parts.append(f"({letter})")
        if self._repeated:
            parts.append(f"#{cell.invocation + 1}")
        return " ".join(parts)

    @cached_property
    def _letters(self) -> dict[int, str]:
        return {id(cell): machine.letter for machine in self.machines for cell in machine.cells}

    @cached_property
    def _several_cards(self) -> bool:
        return len({cell.identity.card for cell in self.cells}) > 1

    @cached_property
    def _repeated(self) -> bool:
        return any(cell.invocation for cell in self.cells)
