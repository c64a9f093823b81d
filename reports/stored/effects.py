"""The difference of two stored sides with its standard error, with and without a history. All on logarithms."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from reports.matching import Match
from reports.statistics.student import t_above, t_quantile
from reports.stored.intervals import side_of
from reports.stored.sessions import Session, Spread, within_sd

#: Of a normal distribution, 95 % lie within so many standard deviations.
_NORMAL_95 = 1.959964
#: Degrees of freedom of a spread that is known from very many samples.
_MANY = 1e6


@dataclass(frozen=True, slots=True)
class Effect:
    """Log difference new - base with its standard error; `spread` is null where no history tells it."""

    difference: float
    error: float
    degrees: float
    spread: Spread | None

    def p_value(self, margin: float) -> float:
        """One-sided, of "no slower than the margin"; the margin is a logarithm."""
        excess = self.difference - margin
        if self.error == 0:
            return 0.0 if excess > 0 else 1.0
        return t_above(self.degrees, excess / self.error)

    def reach(self, confidence: float) -> float:
        """Distance from the difference to its one-sided bound."""
        return t_quantile(self.degrees, confidence) * self.error


def binding_effect(base: Sequence[Session], new: Sequence[Session], known: Spread) -> Effect:
    """The log difference with all of its spread: between processes, and between sessions.

    A side of one process has no spread of its own: what processes of a session differ by is taken from the history,
    and is part of the spread between sessions where those have one process each.
    """
    variance = 0.0
    for side in (base, new):
        own = within_sd(side)
        sd = own if own is not None else known.within_sd or 0.0
        variance += sum(sd**2 / len(one.logs) for one in side) / len(side) ** 2 + known.sd**2 / len(side)
    return Effect(_mean(new) - _mean(base), math.sqrt(variance), known.sessions - 1, known)


def _mean(side: Sequence[Session]) -> float:
    return statistics.fmean(one.mean for one in side)


def advisory_effect(pair: Match) -> Effect | None:
    """The log difference with the spread of two sessions alone; None where a side does not even tell that."""
    sides = [side_of(side.usable) for side in (pair.new, pair.base)]
    variances, degrees = [], []
    for side in sides:
        if len(side.units) > 1:
            logs = [math.log(unit / side.units[0]) for unit in side.units]
            variances.append(statistics.variance(logs) / len(logs))
            degrees.append(len(logs) - 1.0)
        elif side.own:
            variances.append((math.log(side.own[1] / side.own[0]) / (2 * _NORMAL_95)) ** 2)
            degrees.append(_MANY)
        else:
            return None
    total = sum(variances)
    freedom = total**2 / sum(v**2 / d for v, d in zip(variances, degrees, strict=True)) if total else _MANY
    return Effect(math.log(sides[0].median_ms / sides[1].median_ms), math.sqrt(total), freedom, None)
