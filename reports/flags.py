"""Which cells may stand beside others: the verdicts on a cell, in words, and whether it enters ratios."""

from __future__ import annotations

from reports.records import CellRecord, Run


def short(cell: CellRecord) -> list[str]:
    """The names of the verdicts that went against a cell, for a table's cell; empty for one that is as it should be."""
    flags = cell.flags
    if cell.status != "ok":
        return []
    if flags is None:
        return ["unchecked"]
    return [
        name
        for name, against in (
            ("not steady" if flags.steady is False else "steadiness unknown", flags.steady is not True),
            ("not converged", not flags.converged),
            ("throttled", flags.throttled is True),
            ("overhead", not flags.overhead_ok),
            ("placement", not flags.placement_ok),
            ("inaccurate", not flags.accuracy),
        )
        if against
    ]


def in_words(cell: CellRecord) -> list[str]:
    """A clause for every verdict against a cell: what was seen, and what to do where something can be done."""
    flags, latency = cell.flags, cell.latency
    if cell.status != "ok" or latency is None:
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
    if not flags.overhead_ok and cell.samples:
        share = cell.samples.overhead_ns / (latency.median_ms * 1e6)
        words.append(f"the loop's own share of a call is {share:.2%} (0.1 % is allowed)")
    if not flags.placement_ok:
        words.append(f"it did not all run where it was asked to: {flags.placement_reason}")
    if not flags.accuracy:
        words.append("its outputs are wrong")
    return words


def unchecked(run: Run) -> str:
    """One sentence for all cells of a run file that is older than the verdicts; empty where there are none."""
    measured = [cell for cell in run.cells if cell.status == "ok"]
    old = [cell for cell in measured if cell.flags is None]
    if not old:
        return ""
    which = "none of its cells was" if len(old) == len(measured) else f"{len(old)} of its cells were not"
    return f"The run file (schema {run.run.schema}) is older than these checks: {which} held to them; measure again."


def comparable(cell: CellRecord) -> bool:
    """Whether a cell may enter a ratio or become a baseline: it has a figure and no verdict went against it."""
    return cell.status == "ok" and not short(cell)
