"""`bench check` of two sides that are measured now, in turns, in fresh processes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bench.commands.check_options import SIDES, CheckOptions
from bench.commands.folders import fresh_folder
from bench.commands.stored_check import exit_code
from bench.errors import ExitCode, UsageError
from bench.process import take_charge
from bench.regression.display import CheckDisplay
from bench.regression.opening import FILES, Opened, Work, open_commands, open_environments
from bench.regression.pairs import Interleaved
from reports import paired, verdicts
from reports.files import atomic_path
from reports.records import RunRecord
from reports.regression import Check, run_procedure
from reports.store import RunFileError, read_all

PAGE = "check.md"


def check(options: CheckOptions, command: Sequence[str]) -> int:
    """Measure both sides, judge, show and write the verdicts; the exit status. Raises UsageError."""
    take_charge()
    with fresh_folder(options.out, "check-") as folder:
        try:
            found = _measured(options, folder, command)
            _show(found, folder, options)
        except RunFileError as error:
            raise UsageError(str(error)) from None
        except KeyboardInterrupt:
            kept = [name for name in FILES.values() if (folder / name).exists()]
            what = f"what was measured is in {folder} ({', '.join(kept)})" if kept else "nothing was measured"
            print(f"bench: interrupted; {what}, and no verdict is built on it", file=sys.stderr)
            return ExitCode.INTERRUPTED
        _write_verdicts(found, options)
    return exit_code(found)


def _measured(options: CheckOptions, folder: Path, command: Sequence[str]) -> Check:
    """Every row's verdict. KeyboardInterrupt passes through; what was complete by then is in the folder."""
    with CheckDisplay() as display, _opened(options, folder, command, display) as sides:
        measure = Interleaved(sides.base, sides.new, sides.together, display, sides.unmeasurable, sides.duo)
        found = run_procedure(sides.rows, measure, options.rule)
    notes = [*measure.remarks]
    if options.same:
        notes.append(
            "Both sides are the same: whatever differs is noise, and this check tells what this machine can tell apart."
        )
    return replace(found, notes=tuple(notes))


@contextlib.contextmanager
def _opened(options: CheckOptions, folder: Path, command: Sequence[str], display: CheckDisplay) -> Iterator[Opened]:
    if options.commands:
        with open_commands(options.commands, folder, display.preparing, display.note) as sides:
            yield sides
        return
    work = Work(folder, options.cache, options.phase_limits, options.lock_timeout_s, command, options.turns)
    with open_environments(
        options.environments, options.grid, options.device, work, display.preparing, display.note
    ) as sides:
        yield sides


def _show(found: Check, folder: Path, options: CheckOptions) -> None:
    """The table and what it means on standard output; the same as a page. Raises UsageError."""
    console = Console(highlight=False)
    console.print(paired.table(found, console.width))
    for line in paired.sentences(found):
        console.print(escape(line), soft_wrap=True)
    sides = [paired.SideTold(name, options.told(name), FILES[name], _header(folder / FILES[name])) for name in SIDES]
    try:
        with atomic_path(folder / PAGE) as page:
            page.write_text(paired.markdown(found, sides), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {folder / PAGE}: {error.strerror or error}; free some space.") from None
    print(f"check: {folder / PAGE}; every invocation is in {' and '.join(FILES.values())} beside it")


def _header(path: Path) -> RunRecord | None:
    return read_all(path, with_samples=False)[0].run if path.exists() else None


def _write_verdicts(found: Check, options: CheckOptions) -> None:
    """What machines read: JUnit, annotations, the job's summary, JSON. Raises UsageError."""
    files = options.files
    try:
        verdicts.write_all(found, files.junit, files.github_benchmark, files.bencher, files.annotate, os.environ)
    except verdicts.VerdictFileError as error:
        raise UsageError(str(error)) from None
