"""`bench report`: one report of any mix of runs - markdown, HTML, plots, CSV - and its main tables on the terminal."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from backends import cards, registry
from bench.commands.runs import PUBLISHED, RUN_FILE, read_runs
from bench.errors import ExitCode, UsageError
from reports import frame, html, language, markdown, pictures, plots, store, terminal
from reports.files import atomic_path
from reports.page import Page, Request, UnknownBaseline
from reports.ratios import Side, why_none
from reports.records import Run
from reports.roofline import CardLimits

#: A column that every table of cells has had.
_CSV_COLUMN = "provenance"


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The options of `report`."""

    runs: list[str]
    out: Path | None
    baseline: str | None
    ratio: str | None
    include_flagged: bool
    plots: bool
    language: str

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> ReportOptions:
        if given.baseline and given.ratio:
            raise UsageError("--baseline and --ratio contradict each other; give one of them.")
        out: Path | None = given.out
        if out is not None and out.suffix != ".md":
            raise UsageError(f"-o {out}: a report is a .md file (its HTML and plots lie beside it); name one.")
        return cls(
            runs=given.runs, out=out, baseline=given.baseline and _any_label(given.baseline), ratio=given.ratio,
            include_flagged=given.include_flagged, plots=not given.no_plots, language=given.lang,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Where a report goes: its own path; everything beside it is named after it, unless it is called report.md."""

    path: Path

    @property
    def prefix(self) -> str:
        return "" if self.path.name == "report.md" else f"{self.path.stem.removesuffix('-report')}-"


def canonical_label(text: str) -> str:
    """A backend label with its alias resolved: `ov:threads=1` -> `openvino:threads=1`. Raises UsageError."""
    name, colon, options = text.partition(":")
    try:
        return registry.canonical_name(name) + colon + ",".join(sorted(options.split(",")))
    except registry.UnknownBackend as error:
        raise UsageError(f"--baseline: {error}") from None


def _any_label(text: str) -> str:
    """As `canonical_label`; a name of no backend may be that of a tool whose logs were imported."""
    try:
        return canonical_label(text)
    except UsageError:
        return text


def sides(text: str) -> tuple[Side, Side]:
    """`Ascend 310/T4` as the two sides of a ratio; cards may be named as people name them. Raises UsageError."""
    above, slash, below = (part.strip() for part in text.partition("/"))
    if not slash or not above or not below or "/" in below:
        raise UsageError(f'--ratio {text!r} is no ratio; write two cards or backends, such as "Ascend 310/T4".')
    both = _side(above), _side(below)
    if both[0].names & both[1].names:
        raise UsageError(f"--ratio {text!r} names one thing twice; write two cards or backends that differ.")
    return both


def _side(text: str) -> Side:
    names = {text}
    card = cards.resolve(text)
    if card is not None:
        names.add(card.name)
    name, colon, options = text.partition(":")
    with contextlib.suppress(registry.UnknownBackend):  # a card's name, or an imported tool's
        names.add(registry.canonical_name(name) + colon + options)
    return Side(text, frozenset(names))


def card_limits(runs: Sequence[Run]) -> dict[str, CardLimits]:
    """What the catalogue's cards among those of the runs can do at most."""
    names = {cell.identity.card for run in runs for cell in run.cells}
    found = {name: cards.resolve(name) or cards.find(name) for name in names}
    return {
        name: CardLimits(peak_flops=card.peak_flops, bandwidth=card.bandwidth, sources=(card.source,))
        for name, card in found.items()
        if card.peak_flops
    }


def write_report(page: Page, target: Target, advice: str, with_plots: bool = True, words: str = "en") -> Path:
    """Write the report, its HTML, cells.csv and the plots, each whole or not at all; returns the report's path.

    `advice` is what to do where they cannot be written. Raises UsageError, for an unknown baseline or a file that is
    not ours before anything is written.
    """
    folder, prefix = target.path.parent, target.prefix
    web, table = target.path.with_suffix(".html"), folder / f"{prefix}cells.csv"
    try:
        names = (*plots.names(page, prefix), *pictures.names(page, prefix)) if with_plots else ()
        text = language.translate(markdown.render(page, [folder / name for name in names]), words)
        folder.mkdir(parents=True, exist_ok=True)
        for path in (target.path, web, table):
            _refuse_foreign(path)
        if with_plots:
            plots.draw(page, folder, prefix)
            pictures.draw(page, folder, prefix)
        with atomic_path(table) as csv:
            frame.frame(page.runs).to_csv(csv, index=False)
        with atomic_path(target.path) as report:
            report.write_text(text, encoding="utf-8")
        with atomic_path(web) as report:
            report.write_text(html.page(text, folder, f"{', '.join(page.workloads)}: report", words), encoding="utf-8")
    except UnknownBaseline as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot write the report in {folder}: {error.strerror or error}; {advice}") from error
    return target.path


def _refuse_foreign(path: Path) -> None:
    """Raise UsageError for a file that bench did not write; OSError where it cannot be read."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline(1000).rstrip()
    older = first.startswith("# ") and first.endswith(": latency and FPS per card")
    ours = _CSV_COLUMN in first.split(",") if path.suffix == ".csv" else first == markdown.MARK or older
    if not ours:
        raise UsageError(f"{path} was not written by bench and is not overwritten; move it away, or the run file.")


def report_of_run(run: Run, folder: Path, baseline: str | None, include_flagged: bool, with_plots: bool) -> None:
    """Write and show the report of one run in its own folder. Raises UsageError."""
    request = Request(baseline=baseline, include_flagged=include_flagged, limits=card_limits([run]))
    page = Page([run], request)
    advice = f"free some space, then run: python -m bench report {shlex.quote(str(folder))}"
    show(page, write_report(page, Target(folder / "report.md"), advice, with_plots))


def show(page: Page, path: Path) -> None:
    """The main tables on standard output, and where the report is."""
    console = Console(highlight=False)
    for rendered in terminal.tables(page):
        console.print(rendered)
    for line in terminal.remarks(page):
        console.print(escape(line), soft_wrap=True)
    print(f"report: {path} (and {path.with_suffix('.html').name})")


def report(options: ReportOptions) -> int:
    """Read all runs and write one report. Raises UsageError, where there is nothing to compare after the writing."""
    found = read_runs(options.runs)
    ratio = sides(options.ratio) if options.ratio else None
    target = _target(options)
    request = Request(
        baseline=options.baseline, ratio=ratio, include_flagged=options.include_flagged, notes=found.notes,
        sources=tuple(_beside(source, target) for source in found.sources), limits=card_limits(found.runs),
    )  # fmt: skip
    page = Page(found.runs, request)
    show(page, write_report(page, target, "name another file with -o.", options.plots, options.language))
    if ratio and not page.comparable():
        reasons = dict.fromkeys(why_none(table, *ratio) for table in page.tables)
        raise UsageError(f"--ratio {options.ratio}: there is nothing to compare: {' '.join(reasons)}")
    return ExitCode.DONE


def _beside(source: str, target: Target) -> str:
    """The name of a run file that lies beside the report, else its path as it was given."""
    path = Path(source)
    return path.name if path.is_file() and path.resolve().parent == target.path.resolve().parent else source


def _target(options: ReportOptions) -> Target:
    """As asked for; else beside a single run's file, else in a folder of its own."""
    if options.out:
        return Target(options.out)
    if len(options.runs) == 1 and not options.runs[0].startswith(PUBLISHED):
        file = store.run_file(Path(options.runs[0]))
        if file.is_file():
            prefix = "" if file.name == RUN_FILE else f"{file.stem}-"
            return Target(file.parent / f"{prefix}report.md")
    return Target(Path("runs") / f"report-{datetime.now():%Y%m%d-%H%M%S}" / "report.md")
