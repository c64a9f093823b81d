"""FPS with all chips and streams at work at once, where that was measured."""

from __future__ import annotations

from reports.digits import significant
from reports.groups import Group
from reports.markdown.format import NOTHING, plain, plus_minus, table_lines
from reports.markdown.speed import heading, title
from reports.page import Page
from reports.records import CellRecord, Throughput
from reports.table import ScopeTable


def throughput(page: Page, table: ScopeTable) -> str:
    rows = []
    problems = []
    queueing = optimistic = relative = False
    for column, batch, group in ((c, b, table.group(b, c)) for c in table.columns for b in table.batches):
        for cell in group.cells if group else ():
            together = cell.throughput
            if together is None or group is None:
                continue
            queueing |= together.queueing
            optimistic |= together.optimistic
            relative |= bool(group.against)
            if together.flags:
                problems.append(f"- ⚠ {plain(page.name(cell))}, all at once: {plain('; '.join(together.flags))}.")
            rows.append((f"{title(column, table)} bs{batch}{page.number(cell)}", *_row(cell, together, group)))
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


def _row(cell: CellRecord, together: Throughput, group: Group) -> tuple[str, ...]:
    half = plus_minus(together.fps_low, together.fps_high, together.fps, together.optimistic)
    each = [worker.fps for worker in together.workers]
    return (
        str(together.chips), str(together.streams),
        f"{significant(together.fps)}{half}" + (" ⚠" if together.flags else ""),
        NOTHING if together.fps_per_card is None else significant(together.fps_per_card),
        (NOTHING if cell.fps_per_card is None else significant(cell.fps_per_card)) + (" ⚠" if group.against else ""),
        f"{together.efficiency:.1%}" + (" ⚠" if group.against or together.flags else ""),
        f"{significant(min(each))} to {significant(max(each))}" if each else NOTHING, f"{together.window_s:.1f}",
        significant(together.median_latency_ms) + (" (with queueing)" if together.queueing else ""),
    )  # fmt: skip
