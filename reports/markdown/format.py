"""Tables, numbers and foreign text in markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def clean(text: str) -> str:
    """One line without control characters: names and messages are others' and must not break the page."""
    visible = _ESCAPE_SEQUENCE.sub("", text)
    return " ".join("".join(sign if sign.isprintable() else " " for sign in visible).split())


def code(text: str) -> str:
    """A code span around text that may hold backticks itself."""
    text = clean(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; the first column is left-aligned, the others right-aligned."""
    lines = [_row(header), "|:--|" + "--:|" * (len(header) - 1)]
    lines += [_row(row) for row in rows]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(clean(cell).replace("|", "\\|") for cell in cells) + " |"


def number(value: float | None, form: str) -> str:
    """A number in a format such as `{:.4g}`, or a dash for none."""
    return "-" if value is None else form.format(value)


def plus_minus(low: float | None, high: float | None, middle: float, optimistic: bool = False) -> str:
    """Half the width of an interval relative to its middle, ` ±1.2%`; empty where there is no interval."""
    if low is None or high is None or not middle:
        return ""
    return f" ±{(high - low) / (2 * abs(middle)):.1%}" + (" (optimistic)" if optimistic else "")
