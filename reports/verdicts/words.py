"""A check's rows in words, and as the outcome that other tools know."""

from __future__ import annotations

from typing import Literal

from reports.markdown.format import clean
from reports.regression import Check, Row

_TESTS = {"student": "Student's t", "signed rank": "signed ranks", "welch": "Welch's t", "": "no test"}

Outcome = Literal["passed", "failed", "error", "skipped"]


def outcome(check: Check, row: Row) -> Outcome:
    """How a test's report would call it. What is advisory or inconclusive neither failed nor passed."""
    if row.inaccurate:
        return "failed"
    if row.verdict == "not measured":
        return "error"
    if row.verdict == "inconclusive" or check.advisory:
        return "skipped"
    return "failed" if row.verdict == "regressed" else "passed"


def headline(check: Check, row: Row) -> str:
    """The verdict in a line: `regressed: +5.1 % (+3.9 % to +6.2 %)`."""
    advisory = " (advisory)" if check.advisory and row.verdict != "not measured" else ""
    if row.verdict == "not measured":
        return clean(f"{'inaccurate' if row.inaccurate else 'not measured'}: {row.reason}")
    change = "" if row.change is None else f": {row.change:+.1%}"
    if row.low is not None and row.high is not None:
        change += f" ({row.low:+.1%} to {row.high:+.1%})"
    return f"{row.verdict}{advisory}{change}"


def figures(check: Check, row: Row) -> list[str]:
    """All figures of a row, one a line."""
    lines = [headline(check, row)]
    if row.base_ms is not None and row.new_ms is not None:
        lines.append(f"median latency: {row.new_ms:.6g} ms against {row.base_ms:.6g} ms of the base")
    if row.low is not None or row.high is not None:
        lines.append(f"bounds: one-sided, each with {1 - check.alpha:.0%} confidence")
    if row.pairs:
        again = ", measured again since it failed once" if row.remeasured else ""
        lines.append(f"{row.pairs} pairs of processes{again}, judged by {_TESTS[row.test]}")
    if row.sd is not None:
        what = "a pair" if check.mode == "paired" else "two sessions"
        lines.append(f"noise: {row.sd:.2%} (standard deviation of the differences of {what})")
    if row.mde is not None:
        lines.append(f"a slow-down of {row.mde:.1%} would be found 95 times in 100")
    return lines


def rule(check: Check) -> str:
    """The rule that the rows were held to, in a sentence."""
    return (
        f"regressed: slower by more than {check.margin:.1%}, at most {check.alpha:.0%} false alarms over all rows;"
        f" unchanged: shown to be less than {check.tolerated:.1%} slower"
    )


def unique_names(check: Check) -> list[str]:
    """A name a row, in one line, none empty and no two alike."""
    names: list[str] = []
    for row in check.rows:
        name = plain = clean(row.name) or "row"
        count = 1
        while name in names:
            count += 1
            name = f"{plain} ({count})"
        names.append(name)
    return names
