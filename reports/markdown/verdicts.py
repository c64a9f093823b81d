"""Which cells hold up, and what speaks against the others."""

from __future__ import annotations

from collections.abc import Sequence

from reports import flags
from reports.markdown.format import plain
from reports.page import Page
from reports.records import CellRecord, Provenance

#: From here on what others did is told beside the verdicts.
_BUSY_CORES = 0.5
_BUSY_STEAL = 0.05
_MOST_FLAGGED = 40
#: What this harness itself obtains; a simulated figure is never counted among the measured ones.
_OWN: tuple[Provenance, ...] = ("measured", "simulated")


def verdicts(page: Page) -> str:
    """How many cells hold up, and what speaks against the others, in words."""
    own = [cell for cell in page.cells if cell.provenance in _OWN]
    others = [cell for cell in page.cells if cell.status == "ok" and cell.provenance not in _OWN]
    measured = [cell for cell in own if cell.status == "ok"]
    if not own and not others:
        return ""
    checked = [cell for cell in measured if cell.flags]
    flagged = [cell for cell in [*checked, *others] if flags.short(cell)]
    old = flags.unchecked(page.runs)
    paragraphs = [
        "## Verdicts",
        *(_headline(page, [cell for cell in own if cell.provenance == kind], kind) for kind in _OWN),
        f"⚠ {plain(old)}" if old else "",
        _elsewhere(others),
        _noise(measured),
    ]
    if flagged or old:
        paragraphs.append(
            "Flagged cells (⚠) are in the ratios of this report only because `--include-flagged` was given."
            if page.request.include_flagged
            else "The figures of flagged cells (⚠) are shown, but left out of ratios."
        )
    if flagged:
        paragraphs[-1] += " What speaks against these cells:"
        lines = [f"- ⚠ {plain(line)}." for line in page.against(flagged)]
        more = len(lines) - _MOST_FLAGGED
        if more > 0:
            lines = [*lines[:_MOST_FLAGGED], f"- ⚠ and {more} more: see the column flags of the CSV file."]
        paragraphs.append("\n".join(lines))
    if any(cell.flags and not (cell.flags.converged and cell.flags.steady) for cell in checked):
        paragraphs.append("More time (`--max-time`) or a quieter machine makes intervals narrower.")
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _elsewhere(others: list[CellRecord]) -> str:
    """One sentence on figures that this harness did not measure."""
    if not others:
        return ""
    imported = sum(cell.provenance == "imported" for cell in others)
    published = len(others) - imported
    kinds = [
        f"{count} {'figure is' if count == 1 else 'figures are'} {what}"
        for count, what in ((imported, "imported from other tools' logs"), (published, "published ones"))
        if count
    ]
    return (
        f"{' and '.join(kinds).capitalize()}: this harness measured none of these, and nothing shows that the outputs"
        " behind them were right."
    )


def _headline(page: Page, cells: Sequence[CellRecord], kind: str) -> str:
    """How many of these cells hold up, claiming only what was found out about them, and what became of the others."""
    checked = [cell for cell in cells if cell.flags or cell.status != "ok"]
    if not checked:
        return ""
    sound = [cell for cell in checked if flags.comparable(cell)]
    total, good = len(checked), len(sound)
    unknown = sum(1 for cell in sound if cell.flags and cell.flags.throttled is None)
    held = "" if unknown else "not held back, "
    widths = {run.run.limits.half_width for run in page.runs if run.run.limits} or {0.01}
    known = f"±{max(widths) * 100:g} %"
    claims = f"steady, the median known to {known}, {held}run where asked to, outputs right"
    if not good:
        none = f"The one {kind} cell does not hold up" if total == 1 else f"None of the {total} {kind} cells holds up"
        return f"**{none}**. Holding up means: {claims}.{_others(checked)}"
    if good == total:
        count = f"The one {kind} cell holds up" if total == 1 else f"All {total} {kind} cells hold up"
    else:
        count = f"{good} of {total} {kind} cells {'holds' if good == 1 else 'hold'} up"
    text = f"**{count}**: {claims}.{_others(checked)}"
    if not unknown:
        return text
    if unknown == good:
        return text + (" Whether it was throttled is not known" + (f" for any of these {good}." if good > 1 else "."))
    return f"{text} Whether it was throttled is not known for {unknown} of them; the others were not held back."


def _others(cells: Sequence[CellRecord]) -> str:
    """How many failed, gave wrong outputs, or are flagged; empty where none is any of these."""
    counts = {
        "failed": sum(cell.status == "failed" for cell in cells),
        "gave wrong outputs": sum(cell.status == "wrong" for cell in cells),
        "flagged": sum(cell.status == "ok" and bool(flags.short(cell)) for cell in cells),
    }
    if not counts["failed"] and not counts["gave wrong outputs"]:
        return ""  # the flagged ones are listed below
    words = [f"{count} {'is flagged' if count == 1 else 'are flagged'}" if what == "flagged" else f"{count} {what}"
             for what, count in counts.items() if count]  # fmt: skip
    return f" Of the others {', '.join(words)}."


def _noise(measured: list[CellRecord]) -> str:
    """One sentence about cells that shared the machine; no verdict, but a reader should see it beside them."""
    activities = [cell.telemetry.activity for cell in measured if cell.telemetry and cell.telemetry.activity]
    cores = [a.other_cores for a in activities if a.other_cores is not None and a.other_cores > _BUSY_CORES]
    steal = [a.steal_share for a in activities if a.steal_share is not None and a.steal_share > _BUSY_STEAL]
    parts = []
    if cores:
        parts.append(f"during {_cells(cores)} others used more than half a core (up to {max(cores):.1f})")
    if steal:
        parts.append(f"during {_cells(steal)} the hypervisor took more than 5 % of the time (up to {max(steal):.0%})")
    return f"Not a quiet machine: {', '.join(parts)}; see Telemetry." if parts else ""


def _cells(values: list[float]) -> str:
    return "1 cell" if len(values) == 1 else f"{len(values)} cells"
