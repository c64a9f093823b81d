"""The check of a run against a stored baseline: rows with verdicts, from medians that were measured on different days.

The standard error of a row's log difference is sqrt(s_new^2/K_new + s_base^2/K_base + 2 * sigma^2): s between the
processes of a side, sigma between sessions, from a history of runs without a change. Without such a history the last
term is missing and nobody knows how large it is: the check is advisory, whatever its rows say.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from reports.fingerprint import Difference, Kind, differences, fingerprint
from reports.markdown.format import clean
from reports.matching import CellKey, Held, Match, Taken, held, match, nothing_shared, short_titles
from reports.records import Run
from reports.regression import POWER, Check, Row, Settings
from reports.statistics import holm
from reports.stored.comparison import NothingComparableError
from reports.stored.effects import Effect, advisory_effect, binding_effect
from reports.stored.intervals import side_of
from reports.stored.sessions import FEWEST_SESSIONS, Session, sessions, spread

BINDING = (
    f"for a verdict give --history with at least {FEWEST_SESSIONS} earlier runs of these cells under the same"
    " conditions, or measure both sides in turns, without --baseline"
)


class BaselineError(ValueError):
    """A baseline, or what is held against it, can never be used so; one line."""

    def __init__(self, line: str) -> None:
        super().__init__(clean(line))


@dataclass(frozen=True)
class _Judged:
    """A row with figures, before its verdict."""

    name: str
    match: Match
    effect: Effect | None
    base_ms: float
    new_ms: float


def check_stored(
    base: Sequence[Run],
    new: Sequence[Run],
    history: Sequence[Run] = (),
    allowed: Collection[Kind] = (),
    rule: Settings | None = None,
) -> Check:
    """Judge every cell of `new` against the baseline; `allowed` are the kinds of conditions that may differ.

    A row is not measured where it failed, is wrong or flagged, or its conditions differ from the baseline's. Holm's
    procedure holds the false alarms of all rows together to alpha. With at least 5 sessions of a cell in the history,
    its verdict rests on the spread between them, with sessions - 1 degrees of freedom; a row with fewer is at best
    inconclusive, and where every row has fewer the check is advisory.
    Raises NothingComparableError where no cell is in both, BaselineError for a flagged baseline or a run that is held
    against itself.
    """
    rule = rule or Settings()
    matching = match(base, new)
    if not matching.matches:
        raise NothingComparableError(nothing_shared(matching))
    _refuse(matching.matches)
    past = _Past(history, {run.run.id for run in (*base, *new)}, frozenset(allowed))
    gone = _skipped(matching.only_base, new)
    keys = [pair.key for pair in matching.matches]
    names = short_titles([*keys, *gone])
    rows: list[Row | _Judged] = []
    for pair, title in zip(matching.matches, names, strict=False):
        name = title + (f", model {pair.new.model[:8]}" if keys.count(pair.key) > 1 else "")
        reason, inaccurate = _against(pair, allowed)
        if reason:
            rows.append(Row(name, "not measured", reason=reason, inaccurate=inaccurate))
        else:
            rows.append(_judged(name, pair, past))
    rows += [
        Row(name, "not measured", reason=reason) for name, reason in zip(names[len(keys) :], gone.values(), strict=True)
    ]
    judged = [row for row in rows if isinstance(row, _Judged)]
    binding = any(row.effect and row.effect.spread for row in judged)
    failing = _failing(judged, rule, binding)
    return Check(
        mode="stored",
        rows=tuple(
            _row(row, rule, id(row) in failing, len(judged), binding) if isinstance(row, _Judged) else row
            for row in rows
        ),
        alpha=rule.alpha,
        margin=rule.margin,
        tolerated=rule.tolerated,
        advisory=bool(judged) and not binding,
        notes=tuple(_notes(judged, matching.only_new, new, past, binding)),
    )  # fmt: skip


def _refuse(matches: Sequence[Match]) -> None:
    """Raises BaselineError for what can never be a baseline."""
    for pair in matches:
        if {one.run.id for one in pair.base.taken} & {one.run.id for one in pair.new.taken}:
            raise BaselineError(f"run {pair.new.taken[0].run.id} is its own baseline; name another run with --baseline")
    flagged = [pair for pair in matches if pair.base.flagged]
    if flagged:
        first = flagged[0]
        more = f" (and {len(flagged) - 1} more cells)" if len(flagged) > 1 else ""
        raise BaselineError(
            f"the baseline's {first.key.title()} is {first.base.against}{more}, and what is flagged never becomes a"
            " baseline; measure it again, on a quiet machine or with more --max-time"
        )


def _against(pair: Match, allowed: Collection[Kind]) -> tuple[str, bool]:
    """Why there is no verdict, in a clause, empty if there is one; and whether the new outputs are wrong alone."""
    sides = [f"{who}: {side.against}" for who, side in (("baseline", pair.base), ("new run", pair.new)) if side.against]
    if sides:
        return "; ".join(sides), pair.new.wrong and not pair.base.wrong
    differing = [one for one in differences(pair) if one.kind is not None and one.kind not in allowed]
    if differing:
        kinds = " ".join(dict.fromkeys(str(one.kind) for one in differing))
        return f"not comparable: {_listed(differing)} (new against baseline; --allow-change {kinds} allows it)", False
    return "", False


def _listed(differing: Sequence[Difference], most: int = 4) -> str:
    more = f" and {len(differing) - most} more" if len(differing) > most else ""
    return "; ".join(map(str, differing[:most])) + more


def _skipped(only_base: Sequence[Held], new: Sequence[Run]) -> dict[CellKey, str]:
    """Cells of the baseline whose backend the new run was asked for, and why it could not use it."""
    reasons = {one.backend: one.reason for run in new for one in run.run.skipped}
    return {one.key: f"new run: {reasons[one.key.label]}" for one in only_base if one.key.label in reasons}


class _Past:
    """The history, without the runs that are compared themselves."""

    def __init__(self, runs: Sequence[Run], compared: Collection[str], allowed: Collection[Kind]) -> None:
        self.given = len(runs)
        self.runs = [run for run in runs if run.run.id not in compared]
        self._allowed = allowed
        self._cells: dict[object, list[Taken]] = {}
        # Run by run: wrong outputs in one session say nothing against the others.
        for one in (one for run in self.runs for one in held([run])):
            for invocation in one.usable:
                where = (one.key, fingerprint([invocation], allowed))
                self._cells.setdefault(where, []).append(invocation)

    def of(self, base: Held) -> list[Session]:
        """The sessions of a cell under the baseline's conditions."""
        return sessions(self._cells.get((base.key, fingerprint(base.usable, self._allowed)), ()))


