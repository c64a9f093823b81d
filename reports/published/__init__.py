"""Published figures as records, restated from their source; nothing in them was measured by this harness.

A publication is a JSON file beside this module: its sides (card, tool, precision, clock), and its parts, each with the
latencies or the FPS per card that it states. Figures of different parts are columns of their own, even where they are
of the same thing: a publication that contradicts itself is shown as it is.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any

import msgspec

from reports.records import (
    SCHEMA_VERSION,
    CellIdentity,
    CellRecord,
    Clock,
    Origin,
    RecordedPrecision,
    Run,
    RunRecord,
    Stated,
    StatedRatio,
    WorkloadInfo,
)
from reports.summary import derived_fps_per_card


class _Side(msgspec.Struct, forbid_unknown_fields=True):
    card: str
    tool: str
    precision: RecordedPrecision
    clock: Clock
    chips: int
    remarks: list[str]


class _Latency(msgspec.Struct, forbid_unknown_fields=True):
    side: str
    batch: int
    mean_ms: float
    fps_per_card: float
    median_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    p99_ms: float | None = None
    #: of all inferences together
    total_compute_s: float | None = None


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    where: str
    #: tool -> version of it, or of what it runs on
    versions: dict[str, str] = {}
    latencies: list[_Latency] = []
    #: side -> batch size -> FPS per card
    fps_per_card: dict[str, dict[int, float]] = {}
    #: batch size -> the first side over the second, as printed
    ratios: dict[int, str] = {}


class _Publication(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    started: str
    publication: str
    model: str
    inputs: str
    notes: list[str]
    sides: dict[str, _Side]
    parts: list[_Part]


def names() -> tuple[str, ...]:
    """What `load` knows."""
    files = (file.name for file in resources.files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in files if name.endswith(".json")))


def load(name: str) -> Run:
    """The publication as a run without a machine. Raises KeyError for a name that `names` does not hold."""
    if name not in names():
        raise KeyError(name)
    data = resources.files(__package__).joinpath(f"{name}.json").read_bytes()
    told = msgspec.json.decode(data, type=_Publication)
    cells = [cell for part in told.parts for cell in _cells(told, part)]
    first, second, *_ = (side.card for side in told.sides.values())
    header = RunRecord(
        schema=SCHEMA_VERSION, id=f"published-{name}", command=[], started=told.started, host=None, git=None,
        packages={}, cells_planned=len(cells),
        workload=WorkloadInfo(
            name=told.name, model_sha256="", inputs_sha256="", model=told.model, inputs=told.inputs, reference="",
            notes=told.notes,
        ),
        stated_ratios=[
            StatedRatio(above=first, below=second, batch=batch, printed=printed, source=part.source)
            for part in told.parts
            for batch, printed in part.ratios.items()
        ],
    )  # fmt: skip
    return Run(run=header, cells=cells)


def _cells(told: _Publication, part: _Part) -> list[CellRecord]:
    """Of one part: cells with latencies have derived FPS, the others those that are stated."""
    cells = []
    for line in part.latencies:
        side = told.sides[line.side]
        stated = Stated(
            mean_ms=line.mean_ms, median_ms=line.median_ms, min_ms=line.min_ms, max_ms=line.max_ms,
            percentiles_ms={} if line.p99_ms is None else {"99": line.p99_ms}, fps_per_card=line.fps_per_card,
        )  # fmt: skip
        settings = {} if line.total_compute_s is None else {"total compute time (s)": f"{line.total_compute_s:g}"}
        fps = derived_fps_per_card(side.chips, line.batch, line.mean_ms)
        cells.append(_cell(told, part, side, line.batch, settings, stated=stated, fps_per_card=fps))
    for name, rates in part.fps_per_card.items():
        side = told.sides[name]
        for batch, rate in rates.items():
            stated = Stated(fps_per_card=rate)
            cells.append(_cell(told, part, side, batch, {}, stated=stated, fps_per_card=rate, fps_basis="stated"))
    return cells


def _cell(
    told: _Publication, part: _Part, side: _Side, batch: int, settings: dict[str, str], **figures: Any
) -> CellRecord:
    identity = CellIdentity(
        workload=told.name, model_sha256="", inputs_sha256="", backend=side.tool, options={"source": part.source},
        card=side.card, device="", precision=side.precision, batch=batch, scope="compute",
    )  # fmt: skip
    digest = hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:8]
    return CellRecord(
        id=f"{told.name}-{side.tool}-{side.precision}-bs{batch}-published-{digest}", identity=identity,
        asked_precision=side.precision, status="ok", provenance="published", clock=side.clock, chips=side.chips,
        started=told.started, origin=Origin(
            tool=told.publication, version=part.versions.get(side.tool, ""), source=part.where, settings=settings,
            remarks=side.remarks,
        ), **figures,
    )  # fmt: skip
