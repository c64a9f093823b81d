"""Cells over time as a short table and as history.csv."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from reports import flags
from reports.files import atomic_path
from reports.history.plots import titles
from reports.history.series import Series
from reports.markdown.format import clean
from reports.statistics import Interval
from reports.stored.sessions import FEWEST_SESSIONS

_HEADER = (
    "started", "run", "git_commit", "git_dirty", "host", "workload", "backend", "card", "device", "precision", "scope",
    "batch", "provenance", "model_sha256", "inputs_sha256", "status", "flags", "invocations", "median_ms",
    "median_low_ms", "median_high_ms", "fps_per_card", "fps_low", "fps_high",
)  # fmt: skip


def write_csv(path: Path, series: Sequence[Series]) -> None:
    """Write a row a run and cell, whole or not at all; what is not known is empty. Raises OSError."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        writer.writerows(_csv_rows(series))


def _csv_rows(series: Sequence[Series]) -> Iterator[list[object]]:
    for one in series:
        key = one.key
        for point in one.points:
            git = point.run.git
            names = dict.fromkeys(name for taken in point.taken for name in flags.short(taken.cell))
            yield [
                point.run.started, point.run.id, git.commit if git else "", git.dirty if git else "", one.host,
                key.workload, key.label, key.card, key.device, key.precision, key.scope, key.batch,
                point.taken[0].cell.provenance, one.model, one.inputs, point.status, ", ".join(names),
                len(point.taken), *_numbers(point.latency), *_numbers(point.fps),
            ]  # fmt: skip


def _numbers(value: Interval | None) -> list[object]:
    if value is None:
        return ["", "", ""]
    return [value.estimate, *("" if math.isnan(limit) else limit for limit in (value.low, value.high))]


def table(series: Sequence[Series], include_flagged: bool = False) -> Table:
    """One row a cell: first and last median latency, the change, and the spread between sessions."""
    shown = Table(title="median latency over time", title_justify="left", box=box.SIMPLE_HEAD,
                  collapse_padding=True, pad_edge=False)  # fmt: skip
    for name in ("cell", "bs", "scope", "runs", "first ms", "last ms", "change", "spread", "sessions"):
        left = name in ("cell", "scope")
        shown.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=not left)
    for one, title in zip(series, titles(series), strict=True):
        points = one.shown(include_flagged)
        values = [point.latency.estimate for point in points if point.latency]
        spread = one.spread(include_flagged)
        shown.add_row(
            escape(clean(title)), str(one.key.batch), one.key.scope,
            f"{len(points)} of {len(one.points)}" if len(points) < len(one.points) else str(len(points)),
            f"{values[0]:.4g}" if values else "-", f"{values[-1]:.4g}" if values else "-",
            f"{values[-1] / values[0] - 1:+.1%}" if len(values) > 1 else "-",
            f"{spread.sd:.2%}" if spread else "-", str(spread.sessions) if spread else "-",
        )  # fmt: skip
    return shown


def notes(series: Sequence[Series], include_flagged: bool = False) -> Iterator[str]:
    """What a reader must know of the table, a sentence each."""
    yield (
        "spread: standard deviation of the logarithms of the medians, between the sessions under the conditions of the"
        " last one (host, driver, runtime, settings, model, inputs); what check --history uses."
    )
    flagged = sum(1 for one in series for point in one.points if point.flagged)
    if flagged and not include_flagged:
        which = "1 figure is flagged and counts" if flagged == 1 else f"{flagged} figures are flagged and count"
        yield f"{which} for nothing here; --include-flagged counts them."
    few = [one for one in series if (found := one.spread(include_flagged)) is None or found.sessions < FEWEST_SESSIONS]
    if few:
        which = "no cell has" if len(few) == len(series) else f"{len(few)} of {len(series)} cells have fewer than"
        yield f"{which} {FEWEST_SESSIONS} such sessions, what check --history needs at least."
