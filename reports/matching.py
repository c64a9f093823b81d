"""Which cells of two sets of runs are the same cell, and all invocations of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from reports import flags
from reports.groups import median_ms
from reports.records import CellRecord, Run, RunRecord

#: Digits of a hash that tell two apart.
_DIGITS = 8
_SINGULAR = {"label": "backend", "batch": "batch size"}


@dataclass(frozen=True, slots=True, order=True)
class CellKey:
    """What must be equal for two cells to answer the same question. `precision` is the executed one."""

    workload: str
    scope: str
    card: str
    device: str
    label: str
    precision: str
    batch: int
    #: a test double's figures meet no others
    simulated: bool = False

    def title(self) -> str:
        """`pytorch bs4 fp32 compute on Some CPU (cpu)`."""
        words = f"{self.label} bs{self.batch} {self.precision} {self.scope} on {self.card}{_bracketed(self.device)}"
        return words + (" SIMULATED" if self.simulated else "")

    def differing(self, other: CellKey) -> list[str]:
        """What is not equal, a clause each: `card: T4 against A10`."""
        return [
            f"{_SINGULAR.get(field.name, field.name)}: {_told(mine)} against {_told(theirs)}"
            for field in fields(self)
            if (mine := getattr(self, field.name)) != (theirs := getattr(other, field.name))
        ]


def short_titles(keys: Sequence[CellKey]) -> list[str]:
    """`pytorch bs4 fp32`: names as short as tells the keys apart, in their order. The scope is named unless compute."""
    several = len({(key.card, key.device, key.workload) for key in keys}) > 1
    names = []
    for key in keys:
        words = [f"{key.label} bs{key.batch} {key.precision}"]
        words += [key.scope] if key.scope != "compute" else []
        words += [f"{key.workload} on {key.card}{_bracketed(key.device)}"] if several else []
        words += ["SIMULATED"] if key.simulated else []
        names.append(" ".join(words))
    return names


def _told(value: object) -> object:
    return "not told" if value == "" else value


def _bracketed(device: str) -> str:
    """Other tools' logs may not tell the device."""
    return f" ({device})" if device else ""


def key_of(cell: CellRecord) -> CellKey:
    """The key of a cell."""
    identity = cell.identity
    return CellKey(
        workload=identity.workload, scope=identity.scope, card=identity.card, device=identity.device,
        label=identity.label(), precision=identity.precision, batch=identity.batch,
        simulated=cell.provenance == "simulated",
    )  # fmt: skip


def _timed(cell: CellRecord) -> bool:
    """Whether it has a median that ratios can be made of."""
    return (median_ms(cell) or 0.0) > 0


@dataclass(frozen=True, slots=True)
class Taken:
    """One invocation of a cell, and the run that it belongs to."""

    run: RunRecord
    cell: CellRecord


@dataclass(frozen=True)
class Held:
    """All invocations of one cell, with one model on one set of inputs, in a set of runs; at least one."""

    key: CellKey
    taken: tuple[Taken, ...]

    @cached_property
    def usable(self) -> tuple[Taken, ...]:
        """Those with a median that no verdict went against; none where one's outputs are wrong."""
        if self.wrong:
            return ()
        return tuple(one for one in self.taken if flags.comparable(one.cell) and _timed(one.cell))

    @cached_property
    def with_median(self) -> tuple[Taken, ...]:
        """Those with a median, whatever verdict went against them; none where one's outputs are wrong."""
        if self.wrong:
            return ()
        return tuple(one for one in self.taken if one.cell.status == "ok" and _timed(one.cell))

    @property
    def model(self) -> str:
        return self.taken[0].cell.identity.model_sha256

    @property
    def inputs(self) -> str:
        return self.taken[0].cell.identity.inputs_sha256

    @property
    def wrong(self) -> bool:
        """Whether the outputs of an invocation are wrong: then the cell has no speed."""
        return any(one.cell.status == "wrong" for one in self.taken)

    @property
    def flagged(self) -> bool:
        """Whether a verdict went against every invocation that has a figure."""
        return bool(self.with_median) and not self.usable

    @property
    def against(self) -> str:
        """Why nothing here can be compared, in a clause; empty where something can."""
        if self.usable:
            return ""
        cells = [one.cell for one in self.taken]
        if self.wrong:
            return "its outputs are wrong"
        failures = [cell.failure.message for cell in cells if cell.status == "failed" and cell.failure]
        if not self.with_median:
            return f"it failed: {failures[0]}" if failures else "it has no median latency"
        return "flagged: " + ", ".join(dict.fromkeys(name for cell in cells for name in flags.short(cell)))


