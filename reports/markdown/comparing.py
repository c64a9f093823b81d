"""Ratios between two cards, and how far each card is from what it could do at most."""

from __future__ import annotations

from collections.abc import Sequence

from reports.contradictions import Contradiction, contradictions, stated_checks
from reports.digits import significant, times
from reports.groups import Group
from reports.markdown.format import NOTHING, batch_table, plain, plus_minus, table_lines, without_nothing
from reports.markdown.speed import (
    LEFT_OUT,
    MEAN,
    fps_text,
    heading,
    interval_note,
    mean_text,
    ratio_text,
    titles,
)
from reports.page import Page
from reports.ratios import Pair, comparable_batches, inequalities, told_once, why_none
from reports.roofline import impossible, rate, share_of_peak
from reports.table import Column, ScopeTable


def ratios(page: Page, table: ScopeTable) -> str:
    """The ratio that was asked for, pair by pair, with what a reader must know of it."""
    if page.request.ratio is None:
        return ""
    above, below = page.request.ratio
    title = heading(page, f"{plain(above.text)} / {plain(below.text)}", table)
    pairs = [pair for pair in page.pairs(table) if comparable_batches(table, pair)]
    if not pairs:
        return f"{title}\n\nThere is nothing to compare here: {plain(why_none(table, above, below))}"
    notes: dict[Pair, list[str]] = {}
    parts = [title, _explained(table, pairs, above.text, below.text)]
    for number, pair in enumerate(pairs, start=1):
        if len(pairs) > 1:
            parts.append(f"**({number})** {plain(pair.title(table.columns))}")
        found = [table.ratio(batch, pair.above, pair.below) for batch in table.batches]
        parts.append(_table(table, pair))
        left_out = any(table.left_out(batch, pair.above, pair.below) for batch in table.batches)
        notes[pair] = [interval_note(found), *([LEFT_OUT] if left_out else [])]
        notes[pair] += [f"⚠ {plain(sentence)}" for sentence in inequalities(table, pair)]
    numbers = {pair: number for number, pair in enumerate(pairs, start=1)}
    told = told_once(
        {pair: [note for note in each if note] for pair, each in notes.items()},
        lambda several: ", ".join(f"({numbers[pair]})" for pair in several),
    )
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in told)])


def _explained(table: ScopeTable, pairs: Sequence[Pair], above: str, below: str) -> str:
    text = f"FPS per card: of {plain(above)}, of {plain(below)}, and the one over the other."
    figures = [g.fps for pair in pairs for column in (pair.above, pair.below) for g in table.of_column(column) if g.fps]
    if any(figure.invocations == 1 and figure.low is not None for figure in figures):
        text += " ± without *×* is within one process, and does not tell how much another one would differ."
    if any(figure.invocations > 1 for figure in figures):
        text += " *×K*: the geometric mean over K processes, ± from the spread between them."
    return text


def _table(table: ScopeTable, pair: Pair) -> str:
    """FPS as derived or stated and their ratio; beside them the measured ones, where there are any."""
    sides = (pair.above, pair.below)
    batches = [batch for batch in table.batches if any(table.fps(batch, column) for column in sides)]
    ratios = {batch: table.ratio(batch, *sides) for batch in batches}
    measured = {batch: table.measured_ratio(batch, *sides) for batch in batches}
    known = [column for column in sides if any(group.measured for group in table.of_column(column))]
    rows = []
    for batch in batches:
        row = [str(batch), *(_rate(table.group(batch, column)) for column in sides), ratio_text(ratios[batch])]
        row += [_measured(table.group(batch, column)) for column in known]
        rows.append(row + ([ratio_text(measured[batch])] if known else []))
    header = ["Batch size", *(_side(column, table) for column in sides), "Ratio"]
    header += [_measured_side(column, table) for column in known] + (["Ratio, measured"] if known else [])
    if len(batches) > 1 and any(ratios.values()):
        means = [mean_text(ratios), *[""] * len(known), *([mean_text(measured)] if known else [])]
        rows.append([MEAN, "", "", *means])
    return table_lines(header, rows)


def _rate(group: Group | None) -> str:
    if group is None or group.fps is None:
        return NOTHING if group is None or group.status == "ok" else group.status
    return fps_text(group, group.fps) + (" ⚠" if group.against else "")


def _measured(group: Group | None) -> str:
    figure = group.measured if group else None
    if group is None or figure is None:
        return NOTHING
    spread = plus_minus(figure.low, figure.high, figure.value)
    several = f", {times(group, figure)}" if figure.invocations > 1 else ""
    return significant(figure.value) + spread + several + (" ⚠" if group.troubled or group.against else "")


def _side(column: Column, table: ScopeTable) -> str:
    """All that tells what the figures of a side are."""
    told = [group for group in table.of_column(column) if group.fps]
    chips = max((group.chips for group in told), default=1)
    basis = sorted({group.first.fps_basis for group in told})
    parts = [
        f"{column.card}: {column.engine}", column.precision if column.precision != "unknown" else "precision unknown",
        f"clock: {column.clock}", " and ".join(basis) + (f" from 1 of {chips} chips" if chips > 1 else ""),
    ]  # fmt: skip
    if column.provenance != "measured":
        parts.append(column.kind)
    if column.machine:
        parts.append(f"({column.machine})")
    return plain(", ".join(part for part in parts if part))


def _measured_side(column: Column, table: ScopeTable) -> str:
    """Who was at work when the FPS of a whole card were measured."""
    counts = {
        (cell.throughput.chips, cell.throughput.streams)
        for group in table.of_column(column)
        for cell in group.counted
        if cell.throughput and cell.throughput.fps_per_card
    }
    told = " or ".join(
        f"{chips} {'chip' if chips == 1 else 'chips'}, {streams} {'stream' if streams == 1 else 'streams'} each"
        for chips, streams in sorted(counts)
    )
    return plain(f"{column.card}: measured, {told}")


def published(page: Page) -> str:
    """Where published figures contradict themselves: shown side by side, never resolved."""
    differing = contradictions(page.runs)
    checks = stated_checks(page.runs)
    if not differing and not checks:
        return ""
    parts = ["## Published figures, looked at closely"]
    if checks:
        rows = [
            (
                plain(check.title),
                plain(check.source),
                plain(check.printed),
                check.recomputed,
                "yes" if check.agrees else "**no**",
            )
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
    figures = ", ".join(f"{value:.7g} ({plain(source) or 'unnamed'})" for source, value in found.figures)
    return f"- {plain(found.card)}, batch size {found.batch}: {figures}"


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
            row.append(NOTHING if share is None else f"{share:.1%}" + (" ⚠" if impossible(share) else ""))
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
        f" executed precision: {plain('; '.join(used))}. Peaks are the vendors' figures; no real model reaches one.\n\n"
        + batch_table(*without_nothing(("Batch size", *titles(table)), rows))
    )
    if over:
        text += (
            "\n\n⚠ More than the card's stated peak allows for convolutions computed directly: a measuring error,"
            " another card or precision than named, or an engine with fewer multiplications (Winograd):"
            f" {plain(', '.join(over))}."
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
