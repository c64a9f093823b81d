"""Whether a new side is slower than a base: rows measured in pairs, judged together, and measured again in doubt.

Pure: whoever calls says how rows are measured, a simulation or fresh processes. Shares are relative, 0.01 for 1 %;
times are in milliseconds; inside, differences are those of logarithms, new - base.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from reports.statistics import (
    PairedEffect,
    holm,
    minimum_detectable_effect,
    paired_effect,
    signed_rank_p_value,
)
from reports.statistics.comparison import ALPHA, NOISY_SD
from reports.statistics.ranks import signed_rank_effect
from reports.statistics.student import t_above
from reports.statistics.values import check_between

RowVerdict: TypeAlias = Literal["regressed", "improved", "unchanged", "inconclusive", "not measured"]
RowTest: TypeAlias = Literal["student", "signed rank", "welch", ""]
Answer: TypeAlias = Literal["passed", "regressed", "inaccurate", "inconclusive", "incomplete", "nothing comparable"]

#: A slow-down of the minimum detectable effect is called regressed with this probability.
POWER = 0.95
#: Of fewer pairs signed ranks prove next to nothing: 2**-12 is the least that they can say.
FEWEST_RANKED = 12


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of one row. Shares are relative to the base: 0.03 is 3 % longer.

    `change` lies between the one-sided bounds `low` and `high`, each with confidence 1 - alpha; null where nothing
    was measured, a bound also where too few pairs allow none. `base_ms` and `new_ms` are medians over invocations.
    """

    name: str
    verdict: RowVerdict
    change: float | None = None
    low: float | None = None
    high: float | None = None
    #: standard deviation of the pairs' log differences
    sd: float | None = None
    #: all pairs that the figures are of, those measured again included
    pairs: int = 0
    #: what a slow-down must be for this check to call it regressed 95 times in 100
    mde: float | None = None
    base_ms: float | None = None
    new_ms: float | None = None
    #: it failed once and was measured again
    remeasured: bool = False
    test: RowTest = ""
    #: why it was not measured
    reason: str = ""
    #: it was not measured because the new side's outputs are wrong where the base's are right
    inaccurate: bool = False
    #: log differences, pair by pair in the order measured; empty where sides are not paired
    differences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """Every row's verdict, and the rule they were held to. `margin` and `tolerated` are relative."""

    mode: Literal["paired", "stored"]
    rows: tuple[Row, ...]
    alpha: float
    margin: float
    tolerated: float
    #: the verdicts are no proof, whatever `answer` says; `notes` tell why
    advisory: bool = False
    notes: tuple[str, ...] = ()

    def named(self, verdict: RowVerdict) -> list[Row]:
        """The rows with that verdict, in order."""
        return [row for row in self.rows if row.verdict == verdict]

    @property
    def answer(self) -> Answer:
        """One word for all rows; the first of these that holds.

        regressed: a row is proven slower. inaccurate: a row's new outputs are wrong. nothing comparable: no row was
        measured. incomplete: a row was not. inconclusive: the noise hides whether a row is slower. passed.
        """
        if self.named("regressed"):
            return "regressed"
        if any(row.inaccurate for row in self.rows):
            return "inaccurate"
        missing = len(self.named("not measured"))
        if missing == len(self.rows):
            return "nothing comparable"
        if missing:
            return "incomplete"
        return "inconclusive" if self.named("inconclusive") else "passed"


@dataclass(frozen=True)
class Pairs:
    """Medians in ms of a row's invocations, pair by pair.

    `finer`: the log differences, new - base, where they were taken more finely than by the two medians.
    """

    base_ms: tuple[float, ...]
    new_ms: tuple[float, ...]
    finer: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.base_ms) != len(self.new_ms):
            raise ValueError(f"{len(self.base_ms)} medians of the base and {len(self.new_ms)} of the new side")
        if self.finer is not None and len(self.finer) != len(self.base_ms):
            raise ValueError(f"{len(self.finer)} differences of {len(self.base_ms)} pairs")

    @cached_property
    def differences(self) -> tuple[float, ...]:
        """Logarithm of new over base, of each pair."""
        if self.finer is not None:
            return self.finer
        return tuple(math.log(new / base) for base, new in zip(self.base_ms, self.new_ms, strict=True))

    def __add__(self, others: Pairs) -> Pairs:
        return Pairs(self.base_ms + others.base_ms, self.new_ms + others.new_ms, self.differences + others.differences)


