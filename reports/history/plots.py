"""Cells over time as PNG files: a panel a batch size, a line a column, changes of code and packages marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reports.files import atomic_path
from reports.history.series import Change, Point, Series
from reports.plots import style
from reports.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Figure = Literal["latency", "fps"]
FIGURES: tuple[Figure, ...] = ("latency", "fps")

#: More lines with words would hide the points; further changes are ticks at the bottom.
_MOST_WORDS = 6
#: Intervals of more points than this are drawn as a band.
_MOST_BARS = 80
#: Digits of a hash that tell two apart.
_DIGITS = 8
_LABELS = {
    "latency": "median latency of a batch (ms)",
    "fps": "images a second and card (derived)",
}


def names(series: Sequence[Series], include_flagged: bool = False) -> list[str]:
    """File names that `draw` writes: `history-<scope>-<figure>.png`."""
    return [f"history-{scope}-{figure}.png" for scope in _scopes(series, include_flagged) for figure in FIGURES]


def draw(
    series: Sequence[Series], changes: Sequence[Change], folder: Path, include_flagged: bool = False
) -> list[Path]:
    """Write the plots, each whole or not at all. Raises OSError."""
    # The object interface, not pyplot: no global state, and no display is ever looked for.
    from matplotlib import figure as interface

    written = []
    for scope in _scopes(series, include_flagged):
        rows = [one for one in series if one.key.scope == scope]
        batches = sorted({one.key.batch for one in rows})
        columns = {title: index for index, title in enumerate(dict.fromkeys(titles(rows)))}
        for figure in FIGURES:
            across = min(2, len(batches))
            down = math.ceil(len(batches) / across)
            canvas = interface.Figure(figsize=(1 + 5.2 * across, 1.2 + 2.6 * down), dpi=130, layout="constrained")
            panels = list(canvas.subplots(down, across, squeeze=False, sharex=True).flatten())
            for axes, batch in zip(panels, batches, strict=False):
                for one, title in zip(rows, titles(rows), strict=True):
                    if one.key.batch == batch:
                        _line(axes, one, title, columns[title], figure, include_flagged)
                _mark(axes, changes, words=axes in panels[:across])
                axes.set_title(f"batch size {batch}", loc="left", fontsize=9)
                _dress(axes)
            for axes in panels[len(batches) :]:
                axes.set_axis_off()
            _around(canvas, panels[: len(batches)], rows, scope, figure)
            path = folder / f"history-{scope}-{figure}.png"
            with atomic_path(path) as temporary:
                canvas.savefig(temporary, format="png")
            written.append(path)
    return written


def _scopes(series: Sequence[Series], include_flagged: bool) -> list[str]:
    return list(dict.fromkeys(one.key.scope for one in series if any(p.latency for p in one.points)))


def titles(series: Sequence[Series]) -> list[str]:
    """A name for every series without its batch size and scope: the backend, and whatever tells several apart."""
    parts = [[one.key.label] for one in series]
    for fact in (
        lambda one: "SIMULATED" if one.key.simulated else "",
        lambda one: one.key.precision,
        lambda one: one.key.workload,
        lambda one: one.key.device,
        lambda one: one.key.card,
        lambda one: one.host,
        lambda one: f"model {one.model[:_DIGITS]}",
        lambda one: f"inputs {one.inputs[:_DIGITS]}",
    ):
        _tell_apart(parts, [fact(one) for one in series])
    return [" ".join(filter(None, words)) for words in parts]


def _tell_apart(parts: Sequence[list[str]], facts: Sequence[str]) -> None:
    """Add a fact to all names of which some are alike without it, and not with it."""
    alike: dict[tuple[str, ...], set[str]] = {}
    for words, fact in zip(parts, facts, strict=True):
        alike.setdefault(tuple(words), set()).add(fact)
    if any(len(values) > 1 for values in alike.values()):
        for words, fact in zip(parts, facts, strict=True):
            words.append(fact)


def _line(axes: Axes, one: Series, title: str, index: int, figure: Figure, include_flagged: bool) -> None:
    colour, marker = style.colour(index), style.marker(index)
    counted = [(p, value) for p in one.shown(include_flagged) if (value := _value(p, figure))]
    flagged = [(p, value) for p in one.points if p.flagged and not include_flagged and (value := _value(p, figure))]
    when = [_number(point.when) for point, _ in counted]
    values = [value for _, value in counted]
    look: dict[str, Any] = {"color": colour, "linewidth": 0.9, "label": title}
    if len(counted) > _MOST_BARS:
        low, high = _limits(values)
        axes.fill_between(when, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(when, [value.estimate for value in values], **look | {"linewidth": 0.7})
    elif counted:
        low, high = _limits(values)
        below = [value.estimate - limit for value, limit in zip(values, low, strict=True)]
        above = [limit - value.estimate for value, limit in zip(values, high, strict=True)]
        axes.errorbar(when, [value.estimate for value in values], yerr=[below, above], marker=marker, markersize=4,
                      capsize=2, elinewidth=0.7, **look)  # fmt: skip
    if flagged:
        axes.plot(
            [_number(point.when) for point, _ in flagged], [value.estimate for _, value in flagged],
            linestyle="none", color=colour, marker=marker, markersize=4, fillstyle="none",
            label=None if counted else title,
        )  # fmt: skip


def _value(point: Point, figure: Figure) -> Interval | None:
    return point.latency if figure == "latency" else point.fps


def _limits(values: Sequence[Interval]) -> tuple[list[float], list[float]]:
    """The ends of the intervals; the value itself where there is none."""
    low = [v.estimate if math.isnan(v.low) else min(v.estimate, v.low) for v in values]
    high = [v.estimate if math.isnan(v.high) else max(v.estimate, v.high) for v in values]
    return low, high


def _mark(axes: Axes, changes: Sequence[Change], words: bool) -> None:
    """Changes of packages as lines with words, changes of the code alone as ticks; few of those are lines, too."""
    packages = [change for change in changes if change.packages]
    code = [change for change in changes if not change.packages]
    told = packages[-_MOST_WORDS:] + (code if len(code) <= _MOST_WORDS else [])
    for change in told:
        axes.axvline(_number(change.when), color="#888888", linewidth=0.7, linestyle="--" if change.packages else ":")
        if words:
            axes.annotate(
                _words(change), xy=(_number(change.when), 1.0), xycoords=("data", "axes fraction"), xytext=(2, -2),
                textcoords="offset points", rotation=90, va="top", fontsize=5.5, color="#555555", annotation_clip=True,
            )  # fmt: skip
    shown = set(map(id, told))
    ticks = [_number(change.when) for change in changes if id(change) not in shown]
    axes.plot(ticks, [0.0] * len(ticks), "|", transform=axes.get_xaxis_transform(), color="#888888", markersize=5)


def _words(change: Change) -> str:
    parts = list(change.packages[:2]) + (["..."] if len(change.packages) > 2 else [])
    return ", ".join(parts) or change.commit[:7]


def _number(when: datetime) -> float:
    """A time as matplotlib counts it."""
    from matplotlib.dates import date2num

    return float(date2num(when))  # type: ignore[no-untyped-call]


def _dress(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.tick_params(labelsize=7, labelbottom=True)
    axes.xaxis.get_offset_text().set_fontsize(7)
    axes.set_axisbelow(True)
    axes.grid(True, axis="y", alpha=0.3)


def _around(canvas: Canvas, panels: Sequence[Axes], rows: Sequence[Series], scope: str, figure: Figure) -> None:
    """The legend, each line once, and what a picture must say when it is passed on alone."""
    entries: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(str(label), handle)
    if entries:
        canvas.legend(
            list(entries.values()), list(entries), loc="outside upper left", ncols=4, frameon=False, fontsize=7.5
        )
    kind = "SIMULATED, not measured" if any(one.key.simulated for one in rows) else "measured"
    workloads = ", ".join(sorted({one.key.workload for one in rows}))
    canvas.supylabel(f"{_LABELS[figure]}\nbars or band: 95 % interval", fontsize=8)
    canvas.supxlabel(
        f"{workloads}, {scope} · {kind} · hollow: flagged · dashed: packages changed, dotted or ticks: code changed",
        fontsize=6.5,
    )
