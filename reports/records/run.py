"""The head of a run: what was run, where, how, by which command."""

from __future__ import annotations

import msgspec

from reports.records.machine import Conditions, Git, Host


class WorkloadInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What was run: `model_sha256` identifies graph and weights, `inputs_sha256` what is fed; empty if not known."""

    name: str
    model_sha256: str
    inputs_sha256: str
    #: one sentence each, shown to readers as they are; empty where it is not known
    model: str
    inputs: str
    reference: str
    notes: list[str] = []
    #: pictures of the first samples, side by side as a JPEG, each as wide as high: inputs and reference outputs
    sample_inputs: bytes | None = None
    sample_reference: bytes | None = None
    #: what is asked for in each sample, in a word or two
    sample_captions: list[str] = []
    #: of files that were compiled before, for one vendor's runtime; empty where none were given
    compiled_sha256: str = ""
    #: arithmetic of one image, multiplications and additions counted singly; null where it is not known
    flop_per_image: float | None = None


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


class StatedRatio(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio of FPS per card as a publication prints it, for the cells whose option `source` is this."""

    above: str
    below: str
    batch: int
    printed: str
    source: str = ""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, tag="run", tag_field="kind"):
    """First line of a run file."""

    schema: str
    id: str
    command: list[str]
    started: str
    #: null for figures that this harness did not measure
    host: Host | None
    git: Git | None
    packages: dict[str, str]
    workload: WorkloadInfo
    cells_planned: int
    skipped: list[Skipped] = []
    conditions: Conditions | None = None
    limits: MeasureLimits | None = None
    #: working directory that relative paths in `command` start from
    folder: str = ""
    #: ratios that a publication prints
    stated_ratios: list[StatedRatio] = []


class ResumeRecord(msgspec.Struct, frozen=True, kw_only=True, tag="resumed", tag_field="kind"):
    """The run was taken up again here, after a crash or an interruption; the cells below were measured then."""

    at: str
    conditions: Conditions | None = None