@dataclass(frozen=True, slots=True)
class Missing:
    """A row that could not be measured, in one line for the user; see `Row.inaccurate`."""

    reason: str
    inaccurate: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The rule. `margin`: up to here a change is noise; `tolerated`: "unchanged" is shown to be less. Both relative.

    Raises ValueError for settings that are no rule.
    """

    pairs: int = 12
    #: pairs in all of rows whose differences have a standard deviation above 2 %
    noisy_pairs: int = 40
    alpha: float = ALPHA
    margin: float = 0.01
    tolerated: float = 0.03
    remeasure: bool = True

    def __post_init__(self) -> None:
        check_between(self.alpha, "alpha", 0, 0.5)
        if not 2 <= self.pairs <= self.noisy_pairs:
            raise ValueError(f"pairs must be 2 <= pairs <= noisy_pairs, not {self.pairs} and {self.noisy_pairs}")
        if not 0 <= self.margin <= self.tolerated < math.inf:
            raise ValueError(f"margins must be 0 <= margin <= tolerated, not {self.margin} and {self.tolerated}")


#: Measures these rows, from this pair on (0 for the first ever), so many pairs of each.
Measure: TypeAlias = Callable[[Sequence[str], int, int], Mapping[str, Pairs | Missing]]


def run_procedure(rows: Sequence[str], measure: Measure, settings: Settings | None = None) -> Check:
    """Measure the rows and judge them; false alarms of all rows together are held to alpha.

    A measurement of a row is `pairs` pairs, judged by Student's t; where these are noisy it goes on to `noisy_pairs`
    and is judged by signed ranks, unless those of the first pairs leave no doubt that the row is slower. Rows that
    Holm's procedure calls regressed are measured a second time, from scratch, and only those that it calls regressed
    again are. A false alarm takes two, each of which has at most twice alpha: the second look at a noisy row is paid
    for by the second measurement. All other verdicts are from all pairs of a row together.
    Raises ValueError where `measure` leaves a row out, or gives another number of pairs than asked for.
    """
    rule = settings or Settings()
    trials = {name: _Trial(rule) for name in rows}
    regressed = _failing(trials, measure, rule)
    family = sum(trial.missing is None for trial in trials.values())
    if rule.remeasure and regressed:
        regressed = _failing({name: trials[name] for name in regressed}, measure, rule)
    return Check(
        mode="paired",
        rows=tuple(trial.row(name, name in regressed, family) for name, trial in trials.items()),
        alpha=rule.alpha,
        margin=rule.margin,
        tolerated=rule.tolerated,
    )


def _failing(trials: Mapping[str, _Trial], measure: Measure, rule: Settings) -> list[str]:
    """Measure these rows anew; those that are slower than the margin, with alpha for any false one among them."""
    for trial in trials.values():
        trial.measurements.append(_Measurement(rule.pairs, trial.ranks))
    _gather(trials, measure)
    measured = [trial for trial in trials.values() if trial.missing is None]
    for trial in measured:
        if trial.last.noisy():
            trial.last.ranks = True
            # What Bonferroni rejects Holm rejects, too, whatever becomes of the other rows.
            if trial.last.p_value(rule.margin) > rule.alpha / len(measured):
                trial.last.wanted = rule.noisy_pairs
    _gather(trials, measure)
    p_values = {name: trial.last.p_value(rule.margin) for name, trial in trials.items() if trial.missing is None}
    if not p_values:
        return []
    flags = holm(list(p_values.values()), rule.alpha)
    return [name for name, flag in zip(p_values, flags, strict=True) if flag]


def _gather(trials: Mapping[str, _Trial], measure: Measure) -> None:
    """Measure what the last measurement of each trial lacks, of those that can still be measured."""
    groups: dict[tuple[int, int], list[str]] = {}
    for name, trial in trials.items():
        if trial.missing is None and trial.lacking:
            groups.setdefault((trial.count, trial.lacking), []).append(name)
    for (first_pair, pairs), names in groups.items():
        got = measure(names, first_pair, pairs)
        for name in names:
            if name not in got:
                raise ValueError(f"{name} was not measured, and no reason was given")
            trials[name].take(got[name])


def judge(differences: Sequence[float], regressed: bool, rule: Settings, ranks: bool = False) -> RowVerdict:
    """The verdict on all pairs of a row, where whether it is `regressed` was found out before.

    `ranks`: by signed ranks, whatever the standard deviation. Raises ValueError as `decide` does.
    """
    if regressed:
        return "regressed"
    effect = _effect(differences, rule.alpha, ranks)
    if effect.high < -math.log1p(rule.margin):
        return "improved"
    return "unchanged" if effect.high < math.log1p(rule.tolerated) else "inconclusive"


class _Measurement:
    """Pairs of a row that are judged together, by signed ranks where `ranks`; so many are `wanted`."""

    def __init__(self, wanted: int, ranks: bool) -> None:
        self.wanted, self.ranks = wanted, ranks
        self.pairs = Pairs((), ())

    def noisy(self) -> bool:
        return self.ranks or paired_effect(self.pairs.differences).sd > NOISY_SD

    def p_value(self, margin: float) -> float:
        """Of "no slower than the margin", which is relative."""
        row = self.pairs.differences
        if _ranked(row, self.ranks):
            return signed_rank_p_value(row, math.log1p(margin))
        effect = paired_effect(row)
        excess = effect.mean - math.log1p(margin)
        if effect.sd == 0:
            return 0.0 if excess > 0 else 1.0
        return t_above(effect.count - 1, excess / (effect.sd / math.sqrt(effect.count)))


class _Trial:
    """What was measured of one row so far."""

    def __init__(self, rule: Settings) -> None:
        self.rule = rule
        self.measurements: list[_Measurement] = []
        self.missing: Missing | None = None

    @property
    def last(self) -> _Measurement:
        return self.measurements[-1]

    @property
    def ranks(self) -> bool:
        """Whether the row is known to be noisy."""
        return any(each.ranks for each in self.measurements)

    @property
    def count(self) -> int:
        """All pairs so far."""
        return sum(len(each.pairs.base_ms) for each in self.measurements)

    @property
    def lacking(self) -> int:
        """Pairs that the last measurement still needs."""
        return self.last.wanted - len(self.last.pairs.base_ms)

    def take(self, got: Pairs | Missing) -> None:
        """The pairs that were lacking, or why there are none."""
        if isinstance(got, Missing):
            self.missing = got
        elif len(got.base_ms) != self.lacking:
            raise ValueError(f"{self.lacking} pairs were asked for, not {len(got.base_ms)}")
        else:
            self.last.pairs += got

    def row(self, name: str, regressed: bool, family: int) -> Row:
        """The verdict; `family` is the number of rows that share alpha."""
        remeasured = len(self.measurements) > 1
        if self.missing is not None:
            reason, inaccurate = self.missing.reason, self.missing.inaccurate
            return Row(name, "not measured", reason=reason, inaccurate=inaccurate, remeasured=remeasured)
        every = Pairs((), ())
        for each in self.measurements:
            every += each.pairs
        effect = _effect(every.differences, self.rule.alpha, self.ranks)
        once = self.rule.noisy_pairs if self.ranks else self.rule.pairs
        return Row(
            name=name,
            verdict=judge(every.differences, regressed, self.rule, self.ranks),
            change=math.expm1(effect.mean),
            low=math.expm1(effect.low) if math.isfinite(effect.low) else None,
            high=math.expm1(effect.high) if math.isfinite(effect.high) else None,
            sd=effect.sd,
            pairs=effect.count,
            mde=detectable(effect.sd, once, self.rule, family),
            base_ms=statistics.median(every.base_ms),
            new_ms=statistics.median(every.new_ms),
            remeasured=remeasured,
            test="signed rank" if _ranked(every.differences, self.ranks) else "student",
            differences=every.differences,
        )


def detectable(sd: float, pairs: int, rule: Settings, family: int) -> float:
    """The relative slow-down of one of `family` rows that the whole procedure calls regressed 95 times in 100.

    `sd` is that of log differences, `pairs` those of one measurement. The row must pass Holm's first step alone, and
    both times where failing rows are measured again. By Student's t; signed ranks find less where noise has no tails.
    """
    power = math.sqrt(POWER) if rule.remeasure else POWER
    return minimum_detectable_effect(sd, pairs, rule.margin, rule.alpha / family, power)


def _effect(differences: Sequence[float], alpha: float, ranks: bool) -> PairedEffect:
    """The change with its bounds, by the test that decides."""
    return (signed_rank_effect if _ranked(differences, ranks) else paired_effect)(differences, alpha)


def _ranked(differences: Sequence[float], ranks: bool) -> bool:
    """Whether signed ranks decide: on a row that is known to be noisy, or is seen to be, with pairs enough."""
    return len(differences) >= FEWEST_RANKED and (ranks or paired_effect(differences).sd > NOISY_SD)
