"""A comparison of two sets of runs, for the terminal and as markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from reports.fingerprint import commits
from reports.markdown import MARK
from reports.markdown.format import clean, code, number, table_lines
from reports.matching import Held
from reports.records import RunRecord
from reports.stored.comparison import AccuracyFigures, ComparedCell, RunComparison, accuracy_of

_HEADER = ("cell", "base ms", "new ms", "new / base", "95 % interval", "base FPS/card", "new FPS/card", "verdict")
#: Names of more rows than this are counted instead.
_NAMED = 4


#: Narrower terminals show no FPS per card; the file does.
WIDE = 96


def table(comparison: RunComparison, width: int = WIDE) -> Table:
    """One row a cell that both sides hold, for a terminal of `width` columns; what all cells share is in the title."""
    wide = width >= WIDE
    shared, names = _short_names(comparison)
    simulated = " (SIMULATED)" if comparison.simulated else ""
    shown = Table(
        title=escape(clean(f"{comparison.new_name} against {comparison.base_name}{shared}{simulated}")),
        title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False,
    )  # fmt: skip
    fps = ("base FPS", "new FPS") if wide else ()
    for name in ("cell", "base ms", "new ms", "ratio", "95 %", *fps, "verdict"):
        left = name in ("cell", "verdict")
        shown.add_column(name, justify="left" if left else "right", no_wrap=not left, min_width=13 if left else None)
    for cell, name in zip(comparison.cells, names, strict=True):
        base, new, ratio = cell.match.base, cell.match.new, cell.ratio
        known = ratio is not None and ratio.low is not None
        row = (
            name + (" *" if cell.remarks else ""),
            *(number(cell.median_ms(side), "{:.4g}") for side in (base, new)),
            f"{ratio.value:.3f}" if ratio else "-",
            f"{ratio.low:.3f}-{ratio.high:.3f}" if ratio and known else "-",
            *(number(cell.fps_per_card(side), "{:.4g}") for side in (base, new) if wide),
            cell.verdict,
        )
        shown.add_row(*(escape(clean(value)) for value in row))
    return shown


def _short_names(comparison: RunComparison) -> tuple[str, list[str]]:
    """What the cells share of precision and scope, as `: fp32, compute`, and their names without it."""
    keys = [cell.match.key for cell in comparison.cells]
    common = [one for one in ("precision", "scope") if len({getattr(key, one) for key in keys}) == 1]
    shared = [str(getattr(keys[0], one)) for one in common]
    names = []
    for key, name in zip(keys, row_names(comparison), strict=True):
        gone = {str(getattr(key, one)) for one in common}
        names.append(" ".join(word for word in name.split(" ") if word not in gone))
    return f": {', '.join(shared)}" if shared else "", names


def lines(comparison: RunComparison) -> Iterator[str]:
    """What belongs below the table: what was not compared and why, remarks, what differs, notes."""
    yield from map(clean, _lines(comparison))


def _lines(comparison: RunComparison) -> Iterator[str]:
    for reason, where in _gathered(comparison, lambda cell: [cell.reason] if cell.reason else []):
        yield f"not compared: {where}: {reason}"
    for remark, where in _gathered(comparison, lambda cell: cell.remarks):
        yield f"* {where}: {remark}"
    for side, cells in (("base", comparison.matching.only_base), ("new", comparison.matching.only_new)):
        if cells:
            yield f"only in the {side}: {', '.join(map(_title, cells))}"
    for what, base, new, where in difference_rows(comparison):
        yield f"differs: {what}: {new} against {base}" + ("" if where == _ALL else f" ({where})")
    base, new = commits(comparison.base), commits(comparison.new)
    yield f"harness: {new} against {base}" if base != new else f"harness: {new} on both sides"
    yield from comparison.warnings
    yield from comparison.notes()


_ALL = "all cells"


def _gathered(comparison: RunComparison, of: Callable[[ComparedCell], Sequence[str]]) -> list[tuple[str, str]]:
    """Every remark once, with the cells that it is on."""
    found: dict[str, list[ComparedCell]] = {}
    for cell in comparison.cells:
        for remark in of(cell):
            found.setdefault(remark, []).append(cell)
    return [(remark, _where(comparison, cells)) for remark, cells in found.items()]


def _where(comparison: RunComparison, cells: Sequence[ComparedCell], of: int | None = None) -> str:
    """The cells by name, or how many where there are many; `of` is how many there could be."""
    every = len(comparison.cells) if of is None else of
    if len(cells) == every and every > 1:
        return _ALL
    if len(cells) > _NAMED:
        return f"{len(cells)} of {every} cells"
    names = dict(zip(map(id, comparison.cells), row_names(comparison), strict=True))
    return ", ".join(names[id(cell)] for cell in cells)


def markdown(comparison: RunComparison) -> str:
    """The comparison as a page of its own."""
    banner = (
        "> **SIMULATED: some figures below come from a test double, not from a device.**"
        if comparison.simulated
        else ""
    )
    sections = [
        f"# {clean(comparison.new_name)} against {clean(comparison.base_name)}",
        banner,
        "Ratios are new over base, of median latencies: above 1.0 the new side takes longer.",
        table_lines(_HEADER, _rows(comparison)),
        _bullets("## Notes", comparison.notes()),
        _not_compared(comparison),
        _accuracy(comparison),
        _differing(comparison),
        _sides(comparison),
        _METHOD,
    ]
    return MARK + "\n" + "\n\n".join(section for section in sections if section) + "\n"


_METHOD = """## How this was compared

