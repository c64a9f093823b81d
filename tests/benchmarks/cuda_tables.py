"""The tables of cuda_report.py: the harness against loops by hand, and graphs against torch.compile."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports.device_time import figures
from reports.digits import significant
from reports.markdown.format import plain, table_lines
from reports.records import CellRecord
from reports.statistics import Interval, median_interval
from tests.benchmarks.cuda_cases import COMPILED, GRAPHS, HELD, canonical

#: How far the harness may be from a loop by hand.
_NEAR = 0.01
YES, NO, OPEN = "yes", "no", "open"
Key = tuple[str, str, int]


def by_key(cells: Iterable[CellRecord]) -> dict[Key, CellRecord]:
    """Cells by backend with its options, asked precision and batch size."""
    return {(_text(cell), cell.asked_precision, cell.identity.batch): cell for cell in cells}


def _text(cell: CellRecord) -> str:
    """As the command names it, its options in one order."""
    options = ",".join(f"{key}={value}" for key, value in cell.identity.options.items())
    return canonical(f"{cell.identity.backend}:{options}") if options else cell.identity.backend


def against_loops(found: Sequence[Mapping[str, Any]], cells: Mapping[Key, CellRecord]) -> tuple[str, list[str]]:
    """The section on loops by hand, and the verdict of each row."""
    rows, troubles, verdicts = [], [], []
    for each in sorted(found, key=lambda one: (HELD.index(one["backend"]), one["precision"], one["batch"])):
        key: Key = (each["backend"], each["precision"], each["batch"])
        name = f"{key[0]} {key[1]} bs{key[2]}"
        if trouble := each.get("failed") or each["wrong"]:
            troubles.append(f"{name}: {trouble}")
            continue
        for clock in ("host", "device"):
            if clock not in each:
                continue
            pairs: list[list[float]] = each[clock]
            alone = each["alone"][clock]
            own = _own(cells.get((canonical(key[0]), *key[1:])), clock)
            interval = median_interval([ours / theirs for ours, theirs in pairs])
            verdict = within(interval)
            verdicts.append(verdict)
            rows.append(
                (
                    plain(name),
                    clock,
                    significant(own) if own else "-",
                    significant(alone),
                    f"{own / alone:.4f}" if own else "-",
                    f"{statistics.median(ours / theirs for ours, theirs in pairs):.4f}",
                    f"{interval.low:.4f}-{interval.high:.4f}" if interval else "too few pairs",
                    str(len(pairs)),
                    verdict,
                )
            )
    header = (
        "Cell", "Clock", "bench, a process of its own (ms)", "Bare loop, likewise (ms)", "Ratio", "By turns: ratio",
        "95 % interval", "Pairs", "Within 1 %",
    )  # fmt: skip
    text = (
        "## Against loops written by hand\n\n"
        "Medians of one call. The host's clock: call, wait, in a loop. The device's: an event before each call and one"
        " after it, one wait for all. First each in a process of its own, then both by turns in one process, on models"
        " of their own, AB BA AB …: bench over the bare loop, the median over pairs of turns. Whether it is within 1 %"
        " is judged by turns: no, where the whole interval lies outside, open, where it does not lie inside.\n\n"
        + (table_lines(header, rows) if rows else "Nothing was compared.")
    )
    return _with_list(text, "Not compared", troubles), verdicts


def _own(cell: CellRecord | None, clock: str) -> float | None:
    """The cell's median in milliseconds on that clock."""
    if cell is None or cell.status != "ok" or cell.latency is None:
        return None
    if clock == "host":
        return cell.latency.median_ms
    return figures(cell.device_times).median_ms if cell.device_times else None


def within(interval: Interval | None) -> str:
    """Whether a ratio is 1, to 1 %."""
    if interval is None:
        return OPEN
    if interval.low >= 1 - _NEAR and interval.high <= 1 + _NEAR:
        return YES
    return NO if interval.high < 1 - _NEAR or interval.low > 1 + _NEAR else OPEN


def against_compile(cells: Mapping[Key, CellRecord], batches: Sequence[int]) -> tuple[str, list[str]]:
    """The section on CUDA graphs against torch.compile in fp16, and the verdict of each batch size."""
    rows, verdicts, missing = [], [], []
    for batch in batches:
        graph, compiled = (_best(cells, names, batch) for names in (GRAPHS, COMPILED))
        if graph is None or compiled is None:
            missing.append(f"bs{batch}: no figure of {'a graph' if graph is None else 'torch.compile'}")
            continue
        (mine, my_name), (theirs, their_name) = graph, compiled
        low, high = theirs.low / mine.high, theirs.high / mine.low
        verdict = YES if low >= 1 else NO if high < 1 else OPEN
        verdicts.append(verdict)
        rows.append(
            (
                str(batch), plain(my_name), significant(mine.estimate), plain(their_name), significant(theirs.estimate),
                f"{theirs.estimate / mine.estimate:.3f}", f"{low:.3f}-{high:.3f}", verdict,
            )
        )  # fmt: skip
    header = (
        "Batch size", "Fastest graph", "Median (ms)", "Fastest mode of torch.compile", "Median (ms)", "Speed-up",
        "By the medians' intervals", "At least 1.0",
    )  # fmt: skip
    text = (
        "## CUDA graphs against torch.compile, fp16\n\n"
        "Of each side the fastest variant at that batch size, on the host's clock. Each cell is one process: what"
        " differs from process to process is not in the interval.\n\n"
        + (table_lines(header, rows) if rows else "Nothing was compared.")
    )
    return _with_list(text, "Not compared", missing), verdicts


def _best(cells: Mapping[Key, CellRecord], names: Sequence[str], batch: int) -> tuple[Interval, str] | None:
    """The lowest median with its interval, and whose it is."""
    found = []
    for name in names:
        cell = cells.get((canonical(name), "fp16", batch))
        if cell is None or cell.status != "ok" or cell.latency is None:
            continue
        told = cell.latency
        # Without an interval the extremes are the bounds.
        low, high = told.median_low_ms or told.best_ms, told.median_high_ms or told.worst_ms
        found.append((Interval(told.median_ms, low, high), name))
    return min(found, key=lambda each: each[0].estimate, default=None)


def _with_list(text: str, title: str, lines: Sequence[str]) -> str:
    return text + (f"\n\n{title}:\n\n" + "\n".join(f"- {plain(line)}" for line in lines) if lines else "")
