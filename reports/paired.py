"""A check of two sides measured in pairs, for people: a table, what it means, and a page of markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.markup import escape
from rich.table import Table

from reports.markdown import MARK
from reports.markdown.format import clean, code, number, table_lines
from reports.records import RunRecord
from reports.regression import Check, Row
from reports.verdicts.terminal import shortened

_HEADER = ("row", "base ms", "new ms", "change", "bounds", "sd", "pairs", "found", "verdict")
#: Left out of a table that is narrower than this.
_NOISE = ("sd", "pairs")
_WIDE = 100
_NOT_KNOWN = "not recorded"
_MOST = 10.0
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class SideTold:
    """One side in words: what sets it apart (empty where nothing does), its run file, and that file's header."""

    name: str
    told: str
    file: str
    header: RunRecord | None


def table(check: Check, width: int = 80) -> Table:
    """One row a row of the check; what names share is in the title. Below 100 columns without the noise of pairs."""
    names = [row.name for row in check.rows]
    alone = len(names) == 1
    names, shared = ([], names[0]) if alone else shortened(names)
    shown = Table(
        title=escape(clean(f"new against base{', ' if shared else ''}{shared}")), title_justify="left",
        box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False,
    )  # fmt: skip
    left_out = (*(("row",) if alone else ()), *(() if width >= _WIDE else _NOISE))
    header = [name for name in _HEADER if name not in left_out]
    for name in header:
        left = name in ("row", "verdict")
        least = 12 if left else None
        shown.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=not left, min_width=least)
    for row, name in itertools.zip_longest(check.rows, names):
        cells = dict(zip(_HEADER, _cells(row), strict=True)) | {"row": name}
        shown.add_row(*(escape(clean(cells[name])) for name in header))
    return shown


def _cells(row: Row) -> tuple[str, ...]:
    bounds = "-" if row.low is None or row.high is None else f"{_share(row.low)}..{_share(row.high)}"
    return (
        row.name,
        number(row.base_ms, "{:.4g}"),
        number(row.new_ms, "{:.4g}"),
        "-" if row.change is None else _share(row.change),
        bounds,
        number(row.sd, "{:.1%}"),
        str(row.pairs) if row.pairs else "-",
        "-" if row.mde is None else _share(row.mde, sign=""),
        "inaccurate" if row.inaccurate else row.verdict,
    )


def _share(value: float, sign: str = "+") -> str:
    """A share in per cent; beyond ten times the base only that, which few pairs of a noisy row come to."""
    return f"{value:{sign}.1%}" if value <= _MOST else f"over {sign}{_MOST:.0%}"


def sentences(check: Check) -> Iterator[str]:
    """What the check means, then what a reader should know; a sentence or two each."""
    yield _answer(check)
    for row in check.rows:
        if row.reason:
            yield f"{row.name} was not measured: {row.reason.removesuffix('.')}."
    for row in check.rows:
        if row.remeasured and row.verdict in ("unchanged", "inconclusive", "improved"):
            yield f"{row.name} looked slower at first; measured again it did not; all its pairs together were judged."
    if detectable := [row.mde for row in check.rows if row.mde is not None]:
        least, most = min(detectable), max(detectable)
        span = _share(most, sign="")
        if _share(least, sign="") != span:
            span = f"{_share(least, sign='')} to {span}, depending on the row,"
        yield f"A slow-down of {span} would have been found 95 times in 100."
    yield from check.notes


def _answer(check: Check) -> str:
    rows = check.rows
    match check.answer:
        case "regressed":
            slower = check.named("regressed")
            worst = max(slower, key=lambda row: row.change or 0.0)
            at_least = f" (at least {worst.low:.1%})" if worst.low is not None else ""
            twice = ", in each of two measurements" if worst.remeasured else ""
            which = "" if len(slower) == 1 else f"{len(slower)} of {len(rows)} rows are slower; the most: "
            return f"Regressed: {which}{worst.name} takes {worst.change or 0.0:.1%} longer{at_least}{twice}."
        case "inaccurate":
            return "Inaccurate: outputs of the new side are wrong where those of the base are right."
        case "nothing comparable":
            return "Nothing could be compared."
        case "incomplete":
            return f"Incomplete: {len(check.named('not measured'))} of {len(rows)} rows could not be measured."
        case "inconclusive":
            names = ", ".join(row.name for row in check.named("inconclusive"))
            return (
                f"Inconclusive: {names}: neither a slow-down of more than {check.margin:.1%} nor one below"
                f" {check.tolerated:.1%} is shown; take more --pairs, or a quieter machine."
            )
        case "passed":
            every = "the row is" if len(rows) == 1 else f"all {len(rows)} rows are"
            return f"Passed: {every} shown to be less than {check.tolerated:.1%} slower."


def rule(check: Check) -> str:
    """The rule that the rows were held to."""
    return (
        f"Regressed: slower by more than {check.margin:.1%}, found in two measurements one after another, with at most"
        f" {check.alpha:.0%} false alarms over all rows. Improved: faster by more than {check.margin:.1%}. Unchanged:"
        f" shown to be less than {check.tolerated:.1%} slower. Bounds are one-sided, each with {1 - check.alpha:.0%}"
        " confidence. Each pair is two fresh processes; which of them is first alternates. The change is that of pairs,"
        " and where these take turns of neighbouring turns, so it is steadier than the ratio of the two columns in ms,"
        " which are medians of everything. Rows whose pairs differ by"
        " more than 2 % (standard deviation) take more of them and are judged by signed ranks instead of Student's t."
    )


def markdown(check: Check, sides: Sequence[SideTold]) -> str:
    """The check as a page of its own."""
    shown = table_lines(_HEADER, map(_cells, check.rows))
    sections = [
        f"# Regression check: {check.answer}",
        "\n".join(f"- {clean(line)}" for line in sentences(check)),
        shown,
        _differing(sides),
        "## The sides\n\n" + "\n".join(f"- {_side(side)}" for side in sides),
        f"## How it was judged\n\n{rule(check)}",
    ]
    return MARK + "\n" + "\n\n".join(sections) + "\n"


def _side(side: SideTold) -> str:
    told = f": {code(side.told)}" if side.told else ": as everything else"
    return f"{side.name}{told}; every invocation is in {code(side.file)}"


def _differing(sides: Sequence[SideTold]) -> str:
    """What the headers of the two run files do not share."""
    facts = [_facts(side.header) for side in sides if side.header]
    rows = [
        (what, *(side.get(what, _NOT_KNOWN) for side in facts))
        for what in dict.fromkeys(what for side in facts for what in side)
        if len({side.get(what) for side in facts}) > 1
    ]
    if not rows:
        return "## What differs\n\nNothing that the run files tell of: harness, packages, Python, model, inputs."
    shown = table_lines(("what", *(side.name for side in sides)), rows).replace("--:|", ":--|")
    return f"## What differs\n\n{shown}"


def _facts(header: RunRecord) -> dict[str, str]:
    facts = {f"package {name}": version for name, version in header.packages.items()}
    if header.git:
        dirty = " with uncommitted changes" if header.git.dirty else ""
        facts["harness"] = f"{header.git.commit[:_DIGITS]}{dirty}"
    if header.host:
        facts |= {"host": header.host.name, "CPU": header.host.cpu, "Python": header.host.python}
    facts["model"] = header.workload.model_sha256[:_DIGITS]
    facts["inputs"] = header.workload.inputs_sha256[:_DIGITS]
    return facts
