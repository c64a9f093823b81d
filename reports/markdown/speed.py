"""Latency and FPS per card: a row a batch size, a column an engine; the throughput of whole cards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from reports.groups import Figure, Group
from reports.markdown.format import clean, number, plus_minus, table_lines
from reports.page import Page
from reports.pictures import is_strip
from reports.ratios import inequalities, told_once
from reports.table import Column, Ratio, ScopeTable


def heading(page: Page, what: str, table: ScopeTable) -> str:
    """`## what (scope)`, with the workload's name where there are several."""
    workload = f"{clean(table.workload)}, " if len(page.workloads) > 1 else ""
    return f"## {what} ({workload}{table.scope})"


def titles(table: ScopeTable) -> list[str]:
    return [column.title(table.columns) for column in table.columns]


def latency(page: Page, table: ScopeTable) -> str:
    rows = [
        [str(batch), *(_latency_cell(table.group(batch, column)) for column in table.columns)]
        for batch in table.batches
    ]
    if all(text == "-" for row in rows for text in row[1:]):
        return ""
    text = (
        f"{heading(page, 'Latency', table)}\n\n"
        "Milliseconds for one batch on one chip: median, half the width of its 95 % interval, number of samples; then"
        " p99 where there are samples enough for one. ⚠ marks what the verdicts above say."
    )
    if any(len(group.cells) > 1 for group in table.groups.values()):
        text += (
            " Where a cell was measured in several processes (×K): the geometric mean of their medians, and the"
            " interval from the spread between processes."
        )
    if any("(mean" in part for row in rows for part in row):
        text += " *(mean)*: no median is told."
    return text + "\n\n" + table_lines(("Batch size", *titles(table)), rows)


def _latency_cell(group: Group | None) -> str:
    if group is None:
        return "-"
    if group.status != "ok":
        return group.status
    middle, single = group.median, group.single
    if middle is None:
        return f"{group.mean.value:.4g} (mean)" if group.mean else "-"
    text = f"{middle.value:.4g}"
    own = single.latency if single else None
    if own:
        half = own.relative_half_width
        text += f" ±{half:.1%}" if half is not None else " ±? (too few samples)"
        text += f", n={own.count}" + (f", p99 {own.p99_ms:.4g}" if own.p99_ms is not None else "")
    elif single is None:
        text += f"{plus_minus(middle.low, middle.high, middle.value)}, ×{middle.invocations}"
    elif single.stated and "99" in single.stated.percentiles_ms:
        text += f", p99 {single.stated.percentiles_ms['99']:.4g}"
    return text + (f" ⚠ {', '.join(group.against)}" if group.against else "")


def fps(page: Page, table: ScopeTable) -> str:
    """FPS per card, and their ratios to the baseline where ratios are to one."""
    pairs = [] if page.request.ratio else page.pairs(table)
    rows = []
    for batch in table.batches:
        row = [str(batch)] + [_fps_cell(table.group(batch, column)) for column in table.columns]
        row += [ratio_text(table.ratio(batch, pair.above, pair.below)) for pair in pairs]
        rows.append(row)
    if pairs:
        means = ["-" if mean is None else percent(mean) for mean in (table.mean_ratio(p.above, p.below) for p in pairs)]
        rows.append(["geometric mean", *[""] * len(table.columns), *means])
    stated = any(group.first.fps_basis == "stated" for group in table.groups.values())
    text = (
        f"{heading(page, 'FPS per card', table)}\n\n"
        "Images a second, *derived*: chips × batch size × 1000 / mean latency in ms of one chip, with half the width of"
        " the mean's 95 % interval."
    )
    if stated:
        text += " *(stated)*: as its source gives it, with no latency to check it by."
    header = ("Batch size", *titles(table), *(pair.title(table.columns) for pair in pairs))
    text += "\n\n" + table_lines(header, rows)
    if any("(optimistic)" in part for row in rows for part in row):
        text += "\n\n*(optimistic)*: too few samples for the interval to be safe; it may be wider."
    if any(table.left_out(batch, pair.above, pair.below) for batch in table.batches for pair in pairs):
        text += "\n\n" + LEFT_OUT
    unequal = {pair: inequalities(table, pair) for pair in pairs}
    for note in told_once(unequal, table.columns):
        text += f"\n\n⚠ {clean(note)}"
    return text


LEFT_OUT = (
    "A ratio is left out (-) where a verdict went against one of its two cells; `--include-flagged` shows it all the"
    " same."
)


def ratio_text(ratio: Ratio | None) -> str:
    """A ratio with its interval where it has one."""
    if ratio is None:
        return "-"
    if ratio.low is None or ratio.high is None:
        return percent(ratio.value)
    return f"{percent(ratio.value)} ({percent(ratio.low)} to {percent(ratio.high)})"


def percent(share: float) -> str:
    """Four digits, as people print ratios of cards: 98.79%, 101.4%."""
    return f"{100 * share:#.4g}%"


def _fps_cell(group: Group | None) -> str:
    if group is None or group.fps is None:
        return "-"
    return fps_text(group, group.fps) + (" ⚠" if group.against else "")


def fps_text(group: Group, figure: Figure) -> str:
    """FPS per card with what is known of its spread."""
    own = group.single.latency if group.single else None
    spread = plus_minus(figure.low, figure.high, figure.value, own is not None and own.mean_optimistic)
    several = f", ×{figure.invocations}" if figure.invocations > 1 else ""
    stated = " (stated)" if group.first.fps_basis == "stated" else ""
    digits = "{:.6g}" if group.first.provenance in ("imported", "published") else "{:.4g}"
    return digits.format(figure.value) + spread + several + stated


def throughput(page: Page, table: ScopeTable) -> str:
    """FPS with all chips and streams at work at once, where that was measured."""
    rows = []
    problems = []
    queueing = optimistic = relative = False
    for column, batch, group in ((c, b, table.group(b, c)) for c in table.columns for b in table.batches):
        for cell in group.cells if group else ():
            together = cell.throughput
            if together is None:
                continue
            against = bool(group and group.against)
            queueing |= together.queueing
            optimistic |= together.optimistic
            relative |= against
            if together.flags:
                problems.append(f"- ⚠ {clean(page.name(cell))}, all at once: {clean('; '.join(together.flags))}.")
            half = plus_minus(together.fps_low, together.fps_high, together.fps, together.optimistic)
            each = [worker.fps for worker in together.workers]
            rows.append(
                (
                    _row_name(column, table, batch, cell.invocation), str(together.chips), str(together.streams),
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
        f"{heading(page, 'Throughput, measured', table)}\n\n"
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


def _row_name(column: Column, table: ScopeTable, batch: int, invocation: int) -> str:
    return f"{column.title(table.columns)} bs{batch}" + (f" #{invocation + 1}" if invocation else "")


def plots_of(table: ScopeTable, plots: Sequence[Path], page: Page) -> str:
    """Links to the plots of this table: files named `<anything><workload and scope>-<kind>.png`."""
    stem = page.stem(table)
    found = [
        (path, re.search(rf"(?:^|-){re.escape(stem)}-([a-z]+)$", path.stem)) for path in plots if not is_strip(path)
    ]
    return "\n\n".join(f"![{table.scope}: {kind[1]}]({quote(path.name)})" for path, kind in found if kind)
