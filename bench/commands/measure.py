"""What a new run and a resumed one have in common: the plan, measuring it, and what is left behind."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bench.commands.options import RunOptions
from bench.commands.report import report_of_run
from bench.commands.runs import read_run
from bench.compiled import digest
from bench.errors import ExitCode, UsageError
from bench.locks import hold
from bench.placement import lock_names
from bench.plan import CellTask, make_cells
from bench.process import take_charge
from bench.progress import RunDisplay
from bench.runner import prepare, run_cells
from bench.selection import Selection, check_compiled, select
from bench.workloads.base import Materials
from reports import store
from reports.records import Run


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is to be measured, with its files at hand."""

    materials: Materials
    cells: list[CellTask]
    #: what the user is to know before the figures come
    notes: list[str]


def choose(options: RunOptions) -> Selection:
    """What can be measured here; tells about the rest. Raises UsageError."""
    selection = select(options.backends, options.wanted())
    for skipped in selection.skipped:
        print(f"bench: {skipped.backend} is not usable here: {skipped.reason}", file=sys.stderr)
    if not selection.variants and not options.backends:
        print("bench: no backend is usable here; see: python -m bench backends", file=sys.stderr)
    known = sorted({name for variant in selection.variants for name in (variant.backend, variant.label())})
    if selection.variants and options.baseline is not None and options.baseline not in known:
        raise UsageError(f"--baseline {options.baseline}: this run measures {', '.join(known)}; name one of these.")
    check_compiled(options.workload.compiled, [variant.backend for variant in selection.variants])
    return selection


@contextmanager
def planned(options: RunOptions, selection: Selection, display: RunDisplay) -> Iterator[Plan]:
    """The plan, while the devices that it needs are this run's alone. Raises UsageError."""
    take_charge()
    with hold(lock_names(selection.variants), options.lock_timeout_s, display.note):
        materials = prepare(options.workload, options.batches, options.cache, options.phase_limits, display.preparing)
        info = replace(materials.info, compiled_sha256=digest(options.workload.compiled))
        materials = replace(materials, info=info)
        cells = make_cells(
            options.workload, (materials.info.model_sha256, materials.info.inputs_sha256), selection.variants,
            options.batches, options.precisions, options.scopes, options.limits, options.invocations,
        )  # fmt: skip
        display.expect(len(cells))
        yield Plan(materials, cells, [*selection.notes, *materials.info.notes])


def measure(
    plan: Plan,
    writer: store.RunWriter,
    options: RunOptions,
    display: RunDisplay,
    done: Collection[tuple[str, int]] = (),
) -> bool:
    """Measure what is not `done`; True when Ctrl-C ended it early. Raises UsageError when the disk is full."""
    # Only now: what refuses the plan is to be the one line that the user reads.
    for note in plan.notes:
        display.note(f"note: {note}")
    try:
        run_cells(plan.cells, plan.materials, writer, options.phase_limits, display, done)
    except KeyboardInterrupt:
        return True
    except store.RunFileError as error:
        raise UsageError(str(error)) from None
    return False


def finish(folder: Path, options: RunOptions, interrupted: bool) -> ExitCode:
    """Write and show the report of what lies in the folder; the exit status."""
    measured = read_run(folder)
    report_of_run(measured, folder, options.baseline, options.include_flagged, options.plots)
    if interrupted:
        print(
            f"bench: interrupted; {len(measured.cells)} of {measured.run.cells_planned} cells were measured and kept;"
            f" go on with: python -m bench --resume {folder}",
            file=sys.stderr,
        )
        return ExitCode.INTERRUPTED
    return _exit_code(measured)


def _exit_code(run: Run) -> ExitCode:
    """2 when no cell has a figure, 1 when some outputs are wrong, else 0."""
    if any(cell.status == "wrong" for cell in run.cells):
        return ExitCode.NO
    if not any(cell.status == "ok" for cell in run.cells):
        return ExitCode.USAGE
    return ExitCode.DONE
