"""Imported logs: which are invocations of one another, and which are the same log twice."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from msgspec.structs import replace

from reports.records import CellRecord, Origin, Run

#: Several logs of one thing may be of several chips of its card.
_MAY_DIFFER = ("device",)


def different_logs(placed: Sequence[tuple[Hashable, CellRecord]]) -> dict[int, str]:
    """id of an imported cell -> what tells its log from others in its place that are not invocations of it.

    Logs of another version of the tool, another model file or other settings are another thing. `placed` are cells
    with what they share otherwise; a fact counts where two logs of one batch size differ in it.
    """
    by_place: dict[Hashable, list[CellRecord]] = {}
    for place, cell in placed:
        if cell.provenance == "imported" and cell.origin is not None:
            by_place.setdefault(place, []).append(cell)
    found = {}
    for cells in by_place.values():
        names = _differing(cells)
        for cell in cells:
            facts = _facts(cell.origin) if cell.origin else {}
            if names:
                found[id(cell)] = ", ".join(facts.get(name) or f"{name} unknown" for name in names)
    return found


def _differing(cells: Sequence[CellRecord]) -> list[str]:
    """Names of the facts in which logs of one batch size differ."""
    by_batch: dict[int, list[dict[str, str]]] = {}
    for cell in cells:
        if cell.origin is not None:
            by_batch.setdefault(cell.identity.batch, []).append(_facts(cell.origin))
    names: dict[str, None] = {}
    for told in by_batch.values():
        for name in dict.fromkeys(name for facts in told for name in facts):
            if len({facts[name] for facts in told if facts.get(name)}) > 1:
                names.setdefault(name)
    return list(names)


def _facts(origin: Origin) -> dict[str, str]:
    """What tells one measurement from another in words; a default, told in brackets, is as good as the setting."""
    settings = {
        name: f"{name}: {value.partition(' (')[0]}"
        for name, value in origin.settings.items()
        if name not in _MAY_DIFFER
    }
    version = f"{origin.tool} {origin.version}" if origin.version else ""
    return {"version": version, "model": origin.model, **settings}


def each_once(runs: Sequence[Run]) -> tuple[list[Run], list[str]]:
    """The runs with every log once, however often it was imported, and a sentence on each that was left out.

    The same log twice is no second invocation: it would tell a spread of nothing.
    """
    seen: set[tuple[object, ...]] = set()
    kept, notes = [], []
    for run in runs:
        cells = []
        for cell in run.cells:
            origin = cell.origin
            if cell.provenance == "imported" and origin is not None and origin.sha256:
                identity = cell.identity
                key = (origin.tool, origin.sha256, identity.workload, identity.card, identity.precision, identity.batch)
                if key in seen:
                    notes.append(f"{origin.source} of {origin.tool} was imported more than once; it is taken once.")
                    continue
                seen.add(key)
            cells.append(cell)
        left_out = len(run.cells) - len(cells)
        if left_out:
            run = replace(run, cells=cells, run=replace(run.run, cells_planned=run.run.cells_planned - left_out))
        if cells or not left_out:
            kept.append(run)
    return kept, list(dict.fromkeys(notes))
