"""`bench report`: the report of a run file, with its plots, beside it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from backends import registry
from bench.errors import ExitCode, UsageError
from reports import markdown, pictures, plots, store, table, terminal
from reports.files import atomic_path
from reports.records import Run

_RUN_FILE = "run.jsonl"


def canonical_label(text: str) -> str:
    """A backend label with its alias resolved: `ov:threads=1` -> `openvino:threads=1`. Raises UsageError."""
    name, colon, options = text.partition(":")
    try:
        return registry.canonical_name(name) + colon + ",".join(sorted(options.split(",")))
    except registry.UnknownBackend as error:
        raise UsageError(f"--baseline: {error}") from None


def read_run(path: Path) -> Run:
    """Read a run folder or file. Raises UsageError."""
    try:
        return store.read(path)
    except store.RunFileError as error:
        raise UsageError(str(error)) from None


def write_report(
    run: Run,
    folder: Path,
    baseline: str | None,
    include_flagged: bool = False,
    source: str = _RUN_FILE,
    with_plots: bool = True,
) -> Path:
    """Write report.md, cells.csv and the plots into `folder`, each whole or not at all; returns the report's path.

    Beside a run file `source` of another name than run.jsonl, they are named after it: `a-report.md` for `a.jsonl`.
    Raises UsageError, for an unknown baseline or a report that is not ours before anything is written.
    """
    prefix = "" if source == _RUN_FILE else f"{Path(source).stem}-"
    path = folder / f"{prefix}report.md"
    try:
        names = (*plots.names(run, prefix), *pictures.names(run, prefix)) if with_plots else ()
        drawn = [folder / name for name in names]
        text = markdown.render(run, drawn, baseline, include_flagged, source)
        _refuse_foreign(path)
        if with_plots:
            plots.draw(run, folder, prefix)
            pictures.draw(run, folder, prefix)
        with atomic_path(folder / f"{prefix}cells.csv") as csv:
            table.frame(run).to_csv(csv, index=False)
        with atomic_path(path) as report:
            report.write_text(text, encoding="utf-8")
    except markdown.UnknownBaseline as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(
            f"cannot write the report in {folder}: {error.strerror or error}; free some space, then run:"
            f" python -m bench report {folder if source == _RUN_FILE else folder / source}"
        ) from error
    return path


def _refuse_foreign(path: Path) -> None:
    """Raise UsageError for a file that bench did not write; OSError where it cannot be read."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline(1000).rstrip()
    older = first.startswith("# ") and first.endswith(": latency and FPS per card")
    if first != markdown.MARK and not older:
        raise UsageError(f"{path} was not written by bench and is not overwritten; move it away, or the run file.")


def show_tables(run: Run, baseline: str | None, include_flagged: bool = False) -> None:
    """The main tables on standard output."""
    console = Console(highlight=False)
    for rendered in terminal.tables(run, baseline, include_flagged):
        console.print(rendered)
    for line in terminal.remarks(run):
        console.print(escape(line), soft_wrap=True)


def rewrite_report(path: Path, baseline: str | None, include_flagged: bool = False) -> int:
    """Read a run and write its report again. Raises UsageError."""
    run = read_run(path)
    file = store.run_file(path)
    label = canonical_label(baseline) if baseline else None
    report = write_report(run, file.parent, label, include_flagged, file.name)
    show_tables(run, label, include_flagged)
    print(f"report: {report}")
    return ExitCode.DONE
