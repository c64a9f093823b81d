"""`bench report`: the report of a run file, with its plots, beside it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bench.errors import ExitCode, UsageError
from reports import markdown, plots, store, table, terminal
from reports.records import Run


def write_report(run: Run, folder: Path, baseline: str | None) -> Path:
    """Write report.md, cells.csv and the plots into `folder`; returns the report's path. Raises UsageError."""
    try:
        drawn = plots.draw(run, folder)
        text = markdown.render(run, drawn, baseline)
        table.frame(run).to_csv(folder / "cells.csv", index=False)
        path = folder / "report.md"
        path.write_text(text, encoding="utf-8")
    except markdown.UnknownBaseline as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(
            f"cannot write the report in {folder}: {error.strerror or error}; free some space, then run:"
            f" python -m bench report {folder}"
        ) from error
    return path


def show_tables(run: Run, baseline: str | None) -> None:
    """The main tables on standard output."""
    console = Console(highlight=False)
    for rendered in terminal.tables(run, baseline):
        console.print(rendered)


def rewrite_report(path: Path, baseline: str | None) -> int:
    """Read a run and write its report again. Raises UsageError."""
    try:
        run = store.read(path)
    except store.RunFileError as error:
        raise UsageError(str(error)) from None
    folder = path if path.is_dir() else path.parent
    report = write_report(run, folder, baseline)
    show_tables(run, baseline)
    print(f"report: {report}")
    return ExitCode.DONE
