"""One measured, imported or published cell."""

from __future__ import annotations

import msgspec

from reports.records.figures import DeviceTimes, Flags, LatencySummary, OutputAccuracy, Samples, Throughput
from reports.records.machine import Telemetry
from reports.records.names import Clock, FpsBasis, Provenance, RecordedPrecision, ScopeName, Status, variant_label
from reports.records.origin import Origin, Stated


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
    precision: RecordedPrecision
    batch: int
    scope: ScopeName

    def label(self) -> str:
        """Backend with the options that were set."""
        return variant_label(self.backend, self.options)


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
    the *measured* one is in `throughput`. `id` and `invocation` together are unique in a run.
    """

    id: str
    identity: CellIdentity
    asked_precision: RecordedPrecision
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
    #: which repetition of the cell this is, each in a process of its own, from 0 on
    invocation: int = 0
    fps_basis: FpsBasis = "derived"
    #: for figures that this harness did not measure
    origin: Origin | None = None
    stated: Stated | None = None
    #: the same call by the device's own clock, beside the host's samples; null where it has no events
    device_times: DeviceTimes | None = None
    #: its first output pictures, as `WorkloadInfo.sample_reference`
    pictures: bytes | None = None
