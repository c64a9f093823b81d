"""Where figures come from that this harness did not measure, and all that their sources state."""

from __future__ import annotations

from reports.markdown.evidence import MOST_LISTED
from reports.markdown.format import clean, code, number, table_lines
from reports.page import Page
from reports.records import CellRecord, Origin, Stated
from reports.table import column_of


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
    lines: dict[tuple[str, str], list[int]] = {}
    for cell, origin in shown:
        identity = cell.identity
        who = f"{column_of(cell).engine} on {identity.card}, {cell.provenance}"
        lines.setdefault((who, _source(origin)), []).append(identity.batch)
    parts.append(
        "\n".join(
            f"- {clean(who)}, batch size {', '.join(map(str, dict.fromkeys(batches)))}: {source}"
            for (who, source), batches in lines.items()
        )
    )
    if len(told) > len(shown):
        parts.append(f"And {len(told) - len(shown)} more.")
    return "\n\n".join(parts)


def _has_latency(stated: Stated) -> bool:
    return any(value is not None for value in (stated.mean_ms, stated.median_ms, stated.min_ms, stated.max_ms))


def _row(page: Page, cell: CellRecord) -> tuple[str, ...]:
    stated = cell.stated
    if stated is None:
        return (page.name(cell),)
    figures = (stated.mean_ms, stated.median_ms, stated.min_ms, stated.max_ms, stated.percentiles_ms.get("99"))
    return (
        page.name(cell),
        *(number(value, "{:.6g}") for value in figures),
        number(stated.count, "{:d}"),
        number(stated.fps, "{:.6g}"),
        number(stated.fps_per_card, "{:.6g}"),
    )


def _source(origin: Origin) -> str:
    """One source in words, its command and settings, and what a reader must know."""
    who = origin.tool + (f" {origin.version}" if origin.version else "")
    parts = [clean(who) + (f", {code(origin.source)}" if origin.source else "")]
    if origin.sha256:
        parts.append(f"SHA-256 {origin.sha256[:12]}…")
    if origin.command:
        parts.append(f"command {code(origin.command)}")
    elif origin.model:
        parts.append(f"model {code(origin.model)}")
    parts += [clean(f"{name}: {value}") for name, value in origin.settings.items()]
    text = "; ".join(parts) + "."
    return text + "".join(f" ⚠ {clean(remark).rstrip('.')}." for remark in origin.remarks)
