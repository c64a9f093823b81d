"""A check on GitHub: annotations, which are lines on standard output, and the job's summary in markdown."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from reports.markdown.format import clean, table_lines
from reports.regression import Check, Row
from reports.verdicts.words import headline, outcome, rule, unique_names

Level = Literal["error", "warning", "notice"]

#: GitHub shows so many annotations of a level and step.
_MOST_OF_A_LEVEL = 10
#: GitHub takes 1 MiB of summary a step.
_MOST_SUMMARY_BYTES = 1_000_000
_CUT = "\n\n(The rest was cut off: GitHub takes no longer summary.)\n"


def annotation_lines(check: Check) -> list[str]:
    """A workflow command for every row that a reader should look at; what is beyond GitHub's limit is counted."""
    found: list[tuple[Level, str, str]] = []
    for row, name in zip(check.rows, unique_names(check), strict=True):
        level = _level(check, row)
        if level:
            found.append((level, name, headline(check, row)))
    totals = Counter(level for level, _, _ in found)
    shown: Counter[Level] = Counter()
    commands = []
    for level, name, message in found:
        shown[level] += 1
        if totals[level] > _MOST_OF_A_LEVEL and shown[level] >= _MOST_OF_A_LEVEL:
            if shown[level] == _MOST_OF_A_LEVEL:
                more = totals[level] - _MOST_OF_A_LEVEL + 1
                commands.append(command(level, "bench check", f"{more} more rows; see the job's summary"))
            continue
        commands.append(command(level, name, message))
    return commands


def _level(check: Check, row: Row) -> Level | None:
    result = outcome(check, row)
    if result in ("failed", "error"):
        return "error"
    if row.verdict in ("regressed", "inconclusive"):
        return "warning"
    return "notice" if row.verdict == "improved" else None


def command(level: Level, title: str, message: str) -> str:
    """One workflow command; escaped as actions/toolkit does, so that nothing in it ends the line or the command."""
    return f"::{level} title={_escaped(title, ':,')}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    for sign in "%\r\n" + also:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def summary(check: Check) -> str:
    """The check as markdown for a job's summary, within GitHub's limit."""
    advisory = " (advisory: no proof)" if check.advisory else ""
    rows = [
        (name, headline(check, row), *_numbers(row)) for row, name in zip(check.rows, unique_names(check), strict=True)
    ]
    header = ("row", "verdict", "base ms", "new ms", "would be found")
    sections = [
        f"## bench check: {check.answer}{advisory}",
        table_lines(header, rows).replace("|:--|--:|", "|:--|:--|", 1),
        "\n".join(f"- {clean(note)}" for note in check.notes),
        f"{rule(check)[0].upper()}{rule(check)[1:]}.",
    ]
    text = "\n\n".join(section for section in sections if section) + "\n"
    encoded = text.encode("utf-8")
    if len(encoded) <= _MOST_SUMMARY_BYTES:
        return text
    return encoded[:_MOST_SUMMARY_BYTES].decode("utf-8", errors="ignore").rpartition("\n")[0] + _CUT


def _numbers(row: Row) -> tuple[str, str, str]:
    return (
        "-" if row.base_ms is None else f"{row.base_ms:.4g}",
        "-" if row.new_ms is None else f"{row.new_ms:.4g}",
        "-" if row.mde is None else f"{row.mde:+.1%}",
    )
