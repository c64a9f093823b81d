"""How much the median of one cell differs between sessions when nothing has changed.

A session is a run: its processes share what the machine was like then. Logarithms of medians in ms, so a standard
deviation of 0.005 stands for about half a per cent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from reports.groups import median_ms
from reports.matching import Taken
from reports.records import RunRecord

#: With fewer sessions the spread between them is hardly known, and no verdict is built on it.
FEWEST_SESSIONS = 5


class StartError(ValueError):
    """A run file says when its run was started, and that is no time; one line."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run's part in a cell: the logarithm of every process's median."""

    run: RunRecord
    logs: tuple[float, ...]

    @property
    def when(self) -> datetime:
        """When it was started."""
        return moment(self.run)

    @property
    def mean(self) -> float:
        return float(np.mean(self.logs))


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviation of the sessions' means, and that of processes within a session, null where each has one."""

    sessions: int
    sd: float
    within_sd: float | None


def moment(run: RunRecord) -> datetime:
    """When a run was started; a time without a zone is taken for UTC. Raises StartError for what is no time."""
    try:
        when = datetime.fromisoformat(run.started)
    except ValueError:
        raise StartError(
            f"run {run.id} says that it was started at {run.started!r}, which is no time; restore its run file."
        ) from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def sessions(taken: Iterable[Taken]) -> list[Session]:
    """The sessions of invocations that all have a median, in order of their start."""
    found: dict[str, list[Taken]] = {}
    for one in taken:
        found.setdefault(one.run.id, []).append(one)
    together = [
        Session(group[0].run, tuple(math.log(median) for one in group if (median := median_ms(one.cell)) is not None))
        for group in found.values()
    ]
    return sorted(together, key=lambda session: session.when)


def spread(found: Sequence[Session]) -> Spread | None:
    """The spread between sessions; None for fewer than two."""
    if len(found) < 2:
        return None
    means = np.array([session.mean for session in found])
    # Of equal values the mean may be off by a rounding error, and a spread of 1e-17 would make every change certain.
    sd = 0.0 if means.min() == means.max() else float(means.std(ddof=1))
    return Spread(len(found), sd, within_sd(found))


def within_sd(found: Sequence[Session]) -> float | None:
    """Standard deviation between the processes of a session, pooled over sessions; None where each has one."""
    degrees = sum(len(session.logs) - 1 for session in found)
    if degrees == 0:
        return None
    squares = sum(float(((np.array(session.logs) - session.mean) ** 2).sum()) for session in found)
    return math.sqrt(squares / degrees)
