"""`bench run`: measure what was asked for, and leave run.jsonl, report.md, cells.csv and plots in one folder."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backends.base import Device, Precision, Scope
from bench.commands.report import canonical_label, read_run, show_tables, write_report
from bench.environment import describe_host, git_state, package_versions
from bench.errors import ExitCode, UsageError
from bench.plan import CellTask, WorkloadSpec, make_cells
from bench.progress import RunDisplay
from bench.runner import prepare, run_cells
from bench.selection import BackendRequest, Selection, select
from bench.stopping import Limits
from bench.workloads.base import Materials
from reports import store
from reports.records import SCHEMA_VERSION, Run, RunRecord


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `run`, checked as far as they can be without touching a runtime."""

    backends: list[BackendRequest]
    workload: WorkloadSpec
    batches: list[int]
    precisions: list[Precision]
    scopes: list[Scope]
    device: Device | None
    limits: Limits
    out: Path | None
    baseline: str | None
    cache: Path

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> RunOptions:
        """Raises UsageError for options that contradict each other, or name something unknown."""
        workload = given.workload or ("onnx" if given.model else "stargan")
        if given.quick and given.max_time is not None:
            raise UsageError("--quick and --max-time contradict each other; give one of them.")
        for option, value, owner in (
            ("--weights", given.weights, "stargan"), ("--data", given.data, "stargan"),
            ("--attributes", given.attributes, "stargan"), ("--model", given.model, "onnx"),
            ("--shape", given.shape, "onnx"),
        ):  # fmt: skip
            if value and workload != owner:
                raise UsageError(f"{option} belongs to --workload {owner}, not to {workload}; leave one of them out.")
        try:
            device = Device.parse(given.device) if given.device else None
        except ValueError as error:
            raise UsageError(f"--device: {error}.") from None
        limits = Limits.quick() if given.quick else Limits.within(given.max_time or Limits().max_time_s)
        return cls(
            backends=[BackendRequest.parse(text) for text in given.backend],
            workload=WorkloadSpec(
                name=workload, weights=given.weights, model=given.model, data=given.data,
                attributes=given.attributes, shapes=dict(given.shape),
            ),
            batches=list(dict.fromkeys(given.bs or (1, 4, 8, 16))),
            precisions=[Precision(name) for name in dict.fromkeys(given.precision or ('fp32',))],
            scopes=[Scope(name) for name in dict.fromkeys(given.scope or ('compute',))],
            device=device, limits=limits, out=given.out, baseline=given.baseline and canonical_label(given.baseline),
            cache=_cache_folder(given.cache),
        )  # fmt: skip


def _cache_folder(given: Path | None) -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    try:
        return (given or (Path(root) if root else Path("~/.cache")) / "bench").expanduser()
    except RuntimeError:
        raise UsageError("no home folder is known to keep the cache in; name a folder with --cache.") from None


def run(options: RunOptions, command: Sequence[str]) -> int:
    """Measure and report; returns the exit status. Raises UsageError before anything is measured."""
    selection = select(options.backends, options.device, options.precisions, options.scopes)
    for skipped in selection.skipped:
        print(f"bench: {skipped.backend} is not usable here: {skipped.reason}", file=sys.stderr)
    if not selection.variants:
        if not options.backends:
            print("bench: no backend is usable here; see: python -m bench backends", file=sys.stderr)
        return ExitCode.USAGE
    _check_baseline(options.baseline, selection)
    with _output_folder(options.out) as folder, RunDisplay() as display:
        materials = prepare(options.workload, options.batches, options.cache, display)
        for note in materials.info.notes:
            display.note(f"note: {note}")
        cells = make_cells(
            options.workload, (materials.info.model_sha256, materials.info.inputs_sha256), selection.variants,
            options.batches, options.precisions, options.scopes, options.limits,
        )  # fmt: skip
        display.expect(len(cells))
        header = _header(command, materials, len(cells), selection)
        interrupted = _measure(folder, header, cells, materials, display)
    measured = read_run(folder)
    report = write_report(measured, folder, options.baseline)
    show_tables(measured, options.baseline)
    print(f"report: {report}")
    if interrupted:
        print(
            f"bench: interrupted; {len(measured.cells)} of {len(cells)} cells were measured and kept", file=sys.stderr
        )
        return ExitCode.INTERRUPTED
    return _exit_code(measured)


def _check_baseline(baseline: str | None, selection: Selection) -> None:
    known = sorted({name for variant in selection.variants for name in (variant.backend, variant.label())})
    if baseline is not None and baseline not in known:
        raise UsageError(f"--baseline {baseline}: this run measures {', '.join(known)}; name one of these.")


@contextlib.contextmanager
def _output_folder(out: Path | None) -> Iterator[Path]:
    """A new or empty folder for the results, made now so that a bad place is known before minutes are spent.

    Removed again if this call made it and nothing was written into it. Raises UsageError.
    """
    folder = out or Path("runs") / datetime.now().strftime("%Y%m%d-%H%M%S")
    try:
        existed = folder.exists()
        if existed and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty and nothing in it is overwritten; name another folder with --out.")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write in {folder}: {error.strerror}; name a writable folder with --out.") from None
    try:
        yield folder
    finally:
        if not existed:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only succeeds while it is empty


def _header(command: Sequence[str], materials: Materials, planned: int, selection: Selection) -> RunRecord:
    now = datetime.now(UTC)
    return RunRecord(
        schema=SCHEMA_VERSION,
        id=f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}",
        command=list(command),
        started=now.isoformat(timespec="seconds"),
        host=describe_host(),
        git=git_state(),
        packages=package_versions(),
        workload=materials.info,
        cells_planned=planned,
        skipped=selection.skipped,
    )


def _measure(
    folder: Path, header: RunRecord, cells: Sequence[CellTask], materials: Materials, display: RunDisplay
) -> bool:
    """Write the run file; True when Ctrl-C ended it early. Raises UsageError when the disk is full."""
    try:
        with store.RunWriter(folder / "run.jsonl", header) as writer:
            try:
                run_cells(cells, materials, writer, display)
            except KeyboardInterrupt:
                return True
    except store.RunFileError as error:
        raise UsageError(str(error)) from None
    return False


def _exit_code(run: Run) -> ExitCode:
    """2 when no cell has a figure, 1 when some outputs are wrong, else 0."""
    if any(cell.status == "wrong" for cell in run.cells):
        return ExitCode.NO
    if not any(cell.status == "ok" for cell in run.cells):
        return ExitCode.USAGE
    return ExitCode.DONE
