"""`bench history`: what every cell's figures have been over time, as plots, a table, and history.csv."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bench.errors import ExitCode, UsageError
from reports import collection, history, stored
from reports.history import plots, tables
from reports.store import RunFileError

_CSV = "history.csv"


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """Folders or files of runs; plots and history.csv go to `out`, nowhere if it is None."""

    folders: tuple[Path, ...]
    out: Path | None
    include_flagged: bool
    plots: bool

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> HistoryOptions:
        return cls(
            folders=tuple(given.folders), out=given.out, include_flagged=given.include_flagged,
            plots=not given.no_plots,
        )  # fmt: skip


def show_history(options: HistoryOptions) -> int:
    """Show the table and write the files. Raises UsageError where there is no run, or files cannot be written."""
    try:
        collected = collection.collect(options.folders, every_file=True)
        series = history.all_series(collected.runs)
        changes = history.changes(collected.runs)
    except (RunFileError, stored.StartError) as error:
        raise UsageError(str(error)) from None
    if not any(point.latency for one in series for point in one.points):
        raise UsageError(f"none of the {len(collected.runs)} runs holds a figure; measure with: python -m bench run")
    written = _write(options, series, changes) if options.out else []
    console = Console(highlight=False)
    console.print(tables.table(series, options.include_flagged))
    for line in [*tables.notes(series, options.include_flagged), *collected.warnings]:
        console.print(escape(line), soft_wrap=True)
    for path in written:
        print(f"written: {path}")
    return ExitCode.DONE


def _write(options: HistoryOptions, series: list[history.Series], changes: list[history.Change]) -> list[Path]:
    folder = options.out
    assert folder is not None
    try:
        tables.write_csv(folder / _CSV, series)
        drawn = plots.draw(series, changes, folder) if options.plots else []
    except OSError as error:
        raise UsageError(f"cannot write in {folder}: {error.strerror or error}; name another folder with -o.") from None
    return [folder / _CSV, *drawn]
