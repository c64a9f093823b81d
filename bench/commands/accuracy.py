"""`bench accuracy`: are the pictures that an engine made those of the reference? Image by image, over whole folders."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backends.base import Precision
from bench.commands.folders import fresh_folder
from bench.comparison.sides import Agreement, Side, agree
from bench.comparison.work import compare_images, read_pictures
from bench.comparison.worst import draw_worst
from bench.errors import ExitCode, UsageError
from bench.progress import counted
from datasets.errors import DatasetError
from reports.comparison import FolderComparison, metric_rows, write_csv
from reports.files import atomic_path
from reports.markdown.comparison import render
from reports.records import PrecisionName

#: The two roles, and the folders of translations that were made for a comparison.
REFERENCE, CANDIDATE = "reference", "candidate"
_REPORT, _IMAGES, _WORST = "accuracy.md", "images.csv", "worst.png"


@dataclass(frozen=True, slots=True)
class AccuracyOptions:
    """What to compare; None where the folders are to tell it.

    `dtype` (float32, float16) is what .bin files hold that bench did not write; `images` are real ones, the rest of
    the last batch is padding. `command` is the command line, for the report.
    """

    reference: Path
    candidate: Path
    batch: int | None
    precision: str | None
    dtype: str
    images: int | None
    out: Path | None
    command: tuple[str, ...] = ()


def compare_folders(options: AccuracyOptions) -> int:
    """Compare, report on standard output and in a new folder; 0 passed, 1 not. Raises UsageError."""
    precision = _known(options.precision)
    with fresh_folder(options.out, "accuracy-", (REFERENCE, CANDIDATE)) as folder:
        try:
            agreement = agree(
                Side.find("reference", options.reference, options.dtype),
                Side.find("candidate", options.candidate, options.dtype),
                options.batch, precision, options.images,
            )  # fmt: skip
            started = datetime.now().astimezone().isoformat(timespec="seconds")
            with counted("pairs compared", agreement.pairs) as show:
                accuracy = compare_images(agreement, show)
            comparison = FolderComparison(
                reference=agreement.reference.told(), candidate=agreement.candidate.told(),
                precision=agreement.precision, numbering=agreement.numbering, accuracy=accuracy,
                padding=agreement.padding, notes=agreement.notes, started=started, command=shlex.join(options.command),
            )  # fmt: skip
            _write(folder, comparison, agreement)
        except DatasetError as error:
            raise UsageError(f"{error}.") from None
    _show(comparison)
    print(f"report: {folder / _REPORT}")
    return ExitCode.DONE if comparison.verdict().passed else ExitCode.NO


def _known(precision: str | None) -> PrecisionName | None:
    names = [known.value for known in Precision]
    if precision is not None and precision not in names:
        raise UsageError(f"--precision {precision}: unknown; name one of {', '.join(names)}.")
    return cast(PrecisionName | None, precision)


def _write(folder: Path, comparison: FolderComparison, agreement: Agreement) -> None:
    """All files, or none of them. Raises UsageError for a full disk."""
    paths = [folder / name for name in (_IMAGES, _WORST, _REPORT)]
    try:
        write_csv(paths[0], comparison)
        pictures = [(image, *read_pictures(agreement, image.number)) for image in comparison.worst(4)]
        draw_worst(paths[1], comparison, pictures)
        with atomic_path(paths[2]) as report:
            report.write_text(render(comparison, _WORST), encoding="utf-8")
    except BaseException as error:
        for path in paths:
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UsageError(
                f"cannot write in {folder}: {error.strerror or error}; free some space, or name another --out."
            ) from None
        raise


def _show(comparison: FolderComparison) -> None:
    """The totals and the verdict on standard output."""
    console = Console(highlight=False)
    if comparison.simulated:
        console.print("[bold]SIMULATED: some of these pictures come from a test double, not from a device.[/]")
    rows = metric_rows(comparison)
    if rows:
        console.print(_table(comparison, [(row.metric, row.total, row.worst, row.worst_name, row.best, row.limit)
                                          for row in rows]))  # fmt: skip
    for note in comparison.notes:
        console.print(escape(note), soft_wrap=True)
    colour = "green" if comparison.verdict().passed else "red"
    first, _, rest = comparison.sentence().partition(" ")
    console.print(f"[{colour}]{escape(first)}[/] {escape(rest)}", soft_wrap=True)


def _table(comparison: FolderComparison, rows: Sequence[tuple[str, ...]]) -> Table:
    reference, candidate = comparison.reference, comparison.candidate
    title = escape(f"{candidate.path} against {reference.path}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    headings = ("metric", "all images", "worst image", "which", "best image", "every image")
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("metric", "which") else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table