- Cells are the same by workload, backend with its options, card, device, executed precision, batch size and scope. \
Wrong, failed and flagged cells have no verdict.
- Several processes on both sides: Welch's interval on the logarithms of their medians, each process counting once. \
One process on a side: the medians' own intervals, combined on logarithms, and the verdict is advisory.
- slower, faster: the whole interval lies beyond a change of 1 %. same within 1 % or 3 %: the whole interval lies \
within. Else inconclusive: measure more."""


def row_names(comparison: RunComparison) -> list[str]:
    """Names of the compared cells, with card, device and workload where they tell rows apart."""
    keys = [cell.match.key for cell in comparison.cells]
    apart = [name for name in ("workload", "card", "device") if len({getattr(key, name) for key in keys}) > 1]
    names = []
    for key in keys:
        parts = [f"{key.label} bs{key.batch} {key.precision} {key.scope}"]
        parts += [str(getattr(key, name)) for name in apart]
        names.append(clean(" ".join(parts) + (" SIMULATED" if key.simulated else "")))
    return names


def _rows(comparison: RunComparison) -> Iterator[tuple[str, ...]]:
    for cell, name in zip(comparison.cells, row_names(comparison), strict=True):
        base, new = cell.match.base, cell.match.new
        yield (
            name + (" *" if cell.remarks else ""),
            *(number(cell.median_ms(side), "{:.4g}") for side in (base, new)),
            *_ratio(cell),
            *(number(cell.fps_per_card(side), "{:.4g}") for side in (base, new)),
            cell.verdict,
        )


def _ratio(cell: ComparedCell) -> tuple[str, str]:
    ratio = cell.ratio
    if ratio is None:
        return "-", "-"
    if ratio.low is None or ratio.high is None:
        return f"{ratio.value:.4f}", "-"
    return f"{ratio.value:.4f}", f"{ratio.low:.4f} to {ratio.high:.4f}"


def difference_rows(comparison: RunComparison) -> list[tuple[str, str, str, str]]:
    """(what, base, new, the cells it concerns) of everything that the sides do not share."""
    both = sum(1 for cell in comparison.cells if cell.match.base.with_median and cell.match.new.with_median)
    return [(one.what, one.base, one.new, _where(comparison, cells, both)) for one, cells in comparison.differences]


def _not_compared(comparison: RunComparison) -> str:
    items = [
        f"{where}: not compared: {reason}"
        for reason, where in _gathered(comparison, lambda cell: [cell.reason] if cell.reason else [])
    ]
    items += [f"{where} *: {remark}" for remark, where in _gathered(comparison, lambda cell: cell.remarks)]
    items += [f"only in the base: {_title(one)}" for one in comparison.matching.only_base]
    items += [f"only in the new run: {_title(one)}" for one in comparison.matching.only_new]
    return _bullets("## What to know", [*items, *comparison.warnings])


def _title(one: Held) -> str:
    return one.key.title() + (f" ({one.against})" if one.against else "")


def _bullets(title: str, items: Sequence[str]) -> str:
    return "\n".join([title, "", *(f"- {clean(item)}" for item in items)]) if items else ""


def _accuracy(comparison: RunComparison) -> str:
    rows = []
    for cell, name in zip(comparison.cells, row_names(comparison), strict=True):
        base, new = accuracy_of(cell.match.base), accuracy_of(cell.match.new)
        if base is None and new is None:
            continue
        rows.append((name, *_figures(base), *_figures(new), "same" if base == new else "changed"))
    if not rows:
        return ""
    header = ("cell", *(f"{side} {what}" for side in ("base", "new") for what in ("max abs", "PSNR (dB)", "SSIM")), "")
    text = (
        "## Accuracy\n\nAgainst each run's own fp32 reference; the worst of all outputs and images. A dash under PSNR"
    )
    return text + f": equal to the reference, or not told.\n\n{table_lines(header, rows)}"


def _figures(figures: AccuracyFigures | None) -> tuple[str, str, str]:
    if figures is None:
        return "-", "-", "-"
    return (
        number(figures.max_abs, "{:.3g}"),
        number(figures.psnr_db, "{:.1f}"),
        number(figures.ssim, "{:.6f}"),
    )


def _differing(comparison: RunComparison) -> str:
    rows = difference_rows(comparison)
    if not rows:
        return "## What differs\n\nNothing that the run files tell of: host, packages, driver, settings, model, inputs."
    shown = table_lines(("what", "base", "new", "cells"), rows).replace("--:|", ":--|")
    return f"## What differs\n\n{shown}"


def _sides(comparison: RunComparison) -> str:
    rows = [
        (role, run.id, run.started, run.host.name if run.host else "-", commits([run]), code(" ".join(run.command)))
        for role, runs in (("base", comparison.base), ("new", comparison.new))
        for run in _first(runs)
    ]
    header = ("", "Run", "Started", "Host", "Harness", "Command")
    return "## The runs\n\n" + table_lines(header, rows).replace("--:|", ":--|") + _more(comparison)


_LISTED = 20


def _first(runs: Sequence[RunRecord]) -> Sequence[RunRecord]:
    return runs[:_LISTED]


def _more(comparison: RunComparison) -> str:
    left = [f"{len(runs) - _LISTED} more runs of the {role}" for role, runs in
            (("base", comparison.base), ("new", comparison.new)) if len(runs) > _LISTED]  # fmt: skip
    return f"\n\nAnd {' and '.join(left)}." if left else ""
