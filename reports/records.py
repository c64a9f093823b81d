"""The record of a measurement: typed, versioned, strictly decoded. Times are integers in nanoseconds.

A run file is JSON Lines: one `RunRecord`, then one `CellRecord` a measured cell. Raw samples are kept in the
order they were taken, so every statistic can be recomputed from them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

#: major.minor; readers take older minors of their major, and refuse what is newer: they would not know what it says.
SCHEMA_VERSION = "1.2"

PrecisionName = Literal["fp32", "tf32", "fp16", "bf16", "int8"]
ScopeName = Literal["compute", "end-to-end"]
Provenance = Literal["measured", "imported", "published", "simulated"]
Clock = Literal["host", "device-events"]
#: ok: measured and right; wrong: outputs failed the accuracy check, so it has no speed; failed: see `failure`.
Status = Literal["ok", "wrong", "failed"]
StopReason = Literal["converged", "time limit", "sample limit"]


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that measured. `memory_bytes` is the physical memory."""

    name: str
    os: str
    cpu: str
    logical_cpus: int
    physical_cores: int
    memory_bytes: int | None
    python: str


class BusyProcess(msgspec.Struct, frozen=True, kw_only=True):
    """Another process that used the machine when the run began; `cores` is its share of CPU time, in cores."""

    name: str
    pid: int
    cores: float


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """State of the host when the run began; null where the system does not tell. Frequencies in MHz."""

    governor: str | None
    frequency_mhz: float | None
    max_frequency_mhz: float | None
    load_1m: float | None
    #: a container's limits: CPUs by quota, and bytes of memory
    cpu_limit: float | None
    memory_limit_bytes: int | None
    #: environment variables that set thread counts or their binding
    thread_settings: dict[str, str] = {}
    busy_processes: list[BusyProcess] = []
    #: kind of virtual machine or container, empty if none was recognised
    virtualisation: str = ""


class Git(msgspec.Struct, frozen=True, kw_only=True):
    """State of the checkout that measured."""

    commit: str
    dirty: bool


class WorkloadInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was run: `model_sha256` identifies graph and weights, `inputs_sha256` what is fed."""

    name: str
    model_sha256: str
    inputs_sha256: str
    #: one sentence each, shown to readers as they are
    model: str
    inputs: str
    reference: str
    notes: list[str] = []
    #: pictures of the first samples, side by side as a JPEG, each as wide as high: inputs and reference outputs
    sample_inputs: bytes | None = None
    sample_reference: bytes | None = None
    #: what is asked for in each sample, in a word or two
    sample_captions: list[str] = []


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that was asked for and could not be used here."""

    backend: str
    reason: str


class MeasureLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long cells warmed up and measured; times in seconds, `half_width` relative to the median."""

    max_time_s: float
    min_time_s: float
    min_samples: int
    half_width: float
    warmup_calls: int
    warmup_min_s: float
    warmup_max_s: float


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, tag="run", tag_field="kind"):
    """First line of a run file."""

    schema: str
    id: str
    command: list[str]
    started: str
    host: Host
    git: Git | None
    packages: dict[str, str]
    workload: WorkloadInfo
    cells_planned: int
    skipped: list[Skipped] = []
    conditions: Conditions | None = None
    limits: MeasureLimits | None = None
    #: working directory that relative paths in `command` start from
    folder: str = ""


class ResumeRecord(msgspec.Struct, frozen=True, kw_only=True, tag="resumed", tag_field="kind"):
    """The run was taken up again here, after a crash or an interruption; the cells below were measured then."""

    at: str
    conditions: Conditions | None = None


def variant_label(backend: str, options: dict[str, str]) -> str:
    """A backend with the options that were set: `pytorch`, `pytorch:compile=default`."""
    settings = ",".join(f"{key}={value}" for key, value in sorted(options.items()))
    return f"{backend}:{settings}" if settings else backend


class CellIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What makes two cells the same cell. `precision` is the one executed, or the asked one if nothing ran."""

    workload: str
    #: graph and weights; `inputs_sha256` is what is fed. Cells of different models or inputs are never the same.
    model_sha256: str
    inputs_sha256: str
    backend: str
    options: dict[str, str]
    card: str
    device: str
    precision: PrecisionName
    batch: int
    scope: ScopeName

    def label(self) -> str:
        """Backend with the options that were set."""
        return variant_label(self.backend, self.options)


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """Raw times. A sample covers `group` consecutive calls (1 unless a call is too short for the clock)."""

    samples_ns: list[int]
    warmup_ns: list[int]
    group: int
    stop: StopReason
    #: what the loop itself adds to one call: the median of the same loop over a session that does nothing
    overhead_ns: float
    #: blocks of samples that were thrown away because the device's clock was far below its nominal one
    discarded_blocks: int = 0
    #: the clock stayed low until the harness stopped waiting for it
    clock_stayed_low: bool = False


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
    overhead_ok: bool
    placement_ok: bool
    accuracy: bool
    #: what was seen, in words, for `throttled` and `placement_ok`
    throttle_reason: str = ""
    placement_reason: str = ""


