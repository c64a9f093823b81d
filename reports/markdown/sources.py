"""Where figures come from that this harness did not measure, and all that their sources state."""

from __future__ import annotations

from collections.abc import Sequence

from reports.markdown.evidence import MOST_LISTED
from reports.markdown.format import code, number, plain, table_lines
from reports.page import Page
from reports.records import CellRecord, Origin, Stated


def sources(page: Page) -> str:
    """A table of the figures as stated, then each source with what bears on its figures."""
    told = [(cell, cell.origin) for cell in page.cells if cell.origin is not None]
    if not told:
        return ""
    shown = told[:MOST_LISTED]
    parts = [
        "## Figures from elsewhere",
        "As other tools or publications give them, in milliseconds; - where they do not tell. Percentiles are by the"
        " source's own definition.",
    ]
    rows = [_row(page, cell) for cell, _ in shown if cell.stated and _has_latency(cell.stated)]
    header = ("Cell", "Mean", "Median", "Min", "Max", "p99", "Count", "FPS, as it counts them", "FPS per card, stated")
    used = [index for index in range(len(header)) if index == 0 or any(row[index] != "-" for row in rows)]
    if rows:
        parts.append(table_lines([header[i] for i in used], [[row[i] for i in used] for row in rows]))
    else:
        parts.pop()
    parts.append("\n".join(_lines(page, shown)))
    if len(told) > len(shown):
        parts.append(f"And {len(told) - len(shown)} more.")
    return "\n\n".join(parts)


def _has_latency(stated: Stated) -> bool:
    return any(value is not None for value in (stated.mean_ms, stated.median_ms, stated.min_ms, stated.max_ms))


def _row(page: Page, cell: CellRecord) -> tuple[str, ...]:
    stated = cell.stated
    if stated is None:
        return (plain(page.name(cell)),)
    figures = (stated.mean_ms, stated.median_ms, stated.min_ms, stated.max_ms, stated.percentiles_ms.get("99"))
    return (
        plain(page.name(cell)),
        *(number(value, "{:.6g}") for value in figures),
        number(stated.count, "{:d}"),
        number(stated.fps, "{:.6g}"),
        number(stated.fps_per_card, "{:.6g}"),
    )


def _lines(page: Page, told: Sequence[tuple[CellRecord, Origin]]) -> list[str]:
    """A line for every source, with all batch sizes that it is of; places in one publication share a line."""
    places: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for cell, origin in told:
        who = f"{cell.identity.backend} on {cell.identity.card}, {cell.provenance}"
        batches = places.setdefault((who, _maker(cell, origin), _about(origin)), {})
        batches.setdefault(_place(cell, origin), []).append(cell.identity.batch)
    return [
        f"- {plain(who)}: {maker}; {'; '.join(_batches(batches) + where for where, batches in each.items())}{about}"
        for (who, maker, about), each in places.items()
    ]


def _batches(batches: Sequence[int]) -> str:
    different = list(dict.fromkeys(batches))
    return f"batch {'size' if len(different) == 1 else 'sizes'} {', '.join(map(str, different))}"


def _maker(cell: CellRecord, origin: Origin) -> str:
    """The tool with its version, or the publication and the version of what it ran."""
    if cell.provenance == "published":
        return plain(origin.tool + (f"; {origin.version}" if origin.version else ""))
    return plain(origin.tool + (f" {origin.version}" if origin.version else ""))


def _place(cell: CellRecord, origin: Origin) -> str:
    """Where in its source a figure stands."""
    if not origin.source:
        return ""
    if cell.provenance == "published":
        return f" in {plain(origin.source)}"
    return f" in {code(origin.source)}" + (f", SHA-256 {origin.sha256[:12]}…" if origin.sha256 else "")


def _about(origin: Origin) -> str:
    """Its command or model, its settings, and what a reader must know."""
    parts = []
    if origin.command:
        parts.append(f"command {code(origin.command)}")
    elif origin.model:
        parts.append(f"model {code(origin.model)}")
    parts += [plain(f"{name}: {value}") for name, value in origin.settings.items()]
    text = "".join(f"; {part}" for part in parts) + "."
    remarks = "; ".join(plain(remark).rstrip(".") for remark in origin.remarks)
    return text + (f" Remarks: {remarks}." if remarks else "")
