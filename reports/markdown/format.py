"""Tables and numbers in markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.records import CellRecord


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; the first column is left-aligned, the others right-aligned."""
    lines = ["| " + " | ".join(header) + " |", "|:--|" + "--:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def number(value: float | None, form: str) -> str:
    """A number in a format such as `{:.4g}`, or a dash for none."""
    return "-" if value is None else form.format(value)


def name_of(cell: CellRecord) -> str:
    """A cell in a list or a table's first column."""
    identity = cell.identity
    parts = [f"{identity.label()} bs{identity.batch}", identity.precision, identity.scope]
    if cell.provenance != "measured":
        parts.append(cell.provenance)
    return " ".join(parts)
