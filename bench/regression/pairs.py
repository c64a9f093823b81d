"""Two sides measured in turns: which is first alternates from pair to pair, so that a drifting machine favours none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from reports.groups import median_ms
from reports.records import CellRecord
from reports.regression import Missing, Pairs
from reports.statistics import abba_order

SideName: TypeAlias = Literal["base", "new"]


class Side(Protocol):
    """What is measured on one side, under whatever harness."""

    def invoke(self, rows: Sequence[str]) -> Mapping[str, CellRecord | Missing]:
        """Measure these rows in a fresh process and keep the records on the disk; every row has an answer."""


@dataclass(frozen=True)
class Duo:
    """A pair measured with both processes alive: the records that there are, and the difference of their logarithms.

    The difference is null where a side gave no figure; the other record may then be missing.
    """

    records: Mapping[SideName, CellRecord]
    difference: float | None


class Observer(Protocol):
    """Watches the pairs, to show them."""

    def expect(self, pairs: int) -> None:
        """So many more pairs of a row each are coming."""

    def invoking(self, side: SideName | Literal["both"], rows: Sequence[str], pair: int) -> None:
        """A process is about to start, or both of a pair; pairs are counted from 0 on."""

    def paired(self, row: str, difference: float) -> None:
        """A pair is complete; the difference is that of the logarithms, new - base."""

    def lost(self, row: str, reason: str, pairs: int) -> None:
        """A row is given up, with so many of the pairs that were expected."""


#: A pair's medians in ms, base and new, and the difference of their logarithms.
_Taken: TypeAlias = tuple[float, float, float]


class Interleaved:
    """Measures rows in pairs, base new, new base, and so on; a `reports.regression.Measure`.

    `together`: one invocation of a side measures all rows; else each row has processes of its own, and the two of a
    pair follow one another. With a `duo` they are measured at once; a row whose processes fail so is measured one
    after the other from then on. An invocation that fails is repeated once, then its row is given up.
    """

    def __init__(
        self,
        base: Side,
        new: Side,
        together: bool,
        observer: Observer,
        unmeasurable: Mapping[str, Missing] | None = None,
        duo: Callable[[str, Sequence[SideName]], Duo] | None = None,
    ) -> None:
        self._sides: dict[SideName, Side] = {"base": base, "new": new}
        self._unmeasurable = dict(unmeasurable or {})
        self._together = together
        self._observer = observer
        self._duo = duo
        self._apart: set[str] = set()
        self._remarks: dict[str, None] = {}

    @property
    def remarks(self) -> list[str]:
        """What was seen that a reader should know, a sentence each."""
        return list(self._remarks)

    def __call__(self, rows: Sequence[str], first_pair: int, pairs: int) -> dict[str, Pairs | Missing]:
        """So many pairs of each row, from pair `first_pair` of the check on."""
        missing = {row: self._unmeasurable[row] for row in rows if row in self._unmeasurable}
        self._observer.expect((len(rows) - len(missing)) * pairs)
        taken: dict[str, list[_Taken]] = {row: [] for row in rows}
        for pair in range(first_pair, first_pair + pairs):
            left = [row for row in rows if row not in missing]
            for group in [left] if self._together else [[row] for row in left]:
                for row, found in self._pair(pair, group).items():
                    if isinstance(found, Missing):
                        missing[row] = found
                        self._observer.lost(row, found.reason, first_pair + pairs - pair)
                    else:
                        taken[row].append(found)
                        self._observer.paired(row, found[2])
        return {row: missing.get(row) or _pairs(taken[row]) for row in rows}

    def _pair(self, pair: int, rows: Sequence[str]) -> dict[str, _Taken | Missing]:
        """What was taken of each row, or what it is missing for."""
        order: tuple[SideName, SideName] = (
            ("base", "new") if abba_order(pair + 1)[pair][0] == "base" else ("new", "base")
        )
        attempts = 2
        if self._duo is not None and len(rows) == 1 and rows[0] not in self._apart:
            row = rows[0]
            self._observer.invoking("both", rows, pair)
            duo = self._duo(row, order)
            if len(duo.records) == 2 and not any(_failure(record) for record in duo.records.values()):
                return {row: self._judge(row, duo.records["base"], duo.records["new"], duo.difference)}
            self._apart.add(row)
            attempts = 1
        return self._one_by_one(pair, order, rows, attempts)

    def _one_by_one(
        self, pair: int, order: Sequence[SideName], rows: Sequence[str], attempts: int
    ) -> dict[str, _Taken | Missing]:
        found: dict[str, _Taken | Missing] = {}
        records: dict[str, dict[str, CellRecord]] = {row: {} for row in rows}
        for side in order:
            left = [row for row in rows if row not in found]
            for row, got in self._invoke(side, left, pair, attempts).items():
                if isinstance(got, Missing):
                    found[row] = got
                else:
                    records[row][side] = got
        for row in rows:
            if row not in found:
                found[row] = self._judge(row, records[row]["base"], records[row]["new"], None)
        return found

    def _invoke(self, side: SideName, rows: Sequence[str], pair: int, attempts: int) -> dict[str, CellRecord | Missing]:
        """One answer a row: a record that is not failed, or why there is none after so many attempts."""
        answers: dict[str, CellRecord | Missing] = {}
        left = list(rows)
        for _ in range(attempts):
            if not left:
                break
            self._observer.invoking(side, left, pair)
            answers.update(self._sides[side].invoke(left))
            left = [row for row in left if _failure(answers[row])]
        for row in left:
            answers[row] = Missing(f"the {side} side failed twice: {_failure(answers[row])}")
        return answers

    def _judge(self, row: str, base: CellRecord, new: CellRecord, difference: float | None) -> _Taken | Missing:
        """What was taken, unless something speaks against comparing the two; without a `difference` their medians'."""
        wrong = {side: _wrong(cell) for side, cell in (("base", base), ("new", new)) if cell.status == "wrong"}
        if "base" in wrong:
            both = " (and those of the new side)" if "new" in wrong else ""
            return Missing(f"the outputs of the base{both} are wrong: {wrong['base']}")
        if "new" in wrong:
            return Missing(f"the outputs of the new side are wrong: {wrong['new']}", inaccurate=True)
        if (base.provenance == "simulated") != (new.provenance == "simulated"):
            return Missing("the figures of one side are those of a test double; they meet no measured ones")
        for side, cell in (("base", base), ("new", new)):
            if cell.flags and cell.flags.placement_ok is False:
                return Missing(f"the {side} side ran elsewhere than asked for: {cell.flags.placement_reason}")
        base_ms, new_ms = median_ms(base), median_ms(new)
        if not base_ms or not new_ms:
            return Missing(f"the {'new side' if base_ms else 'base'} has no median latency")
        self._remark(row, base, new)
        return base_ms, new_ms, math.log(new_ms / base_ms) if difference is None else difference

    def _remark(self, row: str, base: CellRecord, new: CellRecord) -> None:
        for side, cell in (("base", base), ("new", new)):
            if cell.provenance == "simulated":
                self._remarks["SIMULATED: these figures come from a test double, not from a device."] = None
            if cell.flags and cell.flags.throttled:
                self._remarks[f"{row}: the {side} side was throttled ({cell.flags.throttle_reason})."] = None
            if cell.samples and cell.samples.stop == "time limit" and not self._together:
                self._remarks[f"{row}: calls of the {side} side take too long for all samples within --max-time."] = (
                    None
                )
        mine, theirs = new.identity, base.identity
        if mine.precision != theirs.precision:
            self._remarks[f"{row}: the base computed in {theirs.precision}, the new side in {mine.precision}."] = None
        if mine.inputs_sha256 != theirs.inputs_sha256:
            self._remarks[f"{row}: the two sides were fed different inputs."] = None


def _pairs(taken: Sequence[_Taken]) -> Pairs:
    return Pairs(
        tuple(base for base, _, _ in taken), tuple(new for _, new, _ in taken), tuple(each for _, _, each in taken)
    )


def _failure(answer: CellRecord | Missing) -> str:
    """Why there is no result, in a clause; empty where there is one."""
    if isinstance(answer, Missing):
        return answer.reason
    if answer.status != "failed":
        return ""
    return f"in phase '{answer.failure.phase}', {answer.failure.message}" if answer.failure else "it gave no result"


def _wrong(cell: CellRecord) -> str:
    return "; ".join(output.reason for output in cell.accuracy if output.reason) or "the accuracy check failed"
