"""Runs as a markdown report that a reader understands without other documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.markdown.comparing import published, ratios, roofline
from reports.markdown.context import method, problems, title
from reports.markdown.device_time import device_time
from reports.markdown.environment import environment
from reports.markdown.evidence import accuracy, every_cell, telemetry
from reports.markdown.format import table_lines
from reports.markdown.sources import sources
from reports.markdown.speed import fps, latency, plots_of
from reports.markdown.strips import samples
from reports.markdown.throughput import throughput
from reports.markdown.verdicts import verdicts
from reports.page import Page

__all__ = ["MARK", "render", "table_lines"]

#: First line of every report, invisible when rendered: what begins so is ours, and may be written anew.
MARK = "<!-- written by bench -->"


def render(page: Page, plots: Sequence[Path]) -> str:
    """The report. Plots are linked by file name, so they must lie beside it.

    Raises UnknownBaseline when what ratios are to be of is not in the runs.
    """
    page.check()
    sections = [title(page), *(ratios(page, table) for table in page.tables), verdicts(page), environment(page)]
    for table in page.tables:
        sections += [
            latency(page, table),
            fps(page, table),
            throughput(page, table),
            roofline(page, table),
            plots_of(table, plots, page),
        ]
    sections += [
        published(page),
        samples(page, plots),
        every_cell(page),
        device_time(page),
        accuracy(page),
        telemetry(page),
        problems(page),
        sources(page),
        method(page),
    ]
    return MARK + "\n" + "\n\n".join(section for section in sections if section) + "\n"
