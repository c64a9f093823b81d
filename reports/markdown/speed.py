"""Latency, FPS per card and their ratios: a row a batch size, a column a backend."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from reports import flags
from reports.markdown.format import clean, name_of, number, plus_minus, table_lines
from reports.pictures import FILE
from reports.records import CellRecord, Run
from reports.table import Column, ScopeTable, may_meet


def latency(table: ScopeTable) -> str:
    rows = [
        [str(batch), *(_latency_cell(table.cell(batch, column)) for column in table.columns)] for batch in table.batches
    ]
    return (
        f"## Latency ({table.scope})\n\n"
        "Milliseconds for one batch on one chip: median, half the width of its 95 % interval, number of samples; then"
        " p99 where there are samples enough for one. ⚠ marks what the verdicts above say.\n\n"
        + table_lines(("Batch size", *_titles(table)), rows)
    )


def _titles(table: ScopeTable) -> list[str]:
    return [column.title(table.columns) for column in table.columns]


def _latency_cell(cell: CellRecord | None) -> str:
    if cell is None:
        return "-"
    if cell.status != "ok" or cell.latency is None:
        return cell.status
    figures = cell.latency
    half = figures.relative_half_width
    spread = f"±{half:.1%}" if half is not None else "±? (too few samples)"
    p99 = f", p99 {figures.p99_ms:.4g}" if figures.p99_ms is not None else ""
    against = flags.short(cell)
    return f"{figures.median_ms:.4g} {spread}, n={figures.count}{p99}" + (f" ⚠ {', '.join(against)}" if against else "")


def fps(table: ScopeTable, baseline: Column | None) -> str:
    others = [column for column in table.columns if baseline and column != baseline and may_meet(column, baseline)]
    ratios = [f"{column.title(table.columns)} / {baseline.title(table.columns)}" for column in others if baseline]
    rows = []
    for batch in table.batches:
        row = [str(batch)] + [_fps_cell(table.cell(batch, column)) for column in table.columns]
        row += [number(table.ratio(batch, column, baseline), "{:.1%}") for column in others if baseline]
        rows.append(row)
    if others and baseline:
        means = [number(table.mean_ratio(column, baseline), "{:.1%}") for column in others]
        rows.append(["geometric mean", *[""] * len(table.columns), *means])
    text = (
        f"## FPS per card ({table.scope})\n\n"
        "Images a second, *derived*: chips × batch size × 1000 / mean latency in ms of one chip, with half the width of"
        " the mean's 95 % interval.\n\n" + table_lines(("Batch size", *_titles(table), *ratios), rows)
    )
    if any("(optimistic)" in text for row in rows for text in row):
        text += "\n\n*(optimistic)*: too few samples for the interval to be safe; it may be wider."
    if others and baseline and any(table.left_out(b, c, baseline) for b in table.batches for c in others):
        text += (
            "\n\nA ratio is left out (-) where a verdict went against one of its two cells;"
            " `--include-flagged` shows it all the same."
        )
    for column in others:
        if baseline and column.precision != baseline.precision:
            text += (
                f"\n\n⚠ {clean(column.title(table.columns))} ran in {column.precision}, the baseline in"
                f" {baseline.precision}: their ratio compares unequal things."
            )
    return text


def _fps_cell(cell: CellRecord | None) -> str:
    if cell is None or cell.status != "ok" or cell.fps_per_card is None:
        return "-"
    optimistic = cell.latency is not None and cell.latency.mean_optimistic
    spread = plus_minus(cell.fps_low, cell.fps_high, cell.fps_per_card, optimistic)
    return f"{cell.fps_per_card:.4g}{spread}" + (" ⚠" if flags.short(cell) else "")


def throughput(table: ScopeTable) -> str:
    """FPS with all chips and streams at work at once, where that was measured."""
    rows = []
    problems = []
    queueing = optimistic = relative = False
    for column in table.columns:
        for batch in table.batches:
            cell = table.cell(batch, column)
            together = cell.throughput if cell else None
            if cell is None or together is None:
                continue
            against = bool(flags.short(cell))
            queueing |= together.queueing
            optimistic |= together.optimistic
            relative |= against
            if together.flags:
                problems.append(f"- ⚠ {name_of(cell)}, all at once: {clean('; '.join(together.flags))}.")
            half = plus_minus(together.fps_low, together.fps_high, together.fps, together.optimistic)
            each = [worker.fps for worker in together.workers]
            rows.append(
                (
                    f"{column.title(table.columns)} bs{batch}", str(together.chips), str(together.streams),
                    f"{together.fps:.4g}{half}" + (" ⚠" if together.flags else ""),
                    number(together.fps_per_card, "{:.4g}"),
                    number(cell.fps_per_card, "{:.4g}") + (" ⚠" if against else ""),
                    f"{together.efficiency:.1%}" + (" ⚠" if against or together.flags else ""),
                    f"{min(each):.4g} to {max(each):.4g}", f"{together.window_s:.1f}",
                    f"{together.median_latency_ms:.4g}" + (" (with queueing)" if together.queueing else ""),
                )
            )  # fmt: skip
    if not rows:
        return ""
    header = ("Cell", "Chips", "Streams", "FPS of all", "FPS per card, measured", "derived", "Efficiency", "By worker",
              "Window (s)", "Median latency (ms)")  # fmt: skip
    text = (
        f"## Throughput, measured ({table.scope})\n\n"
        "Every worker in a process of its own, one start for all; images are counted over the window in which all were"
        " at work. Efficiency: FPS of all over the number of chips times what one chip gave alone. A stream is one more"
        " request in flight on a chip; on the CPU it is one more worker, on cores of its own.\n\n"
        + table_lines(header, rows)
    )
    if optimistic:
        text += "\n\n*(optimistic)*: the window is too short for the interval to be safe; it may be wider."
    if relative:
        text += (
            "\n\n⚠ at *derived*: a verdict above went against what one chip gave alone, and the efficiency is relative"
            " to that."
        )
    if problems:
        text += "\n\nWhat was seen meanwhile that speaks against a figure:\n\n" + "\n".join(problems)
    if queueing:
        text += (
            "\n\nWith several requests in flight a latency includes the wait for the others; it must not be compared"
            " with the latencies above."
        )
    return text


def pictures(table: ScopeTable, plots: Sequence[Path]) -> str:
    """Links to the plots of this scope: files named `<anything>-<scope>-<kind>.png`."""
    found = [
        (path, re.search(rf"(?:^|-){re.escape(table.scope)}-([a-z]+)$", path.stem))
        for path in plots
        if not _is_samples(path)
    ]
    return "\n\n".join(f"![{table.scope}: {kind[1]}]({quote(path.name)})" for path, kind in found if kind)


def samples(run: Run, plots: Sequence[Path]) -> str:
    """A link to the strip of sample pictures, where there is one."""
    strips = [path for path in plots if _is_samples(path)]
    if not strips:
        return ""
    wrong = any(cell.status == "wrong" and cell.pictures for cell in run.cells)
    return (
        "## Translated pictures\n\n"
        "The first samples: inputs, the reference's outputs, and those of every backend at its largest batch size,"
        " as they were when last checked."
        + (" Those in red are wrong." if wrong else "")
        + "".join(f"\n\n![samples of translated pictures]({quote(path.name)})" for path in strips)
    )


def _is_samples(path: Path) -> bool:
    return path.name.rpartition("-")[2] == FILE
