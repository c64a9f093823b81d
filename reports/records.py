"""The record of a measurement: typed, versioned, strictly decoded. Times are integers in nanoseconds.

A run file is JSON Lines: one `RunRecord`, then one `CellRecord` a measured cell. Raw samples are kept in the
order they were taken, so every statistic can be recomputed from them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

#: major.minor; readers take every minor of their major and refuse another major.
SCHEMA_VERSION = "1.0"

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


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that was asked for and could not be used here."""

    backend: str
    reason: str


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


class LatencySummary(msgspec.Struct, frozen=True, kw_only=True):
    """Latency of one inference of one batch on one chip, in milliseconds.

    `median_low/high_ms`: distribution-free 95 % interval, null below 6 samples. A percentile is null when
    there are too few samples to bound it (`reports.statistics.minimum_count`), or samples are grouped.
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


class OutputAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """One output against the fp32 reference. `psnr_db` is null when they are equal, or not comparable."""

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

    FPS per card here is always *derived*: chips × batch × 1000 / mean latency in ms of one chip.
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


Record = RunRecord | CellRecord


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run file as read: its header, its cells in order, and what a reader should know about the file."""

    run: RunRecord
    cells: list[CellRecord]
    warnings: list[str] = []
