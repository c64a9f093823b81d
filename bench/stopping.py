"""When to stop warming up and measuring: declared limits, and the rule that reads them."""

from __future__ import annotations

from dataclasses import dataclass

from reports.records import StopReason
from reports.summary import TARGET_HALF_WIDTH, Stream


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a cell warms up and measures. Times in seconds, counts in calls."""

    max_time_s: float = 60.0
    min_time_s: float = 2.0
    min_samples: int = 100
    #: 95 % interval of the median, half its width relative to the median
    half_width: float = TARGET_HALF_WIDTH
    warmup_calls: int = 10
    warmup_min_s: float = 0.5
    warmup_max_s: float = 30.0
    #: bounds the memory and the file: a sample lasts at least 1,000 loop overheads, so 2 s hold fewer than this
    max_samples: int = 100_000

    @classmethod
    def within(cls, max_time_s: float) -> Limits:
        """Limits for a cell that may measure for `max_time_s`, with a warm-up in proportion."""
        default = cls()
        return cls(
            max_time_s=max_time_s,
            min_time_s=min(default.min_time_s, max_time_s),
            warmup_max_s=min(30.0, max_time_s / 2),
            warmup_min_s=min(default.warmup_min_s, max_time_s / 4),
        )

    @classmethod
    def quick(cls) -> Limits:
        """For a first look: about three seconds a cell; most medians will not be known to 1 %."""
        return cls(max_time_s=3.0, min_time_s=0.5, min_samples=20, warmup_calls=3, warmup_min_s=0.1, warmup_max_s=1.5)


def warm(limits: Limits, calls: int, elapsed_s: float) -> bool:
    """Whether the warm-up is long enough, or has used up its time."""
    enough = calls >= limits.warmup_calls and elapsed_s >= limits.warmup_min_s
    return enough or elapsed_s >= limits.warmup_max_s


def stop_reason(limits: Limits, samples: int, elapsed_s: float, stream: Stream) -> StopReason | None:
    """Why measuring should end now, or None to go on.

    The half-width of the median's interval decides, not the standard deviation: that one does not shrink with the
    number of samples. A stream that is not steady goes on: what follows may be, and its start is then cut off.
    """
    precise = stream.median is not None and stream.median.relative_half_width <= limits.half_width
    enough = len(stream.kept) >= limits.min_samples and elapsed_s >= limits.min_time_s
    if precise and enough and stream.state.steady:
        return "converged"
    if elapsed_s >= limits.max_time_s:
        return "time limit"
    if samples >= limits.max_samples:
        return "sample limit"
    return None