@dataclass(frozen=True)
class Match:
    """One cell that both sets hold."""

    base: Held
    new: Held

    @property
    def key(self) -> CellKey:
        return self.base.key

    @property
    def remarks(self) -> list[str]:
        """What makes the comparison an unfair one: another model, other inputs, the very same run on both sides."""
        words = []
        for what, theirs, mine in (
            ("model", self.base.model, self.new.model), ("inputs", self.base.inputs, self.new.inputs),
        ):  # fmt: skip
            if mine and theirs and mine != theirs:
                words.append(f"other {what}: {mine[:_DIGITS]}.. against {theirs[:_DIGITS]}..")
        if {one.run.id for one in self.base.taken} & {one.run.id for one in self.new.taken}:
            words.append("the same run is on both sides")
        return words


@dataclass(frozen=True)
class Matching:
    """The cells of two sets: those in both in the order of the new one, and those of one side only."""

    matches: list[Match]
    only_base: list[Held]
    only_new: list[Held]


def held(runs: Iterable[Run]) -> list[Held]:
    """The cells of a set of runs, in order of appearance.

    Invocations are those of one run, and the cells of several runs with the same key, model and inputs.
    """
    found: dict[tuple[CellKey, str, str], list[Taken]] = {}
    for run in runs:
        for cell in run.cells:
            identity = cell.identity
            where = (key_of(cell), identity.model_sha256, identity.inputs_sha256)
            found.setdefault(where, []).append(Taken(run.run, cell))
    return [Held(where[0], tuple(taken)) for where, taken in found.items()]


def match(base: Sequence[Run], new: Sequence[Run]) -> Matching:
    """Pair the cells of two sets: first those of the same model and inputs, then what is left of a key, one by one."""
    theirs, mine = held(base), held(new)
    pairs: dict[int, Held] = {}
    left = dict(enumerate(theirs))
    for same in (True, False):
        for index, one in enumerate(mine):
            if index in pairs:
                continue
            for place, other in left.items():
                if one.key == other.key and (not same or (one.model, one.inputs) == (other.model, other.inputs)):
                    pairs[index] = left.pop(place)
                    break
    return Matching(
        matches=[Match(pairs[index], one) for index, one in enumerate(mine) if index in pairs],
        only_base=list(left.values()),
        only_new=[one for index, one in enumerate(mine) if index not in pairs],
    )


def nothing_shared(matching: Matching) -> str:
    """For two sets without a common cell: what each holds, and how the two nearest cells differ, in one line."""
    base, new = matching.only_base, matching.only_new
    if not base or not new:
        return "nothing was measured in " + " and ".join(
            side for side, cells in (("the base", base), ("the new run", new)) if not cells
        )
    _, mine, theirs = min(
        ((len(one.key.differing(other.key)), one.key, other.key) for one in new for other in base),
        key=lambda found: found[0],
    )
    return (
        f"no cell is in both: the base holds {_listed(base)}; the new run {_listed(new)}."
        f" Nearest: {mine.label} bs{mine.batch}, which differs in {'; '.join(mine.differing(theirs))}"
    )


def _listed(cells: Sequence[Held], most: int = 3) -> str:
    titles = list(dict.fromkeys(one.key.title() for one in cells))
    more = f" and {len(titles) - most} more" if len(titles) > most else ""
    return ", ".join(titles[:most]) + more
