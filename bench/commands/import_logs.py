"""`bench import TOOL LOG...`: logs of msame, ais_bench or trtexec as a run, beside those that bench measured."""

from __future__ import annotations

import argparse
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backends import cards
from bench.commands.folders import fresh_folder
from bench.commands.import_checks import batch_of, check_each_once, named_card, remarks_on, unlike
from bench.errors import ExitCode, UsageError
from bench.workloads.flops import stargan_flop_per_image
from reports.groups import mean_ms, median_ms
from reports.importers import LogError, Tool, ToolLog, read_log
from reports.records import (
    SCHEMA_VERSION,
    CellIdentity,
    CellRecord,
    Flags,
    LatencySummary,
    Origin,
    PrecisionName,
    RecordedPrecision,
    RunRecord,
    Samples,
    Stated,
    WorkloadInfo,
)
from reports.store import RunFileError, RunWriter
from reports.summary import derived_fps_per_card, summarise

_NOTE = "Imported from {tool}'s logs, not measured by this harness."
#: A tool's own average is remarked on when it is this far from that of the samples.
_FAR = 0.01


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The logs, and what they do not tell themselves. `batches` is empty, one for all, or one a file."""

    tool: Tool
    files: tuple[Path, ...]
    batches: tuple[int, ...]
    card: cards.Card
    workload: str
    precision: PrecisionName | None
    out: Path | None

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> ImportOptions:
        """Raises UsageError for a count of batch sizes that does not fit the files, or a card that is not clear."""
        batches = tuple(given.bs or ())
        if len(batches) > 1 and len(batches) != len(given.files):
            raise UsageError(
                f"--bs names {len(batches)} batch sizes for {len(given.files)} logs; give one for all, or one a log."
            )
        card = named_card(given.card)
        return cls(given.tool, tuple(given.files), batches, card, given.workload, given.precision, given.out)


def import_logs(options: ImportOptions, command: Sequence[str]) -> int:
    """Read every log before anything is written; then write the run and say what it holds. Raises UsageError."""
    try:
        told = [read_log(options.tool, path) for path in options.files]
    except LogError as error:
        raise UsageError(str(error)) from None
    check_each_once(options.files, told)
    started = datetime.now(UTC)
    cells: list[CellRecord] = []
    for number, (path, log) in enumerate(zip(options.files, told, strict=True)):
        given = options.batches[number if len(options.batches) > 1 else 0] if options.batches else None
        cell = _cell(options, path, log, batch_of(path, log, given), started)
        again = sum(other.id == cell.id for other in cells)
        cells.append(msgspec.structs.replace(cell, invocation=again))
    with fresh_folder(options.out, "import-") as folder:
        try:
            with RunWriter(folder / "run.jsonl", _header(options, command, cells, started)) as writer:
                for cell in cells:
                    writer.append(cell)
        except RunFileError as error:
            raise UsageError(str(error)) from None
    _show(cells, folder)
    return ExitCode.DONE


def _cell(options: ImportOptions, path: Path, log: ToolLog, batch: int, started: datetime) -> CellRecord:
    precision, remarks = _precision(options, log)
    samples = _samples(log)
    latency = summarise(samples) if samples else None
    mean = latency.mean_ms if latency else log.stated.mean_ms
    if mean is None:
        raise UsageError(f"{path} tells no mean latency; run {log.tool} again.")
    if latency and log.stated.mean_ms and abs(log.stated.mean_ms - mean) > _FAR * mean:
        remarks.append(
            f"{log.tool} states a mean of {log.stated.mean_ms:g} ms; the samples after the start that was not steady"
            f" give {mean:.4g} ms"
        )
    remarks += remarks_on(path, log, options.card, options.workload, batch)

    def fps(latency_ms: float | None) -> float | None:
        return derived_fps_per_card(options.card.chips, batch, latency_ms) if latency_ms else None

    identity = CellIdentity(
        workload=options.workload, model_sha256="", inputs_sha256="", backend=log.tool, options={},
        card=options.card.name, device="", precision=precision, batch=batch, scope="compute",
    )  # fmt: skip
    digest = hashlib.sha256(msgspec.json.encode([identity, log.clock])).hexdigest()[:8]
    return CellRecord(
        id=f"{options.workload}-{log.tool}-{precision}-bs{batch}-imported-{digest}", identity=identity,
        asked_precision=precision, status="ok", provenance="imported", clock=log.clock, chips=options.card.chips,
        started=started.isoformat(timespec="seconds"), samples=samples, latency=latency, fps_per_card=fps(mean),
        fps_low=fps(latency.mean_high_ms) if latency else None, fps_high=fps(latency.mean_low_ms) if latency else None,
        flags=_flags(latency), stated=_stated(log, batch),
        origin=Origin(
            tool=log.tool, version=log.version, source=path.name, command=log.command, model=log.model,
            sha256=log.sha256, shapes=log.shapes, settings=log.settings | ({"card": log.device} if log.device else {}),
            remarks=[*log.remarks, *remarks],
        ),
    )  # fmt: skip


def _stated(log: ToolLog, batch: int) -> Stated:
    """As the log states it, with its batches a second as images, now that the batch size is known."""
    if log.batches_per_s is None:
        return log.stated
    return msgspec.structs.replace(log.stated, fps=log.batches_per_s * batch)


def _precision(options: ImportOptions, log: ToolLog) -> tuple[RecordedPrecision, list[str]]:
    """As the log tells it, else as the user says; fp32 is only that on a card without TF32."""
    told: RecordedPrecision = log.precision
    if told == "fp32" and log.tf32_allowed and cards.has_tf32(options.card) is not False:
        told = "unknown"
    if options.precision is None:
        if told != log.precision:
            return told, ["fp32 or TF32: the log does not say --noTF32"]
        if told == "unknown" and log.tool != "trtexec":
            return told, ["the log tells no precision; if atc's default was kept, import it with --precision fp16"]
        return told, []
    if told not in ("unknown", options.precision):
        raise UsageError(f"--precision {options.precision}: the log says {told}; leave --precision out.")
    remark = (
        [] if told == options.precision else [f"that it computed in {options.precision} is the word of who imported it"]
    )
    return options.precision, remark


def _samples(log: ToolLog) -> Samples | None:
    if not log.samples_ms:
        return None
    return Samples(
        samples_ns=[max(1, round(value * 1e6)) for value in log.samples_ms], warmup_ns=[], group=1, stop="not told",
        overhead_ns=None,
    )  # fmt: skip


def _flags(latency: LatencySummary | None) -> Flags | None:
    """What the samples themselves show; the rest another tool did not find out."""
    if latency is None:
        return None
    return Flags(
        steady=latency.steady, converged=latency.converged, throttled=None, overhead_ok=None, placement_ok=None,
        accuracy=None,
    )  # fmt: skip


def _header(options: ImportOptions, command: Sequence[str], cells: list[CellRecord], started: datetime) -> RunRecord:
    stargan = options.workload == "stargan"
    return RunRecord(
        schema=SCHEMA_VERSION, id=f"{started:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}", command=list(command),
        started=started.isoformat(timespec="seconds"), host=None, git=None, packages={}, cells_planned=len(cells),
        folder=str(Path.cwd()),
        workload=WorkloadInfo(
            name=options.workload, model_sha256="", inputs_sha256="", model="", inputs="", reference="",
            notes=[_NOTE.format(tool=options.tool)],
            flop_per_image=stargan_flop_per_image() if stargan else None,
        ),
    )  # fmt: skip


def _show(cells: list[CellRecord], folder: Path) -> None:
    table = Table(title=f"{cells[0].identity.workload} on {escape(cells[0].identity.card)}", title_justify="left")
    for name in ("log", "bs", "precision", "mean ms", "median ms", "samples", "FPS/card"):
        table.add_column(name, justify="left" if name in ("log", "precision") else "right", overflow="fold")
    for cell in cells:
        median, mean = median_ms(cell), mean_ms(cell)
        count = cell.latency.count if cell.latency else cell.stated and cell.stated.count
        table.add_row(
            escape(cell.origin.source if cell.origin else ""), str(cell.identity.batch), cell.identity.precision,
            f"{mean:.6g}" if mean else "-", f"{median:.6g}" if median else "-", str(count or "-"),
            f"{cell.fps_per_card:.6g}" if cell.fps_per_card else "-",
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    for note in [*_notes(cells), *unlike(cells)]:
        console.print(escape(f"note: {note}"), soft_wrap=True)
    print(f"imported: {folder / 'run.jsonl'}; a report of it: python -m bench report {folder}")


def _notes(cells: Sequence[CellRecord]) -> list[str]:
    """Every remark once, after the names of the logs that it is on, or without them if it is on all."""
    on: dict[str, list[str]] = {}
    for cell in cells:
        for remark in cell.origin.remarks if cell.origin else []:
            on.setdefault(remark, []).append(cell.origin.source if cell.origin else "")
    return [
        remark if len(sources) == len(cells) else f"{', '.join(sources)}: {remark}" for remark, sources in on.items()
    ]
