"""All invocations of one cell: the figures that stand for them together, and how sure these are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from reports import flags
from reports.records import CellRecord, Status
from reports.statistics import geometric_mean, geometric_mean_interval


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval, null where nothing tells it.

    Of one invocation the interval is that within its process; of several it is from the spread between them.
    """

    value: float
    low: float | None
    high: float | None
    invocations: int


@dataclass(frozen=True)
class Group:
    """Invocations of one cell, at least one. Wrong outputs of one make the whole group wrong: it has no speed.

    Figures are those of the invocations that no verdict went against, or of all where one went against each
    (`flagged`). Figures of several are geometric means.
    """

    cells: tuple[CellRecord, ...]

    @cached_property
    def status(self) -> Status:
        states = {cell.status for cell in self.cells}
        if "wrong" in states:
            return "wrong"
        return "ok" if "ok" in states else "failed"

    @cached_property
    def counted(self) -> tuple[CellRecord, ...]:
        """The invocations that the figures are of; none unless the status is ok."""
        if self.status != "ok":
            return ()
        ok = tuple(cell for cell in self.cells if cell.status == "ok")
        return tuple(cell for cell in ok if flags.comparable(cell)) or ok

    @property
    def left_out(self) -> int:
        """How many invocations have a figure that is not counted, since a verdict went against them alone."""
        return sum(cell.status == "ok" for cell in self.cells) - len(self.counted) if self.counted else 0

    @property
    def flagged(self) -> bool:
        """Whether a verdict went against every invocation that has a figure."""
        return bool(self.counted) and not flags.comparable(self.counted[0])

    @property
    def against(self) -> list[str]:
        """Names of the verdicts that went against the figures shown."""
        return list(dict.fromkeys(name for cell in self.counted for name in flags.short(cell)))

    @property
    def first(self) -> CellRecord:
        """For what all invocations share."""
        return (self.counted or self.cells)[0]

    @property
    def single(self) -> CellRecord | None:
        """The one invocation whose own figures are shown; None where there are several, or none has a figure."""
        return self.counted[0] if len(self.counted) == 1 else None

    def rates(self) -> list[float]:
        """FPS per card of every counted invocation that has one: derived, or as stated."""
        return [cell.fps_per_card for cell in self.counted if cell.fps_per_card]

    def measured_rates(self) -> list[float]:
        """FPS per card of every counted invocation that had whole cards at work at once."""
        return [rate for cell in self.counted if (rate := measured_fps(cell)[0])]

    @property
    def chips(self) -> int:
        """Chips of the card."""
        return self.first.chips

    @cached_property
    def measured(self) -> Figure | None:
        """FPS per card with all its chips, and the streams asked for, at work at once."""
        return self._figure(measured_fps)

    @property
    def troubled(self) -> bool:
        """Whether something was seen that speaks against the measured FPS."""
        return any(cell.throughput is not None and cell.throughput.flags for cell in self.counted)

    @cached_property
    def fps(self) -> Figure | None:
        """FPS per card."""
        return self._figure(lambda cell: (cell.fps_per_card, cell.fps_low, cell.fps_high))

    @cached_property
    def median(self) -> Figure | None:
        """Median latency in ms."""
        return self._figure(
            lambda cell: (
                median_ms(cell),
                cell.latency.median_low_ms if cell.latency else None,
                cell.latency.median_high_ms if cell.latency else None,
            )
        )

    @cached_property
    def mean(self) -> Figure | None:
        """Mean latency in ms."""
        return self._figure(
            lambda cell: (
                mean_ms(cell),
                cell.latency.mean_low_ms if cell.latency else None,
                cell.latency.mean_high_ms if cell.latency else None,
            )
        )

    def _figure(self, of: Callable[[CellRecord], tuple[float | None, float | None, float | None]]) -> Figure | None:
        told = [(value, low, high) for value, low, high in map(of, self.counted) if value]
        if len(told) == 1:
            return Figure(*told[0], invocations=1)
        return _together([value for value, _, _ in told]) if told else None


def _together(values: Sequence[float]) -> Figure:
    interval = geometric_mean_interval(values)
    return Figure(geometric_mean(values), interval.low, interval.high, len(values))


def measured_fps(cell: CellRecord) -> tuple[float | None, float | None, float | None]:
    """Measured FPS per card with its 95 % interval; nothing where no whole cards were at work at once."""
    together = cell.throughput
    if together is None or not together.fps_per_card:
        return None, None, None
    share = together.fps_per_card / together.fps
    low, high = (None if end is None else end * share for end in (together.fps_low, together.fps_high))
    return together.fps_per_card, low, high


def median_ms(cell: CellRecord) -> float | None:
    """Median latency, of the samples or as its source states it."""
    if cell.latency:
        return cell.latency.median_ms
    return cell.stated.median_ms if cell.stated else None


def mean_ms(cell: CellRecord) -> float | None:
    """Mean latency, of the samples or as its source states it."""
    if cell.latency:
        return cell.latency.mean_ms
    return cell.stated.mean_ms if cell.stated else None
