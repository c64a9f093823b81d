"""What all plots have in common: colours, and where a picture comes from when it is passed on alone."""

from __future__ import annotations

from reports.page import Page
from reports.table import Column, ScopeTable

#: Colour-blind safe (Okabe & Ito 2008), distinct markers for print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def origin(page: Page, table: ScopeTable) -> str:
    """What a picture must say when it is passed on alone: how its figures were obtained, on what, and when."""
    kinds = dict.fromkeys(column.provenance for column in table.columns)
    kind = "SIMULATED, not measured" if "simulated" in kinds else ", ".join(kinds)
    cards = ", ".join(sorted({column.card for column in table.columns}))
    starts = sorted(run.run.started for run in page.runs)
    when = starts[0] if len(starts) == 1 else f"{starts[0]} to {starts[-1]}"
    return f"{table.workload} · {kind} on {cards} · {when}"


def label(column: Column, table: ScopeTable) -> str:
    return column.title(table.columns)
