"""Made-up runs of several machines, logs and publications, and the parts of a report that are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from reports.ratios import Side
from reports.records import CellRecord, Host, Origin, Run, Stated
from reports.table import Column, ScopeTable, tables
from tests.reports.samples import cell, header, on_four_chips


def elsewhere(card: str, batch: int, fps: float, provenance: str = "imported", **changes: Any) -> CellRecord:
    """A cell that another tool or a publication states: no samples, no flags, no accuracy."""
    values: dict[str, Any] = {"flags": None, "samples": None, "latency": None, "accuracy": [], "telemetry": None,
                              "session": {}, "stated": Stated(mean_ms=1000 * batch / fps)}  # fmt: skip
    tool = changes.pop("tool", "trtexec")
    values |= {"origin": Origin(tool=tool, source="some.log"), "card": card, "device": "", "provenance": provenance}
    return cell(tool, batch, 1.0, fps_per_card=fps, **(values | changes))


def published(card: str, batch: int, fps: float, source: str = "table", **changes: Any) -> CellRecord:
    return elsewhere(card, batch, fps, "published", options={"source": source}, **changes)


def foreign(cells: list[CellRecord], **changes: Any) -> Run:
    return Run(run=header(**({"host": None, "packages": {}, "id": "foreign", "skipped": []} | changes)), cells=cells)


def repeated(backend: str, batch: int, latencies: Sequence[float], **changes: Any) -> list[CellRecord]:
    return [cell(backend, batch, ms, invocation=n, **changes) for n, ms in enumerate(latencies)]


def run(name: str, cells: list[CellRecord], **changes: Any) -> Run:
    return Run(run=header(**({"id": name, "cells_planned": len(cells)} | changes)), cells=cells)


def on(host: str, **changes: Any) -> Host:
    found = header().host
    assert found is not None
    return replace(found, **({"name": host} | changes))


def flagged(record: CellRecord, **changes: Any) -> CellRecord:
    assert record.flags is not None
    return replace(record, flags=replace(record.flags, **(changes or {"steady": False})))


def whole_card(batch: int, measured_share: float = 0.9, **changes: Any) -> CellRecord:
    """A card of four chips: 40 FPS a chip alone, and that share of 160 with all at work."""
    record = on_four_chips(batch, 25.0 * batch)
    assert record.throughput is not None
    fps = 160.0 * measured_share
    together = replace(
        record.throughput, fps=fps, fps_per_card=fps, fps_low=0.99 * fps, fps_high=1.01 * fps, efficiency=measured_share
    )
    return replace(record, **({"throughput": together} | changes))


def only_table(runs: Sequence[Run], include_flagged: bool = False) -> ScopeTable:
    (table,) = tables(runs, include_flagged)
    return table


def column(table: ScopeTable, label: str) -> Column:
    return next(found for found in table.columns if found.label == label)


def titles(runs: Sequence[Run]) -> list[str]:
    table = only_table(runs)
    return [found.title(table.columns) for found in table.columns]


def sides(above: str, below: str) -> tuple[Side, Side]:
    return Side(above, frozenset({above})), Side(below, frozenset({below}))


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}")[2].partition("\n## ")[0]
