"""Which cells may stand beside others: the verdicts on a cell, in words, and whether it enters ratios."""

from __future__ import annotations

from collections.abc import Sequence

from reports.records import CellRecord, Run

#: Provenances of figures that another tool or a publication gives.
_ELSEWHERE = ("imported", "published")


def short(cell: CellRecord) -> list[str]:
    """The names of the verdicts that went against a cell, for a table's cell; empty for one that is as it should be."""
    flags = cell.flags
    if cell.status != "ok":
        return []
    if cell.provenance in _ELSEWHERE and flags is None:
        return []  # nothing there to judge; where the figure comes from is told beside it
    if flags is None:
        return ["unchecked"]
    return [
        name
        for name, against in (
            ("not steady" if flags.steady is False else "steadiness unknown", flags.steady is not True),
            ("not converged", not flags.converged),
            ("throttled", flags.throttled is True),
            ("overhead", flags.overhead_ok is False),
            ("placement", flags.placement_ok is False),
            ("clocks disagree", flags.clocks_agree is False),
            ("above the card's peak", flags.within_peak is False),
            ("inaccurate", flags.accuracy is False),
        )
        if against
    ]


def in_words(cell: CellRecord) -> list[str]:
    """A clause for every verdict against a cell: what was seen, and what to do where something can be done."""
    flags, latency = cell.flags, cell.latency
    if cell.status != "ok" or latency is None:
        return []
    if cell.provenance in _ELSEWHERE and flags is None:
        return []
    if flags is None:
        return ["its run file is older than these checks; measure it again"]
    words = []
    if flags.steady is not True:
        words.append(f"not proven steady: {latency.steady_reason or 'too few samples to tell'}")
    if not flags.converged:
        half = latency.relative_half_width
        known = f"to ±{half:.1%} only" if half is not None else "to no interval, for too few independent samples"
        words.append(f"the median is known {known} (±1 % is asked for)")
    if flags.throttled is True:
        words.append(f"the device was held back: {flags.throttle_reason}")
    if flags.overhead_ok is False and cell.samples:
        share = (cell.samples.overhead_ns or 0.0) / (latency.median_ms * 1e6)
        words.append(f"the loop's own share of a call is {share:.2%} (0.1 % is allowed)")
    if flags.placement_ok is False:
        words.append(f"it did not all run where it was asked to: {flags.placement_reason}")
    if flags.clocks_agree is False:
        words.append(
            "by the device's own events a call takes longer than the host saw: the runtime did not wait for the device,"
            " or the device was slower afterwards"
        )
    if flags.within_peak is False:
        words.append(f"it is {flags.peak_reason}")
    if flags.accuracy is False:
        words.append("its outputs are wrong")
    return words


def unchecked(runs: Sequence[Run]) -> str:
    """One sentence for all cells of run files that are older than the verdicts; empty where there are none."""
    measured = [cell for run in runs for cell in run.cells if cell.status == "ok"]
    old = [cell for cell in measured if cell.flags is None and cell.provenance not in _ELSEWHERE]
    if not old:
        return ""
    which = "none of its cells was" if len(old) == len(measured) else f"{len(old)} of its cells were not"
    schemas = ", ".join(sorted({run.run.schema for run in runs if any(cell in old for cell in run.cells)}))
    return f"The run file (schema {schemas}) is older than these checks: {which} held to them; measure again."


def comparable(cell: CellRecord) -> bool:
    """Whether a cell may enter a ratio or become a baseline: it has a figure and no verdict went against it."""
    return cell.status == "ok" and not short(cell)
