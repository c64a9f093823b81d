"""Latency and FPS per card: a row a batch size, a column an engine; a wide table lies on its side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from reports.digits import fps_digits, half_width, percent, significant, times
from reports.groups import Figure, Group
from reports.markdown.format import (
    NOTHING,
    batch_table,
    is_long,
    plain,
    plus_minus,
    table_lines,
    without_nothing,
)
from reports.page import Page
from reports.pictures import is_strip
from reports.ratios import Pair, inequalities, told_once
from reports.statistics import geometric_mean
from reports.table import ENOUGH_INVOCATIONS, Column, Ratio, ScopeTable

MEAN = "geometric mean"


def heading(page: Page, what: str, table: ScopeTable) -> str:
    """`## what (scope)`, with the workload's name where there are several."""
    workload = f"{plain(table.workload)}, " if len(page.workloads) > 1 else ""
    return f"## {what} ({workload}{table.scope})"


def titles(table: ScopeTable) -> list[str]:
    return [title(column, table) for column in table.columns]


def title(column: Column, table: ScopeTable) -> str:
    return plain(column.title(table.columns))


def latency(page: Page, table: ScopeTable) -> str:
    rows = [
        [str(batch), *(_latency_cell(table.group(batch, column)) for column in table.columns)]
        for batch in table.batches
    ]
    if all(text == NOTHING for row in rows for text in row[1:]):
        return ""
    text = (
        f"{heading(page, 'Latency', table)}\n\n"
        "Milliseconds for one batch on one chip: the median, ± half the width of its 95 % interval."
    )
    if any("n=" in part for row in rows for part in row):
        text += (
            " *n*: samples of one process; the interval is that within this process, and does not tell how much another"
            " one would differ. p99 where there are samples enough for it."
        )
    if any(", ×" in part for row in rows for part in row):
        text += (
            " *×K*: the geometric mean over the medians of K processes, with the interval from the spread between them."
        )
    text += _left_out(table)
    if any("⚠" in part for row in rows for part in row):
        text += " ⚠ marks what the verdicts above say."
    if any("(mean" in part for row in rows for part in row):
        text += " *(mean)*: no median is told."
    return text + "\n\n" + batch_table(*without_nothing(("Batch size", *titles(table)), rows))


def _left_out(table: ScopeTable) -> str:
    if not any(group.left_out for group in table.groups.values()):
        return ""
    return " *of N*: the others of N invocations are not counted, since a verdict went against them."


def _latency_cell(group: Group | None) -> str:
    if group is None:
        return NOTHING
    if group.status != "ok":
        return group.status
    middle, single = group.median, group.single
    if middle is None:
        return f"{significant(group.mean.value)} (mean)" if group.mean else NOTHING
    text = significant(middle.value)
    own = single.latency if single else None
    if own:
        half = own.relative_half_width
        text += f" ±{half_width(half)}" if half is not None else " ±? (too few samples)"
        text += f", n={own.count}" + (f", p99 {significant(own.p99_ms)}" if own.p99_ms is not None else "")
    elif single is None:
        text += f"{plus_minus(middle.low, middle.high, middle.value)}, {times(group, middle)}"
    elif single.stated and "99" in single.stated.percentiles_ms:
        text += f", p99 {significant(single.stated.percentiles_ms['99'])}"
    return text + (f" ⚠ {', '.join(group.against)}" if group.against else "")


def fps(page: Page, table: ScopeTable) -> str:
    """FPS per card, and their ratios to the baseline where ratios are to one."""
    pairs = [] if page.request.ratio else page.pairs(table)
    header = ["Batch size", *titles(table)]
    figures = [[str(batch), *(_fps_cell(table.group(batch, col)) for col in table.columns)] for batch in table.batches]
    text = "\n\n".join(
        (heading(page, "FPS per card", table), _explained(table), _with_ratios(table, pairs, header, figures))
    )
    if any("(optimistic)" in part for row in figures for part in row):
        text += "\n\n*(optimistic)*: too few samples for the interval to be safe; it may be wider."
    if any(table.left_out(batch, pair.above, pair.below) for batch in table.batches for pair in pairs):
        text += "\n\n" + LEFT_OUT
    if note := interval_note([table.ratio(batch, pair.above, pair.below) for pair in pairs for batch in table.batches]):
        text += f"\n\n{note}"
    unequal = {pair: inequalities(table, pair) for pair in pairs}
    for note in told_once(unequal, lambda several: ", ".join(pair.above.title(table.columns) for pair in several)):
        text += f"\n\n⚠ {plain(note)}"
    return text


