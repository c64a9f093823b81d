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
    #: taken even where they do not fit into `max_time_s`
    least_samples: int = 1
    #: else `min_samples` and `min_time_s` are enough, however wide the interval is
    until_precise: bool = True
    #: samples are taken in turns of this length with another process, each turn when it is told to
    turn_s: float | None = None

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
    def invocation(cls, samples: int, max_time_s: float, turn_s: float | None = None) -> Limits:
        """For one of many processes that each give one median: so many samples and 0.4 s of them after a short warm-up.

        At least 10 samples where `max_time_s` cuts them short: a median of fewer says little.
        """
        return cls(
            max_time_s=max_time_s, min_time_s=min(0.4, max_time_s), min_samples=samples,
            least_samples=min(10, samples), until_precise=False, turn_s=turn_s, warmup_min_s=min(0.2, max_time_s),
            warmup_max_s=max_time_s,
        )  # fmt: skip

    @classmethod
    def quick(cls) -> Limits:
        """For a first look: about three seconds a cell; most medians will not be known to 1 %."""
        return cls(max_time_s=3.0, min_time_s=0.5, min_samples=20, warmup_calls=3, warmup_min_s=0.1, warmup_max_s=1.5)


def warm(limits: Limits, calls: int, elapsed_s: float) -> bool:
    """Whether the warm-up is long enough, or has used up its time."""
    enough = calls >= limits.warmup_calls and elapsed_s >= limits.warmup_min_s
    return enough or elapsed_s >= limits.warmup_max_s


def stop_reason(limits: Limits, samples: int, elapsed_s: float, stream: Stream | None) -> StopReason | None:
    """Why measuring should end now, or None to go on; `stream` is only needed where it must be precise.

    The half-width of the median's interval decides, not the standard deviation: that one does not shrink with the
    number of samples. A stream that is not steady goes on: what follows may be, and its start is then cut off.
    """
    long_enough = elapsed_s >= limits.min_time_s
    if not limits.until_precise and samples >= limits.min_samples and long_enough:
        return "sample limit"
    if stream is not None:
        precise = stream.median is not None and stream.median.relative_half_width <= limits.half_width
        if precise and len(stream.kept) >= limits.min_samples and long_enough and stream.state.steady:
            return "converged"
    if elapsed_s >= limits.max_time_s and samples >= limits.least_samples:
        return "time limit"
    if samples >= limits.max_samples:
        return "sample limit"
    return None
