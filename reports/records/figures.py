"""The figures of a cell: samples, latency, throughput, verdicts, accuracy."""

from __future__ import annotations

import msgspec

from reports.records.names import StopReason


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """Raw times. A sample covers `group` consecutive calls (1 unless a call is too short for the clock)."""

    samples_ns: list[int]
    warmup_ns: list[int]
    group: int
    stop: StopReason
    #: what the loop itself adds to one call: the median of the same loop over a session that does nothing; null where
    #: another tool measured
    overhead_ns: float | None
    #: blocks of samples that were thrown away because the device's clock was far below its nominal one
    discarded_blocks: int = 0
    #: the clock stayed low until the harness stopped waiting for it
    clock_stayed_low: bool = False


class DeviceTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Calls by the device's own clock, from an event on its stream before each to one after it.

    `together` calls were put on the stream before one wait; the first of them, which waited for its launch, is none
    of these.
    """

    times_ns: list[int]
    together: int


class LatencySummary(msgspec.Struct, frozen=True, kw_only=True):
    """Latency of one inference of one batch on one chip, in milliseconds, over the samples after the first `cut`.

    `median_low/high_ms`: distribution-free 95 % interval from as many samples as the autocorrelation leaves
    (`effective_count`); null where that is too few. A percentile is null when there are too few samples to bound it
    (`reports.statistics.minimum_count`), or samples are grouped; `p99_upper99_ms` is above the true p99 with 99 %
    confidence.
    """

    count: int
    median_ms: float
    median_low_ms: float | None
    median_high_ms: float | None
    mean_ms: float
    best_ms: float
    worst_ms: float
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    #: half the width of the median's interval over the median, null where there is no interval
    relative_half_width: float | None
    converged: bool
    #: leading samples left out: the process was not yet steady (MSER-5)
    cut: int = 0
    #: null: too few samples to tell; the reason is a clause in plain words, empty when steady
    steady: bool | None = None
    steady_reason: str = ""
    effective_count: float | None = None
    #: 95 % interval of the mean by batch means; `mean_optimistic` where batches are too short to be independent
    mean_low_ms: float | None = None
    mean_high_ms: float | None = None
    mean_optimistic: bool = False
    p99_upper99_ms: float | None = None
    #: beyond 1.5 and 3 interquartile ranges; counted, never removed
    outliers_mild: int = 0
    outliers_severe: int = 0


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts on a cell; null where it could not be found out. Any that is not as it should be flags the cell."""

    steady: bool | None
    converged: bool
    throttled: bool | None
    overhead_ok: bool | None
    placement_ok: bool | None
    accuracy: bool | None
    #: the device's own time of a call is not longer than the host's; null where the device has no events
    clocks_agree: bool | None = None
    #: the card's stated peak allows the figure; null where that peak or the model's arithmetic is not known
    within_peak: bool | None = None
    #: what was seen, in words, for `throttled`, `placement_ok` and `within_peak`
    throttle_reason: str = ""
    placement_reason: str = ""
    peak_reason: str = ""


class WorkerRate(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's part of a throughput measurement; times in ns since the common start."""

    device: str
    cpus: list[int]
    fps: float
    #: start and end of every inference, in order of completion
    starts_ns: list[int]
    ends_ns: list[int]


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """All chips (and streams) at once: images counted over the window in which every worker was at work.

    `fps` is of everything together; `fps_per_card` is null unless whole cards were at work. `efficiency` is `fps`
    over what one chip alone gave times the number of chips. With more than one stream a chip, latencies include
    queueing (`queueing`).
    """

    chips: int
    streams: int
    window_s: float
    images: float
    fps: float
    #: 95 % interval by batch means over equal parts of the window, null where the window is too short
    fps_low: float | None
    fps_high: float | None
    fps_per_card: float | None
    efficiency: float
    median_latency_ms: float
    queueing: bool
    workers: list[WorkerRate]
    #: the parts of the window are too short, or too much alike, for the interval to be safe
    optimistic: bool = False
    #: what was seen meanwhile that speaks against the figure, in plain words
    flags: list[str] = []


class OutputAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """One output against the fp32 reference. `psnr_db` is null when they are equal, or not comparable.

    Where the output is pictures, each of `images` was judged by itself and the figures are over all of them.
    """

    output: str
    passed: bool
    max_abs: float | None
    mean_abs: float | None
    cosine: float | None
    psnr_db: float | None
    nonfinite: int
    #: the thresholds it was held against, in words
    threshold: str
    #: why it did not pass, empty if it did
    reason: str = ""
    images: int | None = None
    #: number of the image that is furthest from right, from 0 on
    worst_image: int | None = None
    #: structural similarity: of the least similar image, and the mean over images
    ssim: float | None = None
    ssim_mean: float | None = None
    #: share of pixels of which a channel is off by more than 1/255 of the range
    changed_pixels: float | None = None
