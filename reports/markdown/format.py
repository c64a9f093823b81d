"""Tables, numbers and foreign text in markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from reports.digits import half_width

_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
#: What markdown, or GitHub's, would take for markup: signs of emphasis, code, links and formulas, the begin of a tag or
#: of an entity, and an underscore that does not stand inside a word.
_MARKUP = re.compile(
    r"[\\`*~$]|\](?=[(\[:])|\[(?=\^)|!(?=\[)|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])",
)
#: Above this many letters in its header a table is too wide to be read beside its rows.
_WIDEST = 110
#: What a batch size's row holds in a column where there is nothing.
NOTHING = "-"


def clean(text: str) -> str:
    """One line without control characters: names and messages are others' and must not break the page."""
    visible = _ESCAPE_SEQUENCE.sub("", text)
    return " ".join("".join(sign if sign.isprintable() else " " for sign in visible).split())


def plain(text: str) -> str:
    """Foreign text as one line in which nothing is markup: no link, no tag, no emphasis comes from a name."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", clean(text))


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


def is_long(header: Sequence[str]) -> bool:
    """Whether the header of a table is too long for a page."""
    return sum(map(len, header)) > _WIDEST


def batch_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a row a batch size; a wide one lies on its side, with a column a batch size."""
    lines = [header, *rows]
    if is_long(header) and len(header) - 1 >= len(rows):
        lines = list(zip(*lines, strict=True))
    return table_lines(lines[0], lines[1:])


def without_nothing(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows without the rows and columns that hold nothing but dashes."""
    told = [row for row in rows if any(text != NOTHING for text in row[1:])]
    used = [at for at in range(len(header)) if at == 0 or any(row[at] != NOTHING for row in told)]
    return [header[at] for at in used], [[row[at] for at in used] for row in told]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(clean(cell).replace("|", "\\|") for cell in cells) + " |"


def number(value: float | None, form: str) -> str:
    """A number in a format such as `{:.4g}`, or a dash for none."""
    return NOTHING if value is None else form.format(value)


def plus_minus(low: float | None, high: float | None, middle: float, optimistic: bool = False) -> str:
    """Half the width of an interval relative to its middle, ` ±1.2%`; empty where there is no interval."""
    if low is None or high is None or not middle:
        return ""
    return f" ±{half_width((high - low) / (2 * abs(middle)))}" + (" (optimistic)" if optimistic else "")
