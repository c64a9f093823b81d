"""Two sets of runs compared, cell by cell: what `bench compare` shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from reports.fingerprint import Difference, differences
from reports.markdown.format import clean
from reports.matching import Held, Match, Matching, match, nothing_shared
from reports.records import Run, RunRecord
from reports.statistics import geometric_mean
from reports.stored.intervals import ENOUGH, StoredRatio, Word, side_of, stored_ratio

WITHIN = "within one process each: the real spread between processes is not in it"
_WITHIN_ONE = "a side is a single process: the real spread between processes is not in its interval"


class NothingComparableError(ValueError):
    """Two sets of runs share nothing that can be compared; one line."""

    def __init__(self, line: str) -> None:
        super().__init__(clean(line))


@dataclass(frozen=True, slots=True)
class AccuracyFigures:
    """The worst of a side's outputs; null where it is not known, or outputs are equal to the reference (PSNR)."""

    max_abs: float | None
    psnr_db: float | None
    ssim: float | None


@dataclass(frozen=True)
class ComparedCell:
    """One cell that both sides hold. `ratio` is null where there is a reason against a verdict."""

    match: Match
    ratio: StoredRatio | None
    reason: str
    remarks: tuple[str, ...]

    @property
    def word(self) -> Word | None:
        return self.ratio.word() if self.ratio else None

    @property
    def advisory(self) -> bool:
        """Whether the verdict leaves out the spread between processes."""
        return self.ratio is not None and self.ratio.within_process

    @property
    def verdict(self) -> str:
        """The verdict as it is shown."""
        if self.word is None:
            return "not compared"
        return self.word + (", advisory" if self.advisory else "")

    def median_ms(self, side: Held) -> float | None:
        """The median latency of a side, flagged or not."""
        taken = side.usable or side.with_median
        return side_of(taken).median_ms if taken else None

    def fps_per_card(self, side: Held) -> float | None:
        """FPS per card of a side, flagged or not; the geometric mean over its invocations."""
        rates = [one.cell.fps_per_card for one in side.usable or side.taken if one.cell.status == "ok"]
        known = [rate for rate in rates if rate]
        return geometric_mean(known) if known else None


@dataclass(frozen=True)
class RunComparison:
    """Two sets of runs; `base` and `new` are their names as given."""

    base_name: str
    new_name: str
    base: Sequence[RunRecord]
    new: Sequence[RunRecord]
    cells: list[ComparedCell]
    matching: Matching
    warnings: list[str] = field(default_factory=list)

    @property
    def simulated(self) -> bool:
        return any(cell.match.key.simulated for cell in self.cells)

    @cached_property
    def differences(self) -> list[tuple[Difference, list[ComparedCell]]]:
        """What the sides do not share, each with the cells that it concerns."""
        found: dict[Difference, list[ComparedCell]] = {}
        for cell in self.cells:
            for difference in differences(cell.match):
                found.setdefault(difference, []).append(cell)
        return list(found.items())

    def notes(self) -> list[str]:
        """What a reader must know of the verdicts, a sentence each."""
        ratios = [cell.ratio for cell in self.cells if cell.ratio]
        notes = []
        if within := [ratio for ratio in ratios if ratio.within_process]:
            each = all(len(ratio.base.units) == len(ratio.new.units) for ratio in within)
            notes.append(
                f"Advisory: {WITHIN if each else _WITHIN_ONE}. Measure both sides with --invocations 5 for intervals"
                " that hold it, or let check measure both in turns."
            )
        if few := [r for r in ratios if not r.within_process and not r.enough]:
            sides = ", ".join(dict.fromkeys(f"{r.new.told} against {r.base.told}" for r in few))
            notes.append(
                f"An interval from fewer than {ENOUGH} on a side ({sides}) rests on a spread that is hardly known."
            )
        if ratios:
            notes.append(
                "Every interval holds by itself with 95 %: among 20 rows without any change about one excludes 1.0,"
                " though hardly ever by more than the margin of 1 %. What changes from day to day is in none of them."
            )
        return notes


def compare(
    base: Sequence[Run], new: Sequence[Run], base_name: str, new_name: str, include_flagged: bool = False
) -> RunComparison:
    """Compare two sets of runs. Raises NothingComparableError where they share no cell with a figure on both sides."""
    matching = match(base, new)
    cells = [_compared(pair, include_flagged) for pair in matching.matches]
    if not cells:
        raise NothingComparableError(nothing_shared(matching))
    if not any(cell.ratio for cell in cells):
        raise NothingComparableError(_no_figures(cells, include_flagged))
    return RunComparison(
        base_name=base_name, new_name=new_name, base=[run.run for run in base], new=[run.run for run in new],
        cells=cells, matching=matching,
    )  # fmt: skip


def _compared(pair: Match, include_flagged: bool) -> ComparedCell:
    base, new = pair.base, pair.new
    sides = [side.usable or (side.with_median if include_flagged else ()) for side in (base, new)]
    if all(sides):
        return ComparedCell(pair, stored_ratio(*sides), "", (*pair.remarks, *_left_out(pair, sides)))
    reason = "; ".join(
        f"{who}: {side.against}" for who, side, taken in (("base", base, sides[0]), ("new", new, sides[1])) if not taken
    )
    return ComparedCell(pair, None, reason, tuple(pair.remarks))


def _left_out(pair: Match, sides: Sequence[Sequence[object]]) -> Iterable[str]:
    """Invocations that are not in the figures, and flagged ones that are."""
    for who, side, taken in (("base", pair.base, sides[0]), ("new run", pair.new, sides[1])):
        if not side.usable:
            yield f"the {who} is {side.against}"
        elif missing := len(side.taken) - len(taken):
            yield f"{missing} of {len(side.taken)} invocations of the {who} left out (flagged or failed)"


def _no_figures(cells: Sequence[ComparedCell], include_flagged: bool) -> str:
    first = cells[0]
    more = f" (and {len(cells) - 1} more)" if len(cells) > 1 else ""
    flagged = any("flagged" in cell.reason for cell in cells)
    hint = "; --include-flagged compares flagged cells all the same" if flagged and not include_flagged else ""
    return f"no cell can be compared: {first.match.key.title()}{more}: {first.reason}{hint}"


def accuracy_of(side: Held) -> AccuracyFigures | None:
    """The worst accuracy figures of a side; None where none was checked."""
    outputs = [output for one in side.taken for output in one.cell.accuracy]
    if not outputs:
        return None
    return AccuracyFigures(
        max_abs=max((o.max_abs for o in outputs if o.max_abs is not None), default=None),
        psnr_db=min((o.psnr_db for o in outputs if o.psnr_db is not None), default=None),
        ssim=min((o.ssim for o in outputs if o.ssim is not None), default=None),
    )
