"""What a report is made from: the runs, how they are grouped, and what its reader asked for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reports import flags
from reports.machines import Machine, machines
from reports.ratios import Pair, Side, comparable_batches, pairs_of_sides, pairs_to_baseline
from reports.records import CellRecord, Run
from reports.roofline import CardLimits
from reports.table import Column, ScopeTable, column_of, find_baseline, tables

#: Letters of a workload's name in the names of plots.
_LONGEST_STEM = 60
#: So many different remarks on invocations of one cell are told.
_MOST_WORDS = 2


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
        if len(self._plain_names) == 1:
            return table.scope
        return f"{self._plain_names[table.workload]}-{table.scope}"

    @cached_property
    def _plain_names(self) -> dict[str, str]:
        """Workload -> a name for files, each another: letters that no file system minds, and a number if need be."""
        found: dict[str, str] = {}
        for name in dict.fromkeys(table.workload for table in self.tables):
            plain = re.sub(r"[^A-Za-z0-9_.]+", "_", name)[:_LONGEST_STEM].lstrip(".") or "_"
            taken = {text.casefold() for text in found.values()}
            numbered = (f"{plain}_{number}" for number in itertools.count(2))
            found[name] = next(text for text in itertools.chain([plain], numbered) if text.casefold() not in taken)
        return found

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

    def comparable(self) -> bool:
        """Whether the ratio that was asked for has two figures to be of, somewhere."""
        return any(comparable_batches(table, pair) for table in self.tables for pair in self.pairs(table))

    def name(self, cell: CellRecord) -> str:
        """A cell in a list, told apart from those of other cards, machines and invocations."""
        return self.kind(cell) + self.number(cell)

    def number(self, cell: CellRecord) -> str:
        """` #2` for the second of several invocations."""
        number = self._numbers.get(id(cell))
        return f" #{number}" if number else ""

    def kind(self, cell: CellRecord) -> str:
        """What a cell's invocations have in common, in words."""
        identity = cell.identity
        column = self._columns.get(id(cell)) or column_of(cell)
        precision = "precision unknown" if identity.precision == "unknown" else identity.precision
        parts = [f"{column.engine} bs{identity.batch}", precision, identity.scope]
        if len(self.workloads) > 1:
            parts.insert(0, f"{identity.workload}:")
        if self._several_cards:
            parts.append(f"on {identity.card}")
        if cell.provenance != "measured":
            parts.append(column.kind)
        if column.machine:
            parts.append(f"({column.machine})")
        return " ".join(parts)

    def letter(self, cell: CellRecord) -> str:
        """Of the conditions that a cell was measured under; empty where there is one set of them."""
        column = self._columns.get(id(cell))
        return column.machine if column else ""

    def against(self, cells: Sequence[CellRecord]) -> list[str]:
        """A line for each kind of cell among these that verdicts went against: its name, and what was seen."""
        kinds: dict[str, list[CellRecord]] = {}
        for cell in cells:
            kinds.setdefault(self.kind(cell), []).append(cell)
        lines = []
        for kind, several in kinds.items():
            words = dict.fromkeys("; ".join(flags.in_words(cell)) for cell in several)
            told = "; or ".join(list(words)[:_MOST_WORDS]) + ("; and others" if len(words) > _MOST_WORDS else "")
            all_of_them = self._sizes.get(id(several[0]), 1)
            which = f", {len(several)} of {all_of_them} invocations" if all_of_them > 1 else ""
            lines.append(f"{kind}{which}: {told}")
        return lines

    def whose(self, runs: Sequence[Run]) -> str:
        """Which of the runs these are, in a few words; empty where they are all there are."""
        if len(runs) == len(self.runs):
            return ""
        chosen = {id(run) for run in runs}
        words = []
        for workload in self.workloads:
            every = [run for run in self.runs if run.run.workload.name == workload]
            mine = [run for run in every if id(run) in chosen]
            which = ", ".join(dict.fromkeys(map(self._kind_of_run, mine))) if len(mine) < len(every) else ""
            if mine:
                words.append(" ".join(part for part in (workload if len(self.workloads) > 1 else "", which) if part))
        return "; ".join(words)

    def _kind_of_run(self, run: Run) -> str:
        """Its letter, else how its figures were obtained."""
        return self._letters[id(run)] or ", ".join(dict.fromkeys(cell.provenance for cell in run.cells)) or "no cells"

    @cached_property
    def _letters(self) -> dict[int, str]:
        return {id(run): machine.letter for machine in self.machines for run in machine.runs}

    @cached_property
    def _columns(self) -> dict[int, Column]:
        return {
            id(cell): column
            for table in self.tables
            for (_, column), group in table.groups.items()
            for cell in group.cells
        }

    @cached_property
    def _sizes(self) -> dict[int, int]:
        """Of how many invocations a cell is one."""
        groups = [group for table in self.tables for group in table.groups.values()]
        return {id(cell): len(group.cells) for group in groups for cell in group.cells}

    @cached_property
    def _numbers(self) -> dict[int, int]:
        """Which of several invocations a cell is, from 1 on; those of several runs are numbered through."""
        groups = [group for table in self.tables for group in table.groups.values() if len(group.cells) > 1]
        return {id(cell): number for group in groups for number, cell in enumerate(group.cells, start=1)}

    @cached_property
    def _several_cards(self) -> bool:
        return len({cell.identity.card for cell in self.cells}) > 1
