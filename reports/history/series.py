"""Every cell over time: one point a run, and how much points differ under unchanged conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reports.fingerprint import fingerprint
from reports.matching import CellKey, Held, Taken, held
from reports.records import Run, RunRecord
from reports.statistics import Interval, geometric_mean, geometric_mean_interval
from reports.stored.intervals import side_of
from reports.stored.sessions import Spread, moment, sessions, spread


@dataclass(frozen=True)
class Point:
    """A cell in one run: median latency in ms and FPS per card, each with a 95 % interval or one without limits (NaN).

    Null where the run has no such figure. `flagged`: a verdict went against all of its invocations.
    """

    run: RunRecord
    taken: tuple[Taken, ...]
    latency: Interval | None
    fps: Interval | None
    flagged: bool
    #: ok, wrong or failed
    status: str

    @property
    def when(self) -> datetime:
        return moment(self.run)


@dataclass(frozen=True)
class Series:
    """One cell on one machine, its points in order of time. Another model or other inputs make another series."""

    key: CellKey
    host: str
    model: str
    inputs: str
    points: tuple[Point, ...]

    def shown(self, include_flagged: bool) -> list[Point]:
        """The points that count: with a figure, and without a flag unless asked for."""
        return [p for p in self.points if p.latency is not None and (include_flagged or not p.flagged)]

    def spread(self, include_flagged: bool = False) -> Spread | None:
        """Between the sessions whose conditions are those of the last one; None for fewer than two.

        What `check --history` takes for the spread between sessions.
        """
        return self._spread_of_all if include_flagged else self._spread_of_sound

    @cached_property
    def _spread_of_sound(self) -> Spread | None:
        return _spread(self.shown(include_flagged=False))

    @cached_property
    def _spread_of_all(self) -> Spread | None:
        return _spread(self.shown(include_flagged=True))


def _spread(points: Sequence[Point]) -> Spread | None:
    if not points:
        return None
    conditions = fingerprint(points[-1].taken)
    return spread(sessions(one for p in points if fingerprint(p.taken) == conditions for one in p.taken))


def all_series(runs: Sequence[Run]) -> list[Series]:
    """Every cell of these runs over time, in order of appearance. Simulated cells stay by themselves, as always."""
    found: dict[tuple[CellKey, str, str, str], list[Point]] = {}
    for run in runs:
        host = run.run.host.name if run.run.host else ""
        for one in held([run]):
            found.setdefault((one.key, host, one.model, one.inputs), []).append(_point(run.run, one))
    return [
        Series(key, host, model, inputs, tuple(sorted(points, key=lambda point: point.when)))
        for (key, host, model, inputs), points in found.items()
    ]


def _point(run: RunRecord, one: Held) -> Point:
    taken = one.usable or one.with_median
    statuses = {invocation.cell.status for invocation in one.taken}
    status = next((name for name in ("wrong", "ok") if name in statuses), "failed")
    return Point(
        run=run, taken=taken or one.taken, latency=_latency(taken), fps=_fps(taken),
        flagged=bool(taken) and not one.usable, status=status,
    )  # fmt: skip


def _latency(taken: Sequence[Taken]) -> Interval | None:
    if not taken:
        return None
    side = side_of(taken)
    return side.interval() or Interval(side.median_ms, math.nan, math.nan)


def _fps(taken: Sequence[Taken]) -> Interval | None:
    rates = [one.cell for one in taken if one.cell.fps_per_card]
    values = [cell.fps_per_card for cell in rates if cell.fps_per_card]
    if not values:
        return None
    if len(values) > 1:
        return geometric_mean_interval(values)
    low, high = rates[0].fps_low, rates[0].fps_high
    known = low is not None and high is not None
    return Interval(geometric_mean(values), low if known else math.nan, high if known else math.nan)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Change:
    """What is other in a run than in the one before it on the same machine: the harness's commit, or packages."""

    when: datetime
    commit: str
    packages: tuple[str, ...]


def changes(runs: Sequence[Run]) -> list[Change]:
    """Every change of commit or packages, in order of time."""
    last: dict[str, RunRecord] = {}
    found = []
    for run in sorted((run.run for run in runs), key=moment):
        before = last.get(run.host.name if run.host else "")
        last[run.host.name if run.host else ""] = run
        if before is None:
            continue
        commit = run.git.commit if run.git and (before.git is None or before.git.commit != run.git.commit) else ""
        names = dict.fromkeys([*before.packages, *run.packages])
        packages = tuple(
            f"{name} {before.packages.get(name, 'none')} to {run.packages.get(name, 'none')}"
            for name in names
            if before.packages.get(name) != run.packages.get(name)
        )
        if commit or packages:
            found.append(Change(moment(run), commit, packages))
    return found