def _explained(table: ScopeTable) -> str:
    """What the figures are, and what their intervals tell."""
    groups = [group for group in table.groups.values() if group.fps]
    text = "Images a second, *derived*: chips × batch size × 1000 / mean latency in ms of one chip"
    within = any(group.fps and group.fps.invocations == 1 and group.fps.low is not None for group in groups)
    between = any(group.fps and group.fps.invocations > 1 for group in groups)
    text += "; ± half the width of the 95 % interval." if within or between else "."
    if within:
        text += (
            " Without *×* that is the mean's within one process, and does not tell how much another one would differ."
        )
    if between:
        text += " *×K*: the geometric mean over K processes, with the interval from the spread between them."
    text += _left_out(table)
    if any(group.first.fps_basis == "stated" for group in groups):
        text += " *(stated)*: as its source gives it, with no latency to check it by."
    return text


def _with_ratios(table: ScopeTable, pairs: Sequence[Pair], header: list[str], figures: list[list[str]]) -> str:
    """FPS and ratios in one table, or in two where one would be too wide."""
    if not pairs:
        return batch_table(header, figures)
    ratios = [
        [str(batch), *(ratio_text(table.ratio(batch, pair.above, pair.below)) for pair in pairs)]
        for batch in table.batches
    ]
    ratios.append([MEAN, *(mean_text(table.ratios(pair.above, pair.below)) for pair in pairs)])
    both = [*header, *(plain(pair.title(table.columns)) for pair in pairs)]
    if not is_long(both):
        lines = [*figures, [MEAN, *[""] * len(table.columns)]]
        return table_lines(both, [[*left, *right[1:]] for left, right in zip(lines, ratios, strict=True)])
    above = ["Batch size", *(title(pair.above, table) for pair in pairs)]
    return (
        f"{batch_table(header, figures)}\n\nThe same over the FPS of {title(pairs[0].below, table)}:\n\n"
        + batch_table(above, ratios)
    )


def mean_text(ratios: Mapping[int, Ratio | None]) -> str:
    """Geometric mean of ratios by batch size, with the batch sizes that it is over where these are not all."""
    told = {batch: ratio.value for batch, ratio in ratios.items() if ratio is not None}
    if not told:
        return NOTHING
    over = f" (bs {', '.join(map(str, told))})" if len(told) < len(ratios) else ""
    return percent(geometric_mean(list(told.values()))) + over


def interval_note(ratios: Sequence[Ratio | None]) -> str:
    """Where the intervals of these ratios come from, or why there is none; empty where there are no ratios."""
    told = [ratio for ratio in ratios if ratio is not None]
    if not told:
        return ""
    without = sum(ratio.low is None for ratio in told)
    missing = (
        "it takes at least two invocations, each in a process of its own, on both sides"
        f" (`--invocations {ENOUGH_INVOCATIONS}`, or that many logs); how much these figures differ from one process to"
        " the next is not known."
    )
    if without == len(told):
        return f"The ratios have no interval: {missing}"
    text = "In brackets the 95 % interval of a ratio, from the spread between invocations (Welch, on logarithms)."
    if without:
        text += f" A ratio without one has none: {missing}"
    if any(ratio.low is not None and min(ratio.invocations) < ENOUGH_INVOCATIONS for ratio in told):
        text += f" Some sides have fewer than {ENOUGH_INVOCATIONS} invocations: their intervals rest on little."
    return text


LEFT_OUT = (
    "A ratio is left out (-) where a verdict went against one of its two cells; `--include-flagged` shows it all the"
    " same."
)


def ratio_text(ratio: Ratio | None) -> str:
    """A ratio with its interval where it has one."""
    if ratio is None:
        return NOTHING
    if ratio.low is None or ratio.high is None:
        return percent(ratio.value)
    return f"{percent(ratio.value)} ({percent(ratio.low)} to {percent(ratio.high)})"


def _fps_cell(group: Group | None) -> str:
    if group is None:
        return NOTHING
    if group.fps is None:
        return group.status if group.status != "ok" else NOTHING
    return fps_text(group, group.fps) + (" ⚠" if group.against else "")


def fps_text(group: Group, figure: Figure) -> str:
    """FPS per card with what is known of its spread."""
    own = group.single.latency if group.single else None
    spread = plus_minus(figure.low, figure.high, figure.value, own is not None and own.mean_optimistic)
    several = f", {times(group, figure)}" if figure.invocations > 1 or group.left_out else ""
    stated = " (stated)" if group.first.fps_basis == "stated" else ""
    return fps_digits(group, figure.value) + spread + several + stated


def plots_of(table: ScopeTable, plots: Sequence[Path], page: Page) -> str:
    """Links to the plots of this table: files named `<anything><workload and scope>-<kind>.png`."""
    found = [(path, _kind(path, page)) for path in plots if not is_strip(path)]
    return "\n\n".join(
        f"![{table.scope}: {kind}]({quote(path.name)})" for path, (stem, kind) in found if stem == page.stem(table)
    )


def _kind(path: Path, page: Page) -> tuple[str, str]:
    """Stem and kind of a plot; where one table's name ends as another's is, the longer one is meant."""
    stems = sorted((page.stem(table) for table in page.tables), key=len, reverse=True)
    for stem in stems:
        if match := re.search(rf"(?:^|-){re.escape(stem)}-([a-z]+)$", path.stem):
            return stem, match[1]
    return "", ""
