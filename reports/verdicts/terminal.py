"""A check for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from reports.markdown.format import clean
from reports.regression import Check, Row
from reports.verdicts.words import headline, rule, unique_names


def table(check: Check) -> Table:
    """One row a row of the check, with its figures; what all names end in is in the title."""
    advisory = ", advisory" if check.advisory else ""
    names, shared = shortened(unique_names(check))
    every = f"; every row: {shared}" if shared else ""
    shown = Table(
        title=escape(f"bench check: {check.answer}{advisory}{every}"), title_justify="left", box=box.SIMPLE_HEAD,
        collapse_padding=True, pad_edge=False,
    )  # fmt: skip
    for name in ("row", "base ms", "new ms", "change", "bounds", "found", "verdict"):
        left = name in ("row", "verdict")
        shown.add_column(name, justify="left" if left else "right", no_wrap=not left, min_width=13 if left else None)
    for row, name in zip(check.rows, names, strict=True):
        bounds = row.low is not None and row.high is not None
        shown.add_row(
            escape(name),
            "-" if row.base_ms is None else f"{row.base_ms:.4g}",
            "-" if row.new_ms is None else f"{row.new_ms:.4g}",
            "-" if row.change is None else f"{row.change:+.1%}",
            f"{row.low:+.1%}..{row.high:+.1%}" if bounds else "-",
            "-" if row.mde is None else f"{row.mde:.1%}",
            _verdict(check, row),
        )
    return shown


def _verdict(check: Check, row: Row) -> str:
    if row.inaccurate:
        return "inaccurate"
    return row.verdict + (" (advisory)" if check.advisory and row.verdict != "not measured" else "")


def shortened(names: Sequence[str]) -> tuple[list[str], str]:
    """The names without the words that all of them end in, and those words; one name is left as it is."""
    words = [name.split(" ") for name in names]
    if len(words) < 2:
        return list(names), ""
    common = 0
    while all(len(each) > common + 1 for each in words) and len({each[-common - 1] for each in words}) == 1:
        common += 1
    if not common:
        return list(names), ""
    return [" ".join(each[:-common]) for each in words], " ".join(words[0][-common:])


def lines(check: Check) -> Iterator[str]:
    """What belongs below the table: why rows were not measured, notes, the rule."""
    for row, name in zip(check.rows, unique_names(check), strict=True):
        if row.verdict == "not measured":
            yield f"{name}: {headline(check, row)}"
    yield from map(clean, check.notes)
    if any(row.mde is not None for row in check.rows):
        yield "found: a slow-down of this size would be called regressed 95 times in 100."
    yield f"{rule(check)}."