def _judged(name: str, pair: Match, past: _Past) -> _Judged:
    base, new = sessions(pair.base.usable), sessions(pair.new.usable)
    found = past.of(pair.base)
    known = spread(found) if len(found) >= FEWEST_SESSIONS else None
    effect = binding_effect(base, new, known) if known else advisory_effect(pair)
    medians = [statistics.median(side_of(side.usable).units) for side in (pair.base, pair.new)]
    return _Judged(name, pair, effect, medians[0], medians[1])


def _failing(judged: Sequence[_Judged], rule: Settings, binding: bool) -> set[int]:
    """The rows, by id, that are slower than the margin; in a binding check only such with a history."""
    tested = [(row, row.effect) for row in judged if row.effect and (row.effect.spread or not binding)]
    if not tested:
        return set()
    # Rows without a history are no hypotheses of this family: they are never rejected.
    rejected = holm([effect.p_value(math.log1p(rule.margin)) for _, effect in tested], rule.alpha)
    return {id(row) for (row, _), flag in zip(tested, rejected, strict=True) if flag}


def _row(judged: _Judged, rule: Settings, regressed: bool, family: int, binding: bool) -> Row:
    """A row with its verdict; `family` is the number of rows that share alpha."""
    row = Row(judged.name, "inconclusive", base_ms=judged.base_ms, new_ms=judged.new_ms, test="welch")
    effect = judged.effect
    if effect is None:
        return replace(row, change=judged.new_ms / judged.base_ms - 1)
    reach = effect.reach(1 - rule.alpha)
    low, high = effect.difference - reach, effect.difference + reach
    row = replace(row, change=math.expm1(effect.difference), low=math.expm1(low), high=math.expm1(high))
    if effect.spread:
        row = replace(
            row,
            # of the difference of two sessions, as that of pairs is of two invocations
            sd=math.sqrt(2) * effect.spread.sd,
            mde=rule.margin + effect.reach(1 - rule.alpha / family) + effect.reach(POWER),
        )
    elif binding:
        return row
    if regressed:
        return replace(row, verdict="regressed")
    if high < -math.log1p(rule.margin):
        return replace(row, verdict="improved")
    return replace(row, verdict="unchanged") if high < math.log1p(rule.tolerated) else row


def _notes(
    judged: Sequence[_Judged], only_new: Sequence[Held], new: Sequence[Run], past: _Past, binding: bool
) -> list[str]:
    """What a reader must know of the check, a sentence each."""
    notes = []
    if any(row.match.key.simulated for row in judged):
        notes.append("SIMULATED: figures of a test double, not of a device.")
    if judged and not binding:
        notes.append(f"Advisory: no history tells how much sessions differ when nothing has changed; {BINDING}.")
    known = [row.effect.spread for row in judged if row.effect and row.effect.spread]
    if known:
        low, high = min(one.sd for one in known), max(one.sd for one in known)
        counts = sorted({one.sessions for one in known})
        notes.append(
            f"Between sessions medians differ by {_range(f'{low:.2%}', f'{high:.2%}')} (standard deviation, from"
            f" {_range(str(counts[0]), str(counts[-1]))} sessions of the history)."
        )
    few = [row.match for row in judged if not (row.effect and row.effect.spread)]
    if few and past.given:
        found = [len(past.of(pair.base)) for pair in few]
        notes.append(
            f"{len(few)} of {len(judged)} rows have only {_range(str(min(found)), str(max(found)))} sessions in the"
            f" history under the baseline's conditions (the compared runs not counted); {FEWEST_SESSIONS} are needed."
        )
    notes += _too_far(judged, past)
    for run in new:
        if len(run.cells) < run.run.cells_planned:
            count = f"{len(run.cells)} of {run.run.cells_planned} cells were measured"
            notes.append(f"Run {run.run.id} is unfinished: {count}.")
    if only_new:
        notes.append(f"Not in the baseline, so not checked: {', '.join(one.key.title() for one in only_new)}.")
    return notes


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _too_far(judged: Sequence[_Judged], past: _Past) -> list[str]:
    """Sessions that lie close together do not tell how far machines drift apart over longer times."""
    spans = [
        (row, found[-1].when - found[0].when)
        for row in judged
        if row.effect and row.effect.spread and (found := past.of(row.match.base))
    ]
    for row, span in spans:
        base, new = sessions(row.match.base.usable), sessions(row.match.new.usable)
        apart = abs(new[-1].when - base[0].when)
        if apart > max(2 * span, timedelta(hours=1)):
            return [
                f"The baseline and the run are {_days(apart)} apart, the sessions of the history {_days(span)}: slower"
                " drift than that is not in the spread; take a newer baseline or a longer history."
            ]
    return []


def _days(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"
