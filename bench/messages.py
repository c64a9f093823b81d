"""What a worker process is told and what it answers: tasks one way, events the other, as JSON lines."""

from __future__ import annotations

import msgspec

from backends.base import Precision
from bench.plan import CellTask, Lane, WorkloadSpec
from bench.translation.inputs import InputPlan
from bench.workloads.base import Materials
from datasets.tensors import TensorFormat
from reports.records import CellRecord
from reports.translation import TranslationRecord


class PrepareTask(msgspec.Struct, frozen=True, kw_only=True, tag="prepare"):
    """Make a workload's files."""

    workload: WorkloadSpec
    batches: list[int]
    cache: str


class MeasureTask(msgspec.Struct, frozen=True, kw_only=True, tag="measure"):
    """Measure one cell on files that a PrepareTask made."""

    cell: CellTask
    materials: Materials


class LaneTask(msgspec.Struct, frozen=True, kw_only=True, tag="lane"):
    """Take part in a throughput measurement: get ready, say so, begin when told to, go on for `window_s`."""

    cell: CellTask
    materials: Materials
    lane: Lane
    window_s: float
    #: what the cell itself was executed in
    executed: Precision


class NoiseTask(msgspec.Struct, frozen=True, kw_only=True, tag="noise"):
    """Measure the selftest's own workload once, as one invocation of a comparison."""

    samples: int


class TranslateTask(msgspec.Struct, frozen=True, kw_only=True, tag="translate"):
    """Translate what is not finished yet in a folder; `record` is what is known of it before."""

    workload: WorkloadSpec
    materials: Materials
    precision: Precision
    inputs: InputPlan
    folder: str
    output_format: TensorFormat
    record: TranslationRecord


class DiagnoseTask(msgspec.Struct, frozen=True, kw_only=True, tag="diagnose"):
    """Ask a backend what somebody would want to know who is not at this machine."""

    backend: str
    device: str


Task = PrepareTask | MeasureTask | LaneTask | NoiseTask | TranslateTask | DiagnoseTask


class Phase(msgspec.Struct, frozen=True, tag="phase"):
    """The worker has begun something; also the sign of life that its time limit counts from."""

    name: str


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """Where a measurement stands; `latency_ns` and `half_width` are of the median so far."""

    phase: str
    samples: int
    latency_ns: float
    half_width: float | None


class Advanced(msgspec.Struct, frozen=True, tag="advanced"):
    """How many batches of a TranslateTask are finished, of those that it began with."""

    done: int
    total: int


class Measured(msgspec.Struct, frozen=True, tag="measured"):
    """Last event of a MeasureTask."""

    record: CellRecord


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """Last event of a PrepareTask."""

    materials: Materials


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """A LaneTask is warmed up and waits on its standard input for the time to begin at."""


class Ran(msgspec.Struct, frozen=True, tag="ran"):
    """Last event of a LaneTask or a NoiseTask: start and end of every inference, by the machine's monotonic clock."""

    starts_ns: list[int]
    ends_ns: list[int]
    #: what was seen meanwhile that speaks against the figures, in plain words
    remarks: list[str] = []


class Translated(msgspec.Struct, frozen=True, tag="translated"):
    """Last event of a TranslateTask."""

    record: TranslationRecord


class Diagnosed(msgspec.Struct, frozen=True, tag="diagnosed"):
    """Last event of a DiagnoseTask."""

    lines: list[str]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Last event of a task that raised; `expected` errors are one line for the user, others are ours."""

    message: str
    expected: bool


#: What ends a task well.
Result = Measured | Prepared | Ran | Translated | Diagnosed
Event = Phase | Progress | Advanced | Ready | Result | Failed
