"""Ratios between two cards, and how far each card is from what it could do at most."""

from __future__ import annotations

from collections.abc import Mapping

from reports.markdown.format import clean, table_lines
from reports.markdown.speed import LEFT_OUT, fps_text, heading, percent, ratio_text, titles
from reports.page import Page
from reports.ratios import Contradiction, Pair, contradictions, inequalities, stated_checks, told_once
from reports.roofline import impossible, rate, share_of_peak
from reports.table import ENOUGH_INVOCATIONS, Column, Ratio, ScopeTable


def ratios(page: Page, table: ScopeTable) -> str:
    """The ratio that was asked for, pair by pair, with what a reader must know of it."""
    if page.request.ratio is None:
        return ""
    above, below = page.request.ratio
    parts = [heading(page, f"{clean(above.text)} / {clean(below.text)}", table)]
    notes: dict[Pair, list[str]] = {}
    for pair in page.pairs(table):
        found = {batch: table.ratio(batch, pair.above, pair.below) for batch in table.batches}
        left_out = any(table.left_out(batch, pair.above, pair.below) for batch in table.batches)
        if not any(found.values()) and not left_out:
            continue  # never measured at one batch size
        parts.append(_table(page, table, pair, found))
        notes[pair] = [_interval(list(found.values())), *([LEFT_OUT] if left_out else [])]
        notes[pair] += [f"⚠ {sentence}" for sentence in inequalities(table, pair)]
    if not notes:
        return f"{parts[0]}\n\nThe two sides have nothing here that may be compared: no batch size in common."
    told = told_once({pair: [note for note in each if note] for pair, each in notes.items()}, table.columns)
    return "\n\n".join([*parts, "\n".join(f"- {clean(note)}" for note in told)])


def _table(page: Page, table: ScopeTable, pair: Pair, found: Mapping[int, Ratio | None]) -> str:
    rows = [
        (str(batch), _rate(table, batch, pair.above), _rate(table, batch, pair.below), ratio_text(ratio))
        for batch, ratio in found.items()
        if table.fps(batch, pair.above) or table.fps(batch, pair.below)
    ]
    mean = table.mean_ratio(pair.above, pair.below)
    if mean is not None and sum(ratio is not None for ratio in found.values()) > 1:
        rows.append(("geometric mean", "", "", percent(mean)))
    header = ("Batch size", *(_side(column, table) for column in (pair.above, pair.below)), "Ratio")
    return table_lines(header, rows)


def _rate(table: ScopeTable, batch: int, column: Column) -> str:
    group = table.group(batch, column)
    if group is None or group.fps is None:
        return "-"
    return fps_text(group, group.fps) + (" ⚠" if group.against else "")


def _side(column: Column, table: ScopeTable) -> str:
    """All that tells what the figures of a side are."""
    chips = max((group.first.chips for group in table.of_column(column)), default=1)
    basis = {group.first.fps_basis for group in table.of_column(column) if group.fps}
    parts = [
        f"{column.card}: {column.engine}", column.precision if column.precision != "unknown" else "precision unknown",
        f"clock {column.clock}", " and ".join(sorted(basis)) + (f" from 1 of {chips} chips" if chips > 1 else ""),
    ]  # fmt: skip
    if column.provenance != "measured":
        parts.append(f"{column.provenance} ({column.source})" if column.source else column.provenance)
    if column.machine:
        parts.append(f"({column.machine})")
    return ", ".join(part for part in parts if part)


def _interval(found: list[Ratio | None]) -> str:
    """Where the intervals come from, or why there is none."""
    ratios = [ratio for ratio in found if ratio is not None]
    if not ratios:
        return ""
    fewest = min(min(ratio.invocations) for ratio in ratios)
    if all(ratio.low is None for ratio in ratios):
        return (
            "No interval: it takes at least two invocations, each in a process of its own, on both sides"
            f" (`--invocations {ENOUGH_INVOCATIONS}`, or that many logs); how much these figures differ from one"
            " process to the next is not known."
        )
    text = "In brackets the 95 % interval, from the spread between invocations (Welch, on logarithms)."
    if fewest < ENOUGH_INVOCATIONS:
        text += f" Some sides have fewer than {ENOUGH_INVOCATIONS} invocations: it rests on little."
    return text


def published(page: Page) -> str:
    """Where published figures contradict themselves: shown side by side, never resolved."""
    differing = contradictions(page.runs)
    checks = stated_checks(page.runs)
    if not differing and not checks:
        return ""
    parts = ["## Published figures, looked at closely"]
    if checks:
        rows = [
            (check.title, check.source, check.printed, check.recomputed, "yes" if check.agrees else "**no**")
            for check in checks
        ]
        parts.append("Ratios as printed, and as the same source's own figures give them:")
        header = ("Ratio", "Source", "Printed", "Recomputed", "Agree")
        parts.append(table_lines(header, rows))
    if differing:
        parts.append("FPS per card that one publication states differently in different places (of different runs):")
        parts.append("\n".join(map(_differing, differing)))
    return "\n\n".join(parts)


def _differing(found: Contradiction) -> str:
    figures = ", ".join(f"{value:.6g} ({clean(source) or 'unnamed'})" for source, value in found.figures)
    return f"- {clean(found.card)}, batch size {found.batch}: {figures}"


def roofline(page: Page, table: ScopeTable) -> str:
    """FPS times the arithmetic of an image, over what the card can do at most in that precision."""
    flop = _flop_per_image(page, table)
    if flop is None:
        return ""
    rows, over = [], []
    used: dict[str, None] = {}
    for batch in table.batches:
        row = [str(batch)]
        for column in table.columns:
            figure, limits = table.fps(batch, column), page.request.limits.get(column.card)
            share = share_of_peak(figure.value, flop, limits, column.precision) if figure and limits else None
            row.append("-" if share is None else f"{share:.1%}" + (" ⚠" if impossible(share) else ""))
            if share is not None and limits is not None:
                used.setdefault(f"{column.card}: {rate(limits, column.precision)}")
                if impossible(share):
                    over.append(f"{column.title(table.columns)} bs{batch}")
        rows.append(row)
    if not used:
        return ""
    text = (
        f"{heading(page, 'Share of the limit of the card', table)}\n\n"
        f"FPS per card × {flop / 1e9:.4g} GFLOP an image (counted from the model), over the card's peak for the"
        f" executed precision: {clean('; '.join(used))}. Peaks are the vendors' figures; no real model reaches one.\n\n"
        + table_lines(("Batch size", *titles(table)), rows)
    )
    if over:
        text += (
            "\n\n⚠ More than the card's stated peak allows for convolutions computed directly: a measuring error, another"
            " card or precision than named, or an engine with fewer multiplications (Winograd):"
            f" {clean(', '.join(over))}."
        )
    return text


def _flop_per_image(page: Page, table: ScopeTable) -> float | None:
    """What the runs of this workload say; None where they do not agree."""
    told = {
        run.run.workload.flop_per_image
        for run in page.runs
        if run.run.workload.name == table.workload and run.run.workload.flop_per_image
    }
    return told.pop() if len(told) == 1 else None
