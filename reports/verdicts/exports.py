"""A check as JSON for services that follow benchmarks over time: github-action-benchmark and Bencher."""

from __future__ import annotations

import json
import math

from reports.regression import Check, Row
from reports.verdicts.words import figures, unique_names

_NS_PER_MS = 1e6


def github_benchmark(check: Check) -> bytes:
    """What github-action-benchmark takes with `tool: customSmallerIsBetter`: median latencies in ms."""
    entries = []
    for row, name in zip(check.rows, unique_names(check), strict=True):
        if row.new_ms is None:
            continue
        entry: dict[str, str | float] = {"name": name, "unit": "ms", "value": row.new_ms}
        limits = _limits_ms(row)
        if limits:
            entry["range"] = f"± {(limits[1] - limits[0]) / 2:.4g}"
        entry["extra"] = "\n".join(figures(check, row))
        entries.append(entry)
    return _json(entries)


def bencher(check: Check) -> bytes:
    """Bencher Metric Format: the measure `latency`, which Bencher keeps in nanoseconds."""
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for row, name in zip(check.rows, unique_names(check), strict=True):
        if row.new_ms is None:
            continue
        metric = {"value": row.new_ms * _NS_PER_MS}
        limits = _limits_ms(row)
        if limits:
            metric["lower_value"] = min(limits[0], row.new_ms) * _NS_PER_MS
            metric["upper_value"] = max(limits[1], row.new_ms) * _NS_PER_MS
        rows[name[:_LONGEST_NAME]] = {"latency": metric}
    return _json(rows)


#: Bencher takes no longer names.
_LONGEST_NAME = 1024


def _limits_ms(row: Row) -> tuple[float, float] | None:
    """Between which the new side's median lies, from the bounds of its change; None where there are none."""
    if row.base_ms is None or row.low is None or row.high is None:
        return None
    limits = row.base_ms * (1 + row.low), row.base_ms * (1 + row.high)
    return limits if all(map(math.isfinite, limits)) else None


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