class DeviceReading(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the device, outside the timed region; null where its tool does not tell. `energy_j` is a counter."""

    moment: Literal["before", "during", "after"]
    clock_mhz: float | None = None
    max_clock_mhz: float | None = None
    power_w: float | None = None
    energy_j: float | None = None
    temperature_c: float | None = None
    utilization: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    other_processes: int | None = None
    health: str = ""
    throttle_reasons: list[str] = []


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What the host did while the samples were taken; null where the system does not tell.

    Cores are CPU time over elapsed time: `own_cores` of the measuring process, `other_cores` of everything else.
    """

    other_cores: float | None = None
    own_cores: float | None = None
    steal_share: float | None = None
    #: seconds for which a container's CPU quota held processes back
    quota_throttled_s: float | None = None
    thermal_events: int | None = None
    #: of the CPU packages, in joules
    energy_j: float | None = None


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen beside the samples. `source` names the device's tool; `missing` says why there is none."""

    source: str = ""
    driver: str = ""
    missing: str = ""
    readings: list[DeviceReading] = []
    activity: Activity | None = None
    #: peak resident memory of the worker process
    peak_memory_bytes: int | None = None
    #: how much more of the device's memory was in use with the model loaded than before
    device_memory_bytes: int | None = None
    energy_per_image_j: float | None = None


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


class ArtifactInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded, and how long building, loading and the first call took, in seconds (never in the samples)."""

    sha256: str
    build_s: float
    load_s: float
    first_call_s: float
    settings: dict[str, str] = {}


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a cell has no result: the phase it was in, one line, and the last lines the worker printed."""

    phase: str
    message: str
    output_tail: list[str] = []


class CellRecord(msgspec.Struct, frozen=True, kw_only=True, tag="cell", tag_field="kind"):
    """One measured, wrong or failed cell.

    `fps_per_card` is *derived*: chips × batch × 1000 / mean latency in ms of one chip, its interval that of the mean;
    the *measured* one is in `throughput`.
    """

    id: str
    identity: CellIdentity
    asked_precision: PrecisionName
    status: Status
    provenance: Provenance
    clock: Clock
    chips: int
    started: str
    samples: Samples | None = None
    latency: LatencySummary | None = None
    fps_per_card: float | None = None
    accuracy: list[OutputAccuracy] = []
    artifact: ArtifactInfo | None = None
    session: dict[str, str] = {}
    failure: Failure | None = None
    fps_low: float | None = None
    fps_high: float | None = None
    flags: Flags | None = None
    telemetry: Telemetry | None = None
    throughput: Throughput | None = None
    #: why there is no `throughput` though it was asked for
    throughput_failure: Failure | None = None
    #: its first output pictures, as `WorkloadInfo.sample_reference`
    pictures: bytes | None = None


Record = RunRecord | ResumeRecord | CellRecord


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run file as read: its header, its cells in order, and what a reader should know about the file."""

    run: RunRecord
    cells: list[CellRecord]
    warnings: list[str] = []
    resumed: list[ResumeRecord] = []
