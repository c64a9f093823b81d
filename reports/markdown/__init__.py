"""A run as a markdown report that a reader understands without other documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.markdown.context import environment, method, problems, title
from reports.markdown.evidence import accuracy, every_cell, telemetry, verdicts
from reports.markdown.format import table_lines
from reports.markdown.speed import fps, latency, pictures, samples, throughput
from reports.records import Run
from reports.table import by_scope, find_baseline

__all__ = ["MARK", "UnknownBaseline", "render", "table_lines"]

#: First line of every report, invisible when rendered: what begins so is ours, and may be written anew.
MARK = "<!-- written by bench -->"


class UnknownBaseline(ValueError):  # noqa: N818 - reads as what is wrong
    """`--baseline` names a backend that the run does not hold."""


def render(
    run: Run,
    plots: Sequence[Path],
    baseline: str | None = None,
    include_flagged: bool = False,
    source: str = "run.jsonl",
) -> str:
    """The report. Plots are linked by file name, so they must lie beside it; so does `source`, the run file.

    Cells that a verdict went against are left out of ratios unless `include_flagged`. Raises UnknownBaseline when
    `baseline` is no column of the run.
    """
    sections = [title(run), verdicts(run, include_flagged), environment(run)]
    for table in by_scope(run, include_flagged):
        column = find_baseline(table, baseline)
        if baseline is not None and column is None:
            known = ", ".join(other.label for other in table.columns)
            raise UnknownBaseline(f"--baseline {baseline}: the run holds {known}; name one of these.")
        sections += [latency(table), fps(table, column), throughput(table), pictures(table, plots)]
    sections += [
        samples(run, plots),
        every_cell(run),
        accuracy(run),
        telemetry(run),
        problems(run),
        method(run, source),
    ]
    return MARK + "\n" + "\n\n".join(section for section in sections if section) + "\n"
