"""The record of a measurement: typed, versioned, strictly decoded. Times are integers in nanoseconds.

A run file is JSON Lines: one `RunRecord`, then one `CellRecord` a measured cell; files that were merged hold several
runs, one after another. Raw samples are kept in the order they were taken, so every statistic can be recomputed.
"""

from __future__ import annotations

import msgspec

from reports.records.cell import ArtifactInfo, CellIdentity, CellRecord, Failure
from reports.records.figures import DeviceTimes, Flags, LatencySummary, OutputAccuracy, Samples, Throughput, WorkerRate
from reports.records.machine import Activity, BusyProcess, Conditions, DeviceReading, Git, Host, Telemetry
from reports.records.names import (
    SCHEMA_VERSION,
    Clock,
    FpsBasis,
    PrecisionName,
    Provenance,
    RecordedPrecision,
    ScopeName,
    Status,
    StopReason,
    variant_label,
)
from reports.records.origin import Origin, Stated
from reports.records.run import MeasureLimits, ResumeRecord, RunRecord, Skipped, StatedRatio, WorkloadInfo

__all__ = [
    "SCHEMA_VERSION",
    "Activity",
    "ArtifactInfo",
    "BusyProcess",
    "CellIdentity",
    "CellRecord",
    "Clock",
    "Conditions",
    "DeviceReading",
    "DeviceTimes",
    "Failure",
    "Flags",
    "FpsBasis",
    "Git",
    "Host",
    "LatencySummary",
    "MeasureLimits",
    "Origin",
    "OutputAccuracy",
    "PrecisionName",
    "Provenance",
    "Record",
    "RecordedPrecision",
    "ResumeRecord",
    "Run",
    "RunRecord",
    "Samples",
    "ScopeName",
    "Skipped",
    "Stated",
    "StatedRatio",
    "Status",
    "StopReason",
    "Telemetry",
    "Throughput",
    "WorkerRate",
    "WorkloadInfo",
    "variant_label",
]

Record = RunRecord | ResumeRecord | CellRecord


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as read: its header, its cells in order, and what a reader should know about the file."""

    run: RunRecord
    cells: list[CellRecord]
    warnings: list[str] = []
    resumed: list[ResumeRecord] = []
