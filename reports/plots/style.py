"""What all plots have in common: colours, legends, and where a picture comes from when it is passed on alone."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.groups import Figure as Value
from reports.page import Page
from reports.table import Column, ScopeTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colour-blind safe (Okabe & Ito 2008), distinct markers for print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.")

#: In inches: a letter of a legend, and what its line takes beside the letters.
_LETTER, _HANDLE = 0.072, 0.55
_LEGEND_LINE = 0.18
#: Letters of a line of a name.
_NAME = 52
#: Letters of an origin's small print that fit into an inch.
_LETTERS_AN_INCH = 18


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    """Another one where the colours begin anew, so that no two columns look the same."""
    return MARKERS[(index + index // len(COLOURS)) % len(MARKERS)]


def line(index: int) -> str:
    return LINES[index // len(COLOURS) % len(LINES)]


def origin(page: Page, table: ScopeTable, width: float = 7.0) -> str:
    """What a picture must say when it is passed on alone: how its figures were obtained, on what, and when.

    Broken into lines for a picture of `width` inches.
    """
    kinds: list[str] = list(dict.fromkeys(column.provenance for column in table.columns))
    if "simulated" in kinds:
        others = [kind for kind in kinds if kind != "simulated"]
        kinds = [*others, "partly SIMULATED"] if others else ["SIMULATED, not measured"]
    cards = ", ".join(sorted({column.card for column in table.columns}))
    starts = sorted(run.run.started for run in page.runs)
    when = starts[0] if starts[0] == starts[-1] else f"{starts[0]} to {starts[-1]}"
    text = f"{table.workload} · {', '.join(kinds)} on {cards} · {when}"
    return literal("\n".join(textwrap.wrap(text, int(width * _LETTERS_AN_INCH))))


def label(column: Column, table: ScopeTable) -> str:
    return literal(column.title(table.columns))


def folded(name: str, letters: int = _NAME) -> str:
    """A name in lines that leave room for the figures; of a very long one the first three."""
    return "\n".join(textwrap.wrap(name, letters, max_lines=3, placeholder="…"))


def literal(text: str) -> str:
    """Text in which matplotlib sees no formula: a name is none, and a faulty one would cost the plot."""
    return text.replace("$", r"\$")


def interval_words(figures: Sequence[Value | None]) -> str:
    """What the intervals of these figures are: those within a process say nothing of other processes."""
    told = [figure for figure in figures if figure is not None and figure.low is not None]
    kinds = {figure.invocations > 1 for figure in told}
    if not told:
        return "no intervals known"
    if len(kinds) == 2:
        return "95 % interval (between processes, or within the only one)"
    return f"95 % interval {'between processes' if kinds == {True} else 'within one process'}"


def legend(figure: Figure, axes: Axes) -> None:
    """Above the axes, in as many columns as fit, for which the figure grows."""
    names = axes.get_legend_handles_labels()[1]
    if not names:
        return
    width, height = figure.get_size_inches()
    columns = max(1, min(4, len(names), int(width / (_HANDLE + _LETTER * max(map(len, names))))))
    rows = -(-len(names) // columns)
    figure.set_size_inches(width, height + _LEGEND_LINE * max(0, rows - 2))
    small = columns == 1 and _HANDLE + _LETTER * max(map(len, names)) > width
    figure.legend(loc="outside upper right", ncols=columns, frameon=False, fontsize=6 if small else 8)
