"""Which cells were measured under the same conditions: the same machine, versions, settings, model and inputs.

Only such cells are invocations of one another. Cells of the same engine on the same card, but with another version of
it or another model, are columns of their own, told apart by a letter.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reports.records import CellRecord, Run, RunRecord, WorkloadInfo

#: Left in a session's description by the harness, not by the runtime.
_NOT_OF_THE_RUNTIME = ("aftermath",)

#: What a cell tells of its runtime: where, and the name of the fact.
_Fact = tuple[object, str]
#: name of the workload, and digests of the model, the inputs and the files that were compiled before
_Variant = tuple[str, str, str, str]


@dataclass(slots=True)
class Machine:
    """One set of conditions, with the runs that were made under it."""

    letter: str
    runs: list[Run] = field(default_factory=list)
    #: what its cells tell of their runtimes: driver, engine versions, settings
    facts: dict[_Fact, str] = field(default_factory=dict)

    @property
    def cells(self) -> list[CellRecord]:
        return [cell for run in self.runs for cell in run.cells]


def machines(runs: Sequence[Run]) -> list[Machine]:
    """The machines of these runs in order of appearance, lettered A, B, ..., Z, AA, ...; of one alone, no letter.

    Figures that this harness did not measure have no machine that is known, and no letter.
    """
    variants = _variants(runs)
    found: dict[tuple[object, ...], list[Machine]] = {}
    order: list[Machine] = []
    for run in runs:
        same = found.setdefault(_conditions(run, variants), [])
        facts = _facts(run)
        home = next((machine for machine in same if _agree(machine.facts, facts)), None)
        if home is None:
            home = Machine("")
            same.append(home)
            order.append(home)
        home.runs.append(run)
        home.facts = facts | home.facts
    known = [machine for machine in order if machine.runs[0].run.host is not None]
    if len(known) > 1:
        for number, machine in enumerate(known):
            machine.letter = _letter(number)
    return order


def _variants(runs: Sequence[Run]) -> Mapping[_Variant, int]:
    """Which variant of its workload each run has: workloads share machines, models do not."""
    found: dict[str, dict[_Variant, int]] = {}
    for workload in (run.run.workload for run in runs):
        seen = found.setdefault(workload.name, {})
        seen.setdefault(_variant_of(workload), len(seen))
    return {key: number for seen in found.values() for key, number in seen.items()}


def _variant_of(workload: WorkloadInfo) -> _Variant:
    return workload.name, workload.model_sha256, workload.inputs_sha256, workload.compiled_sha256


def _conditions(run: Run, variants: Mapping[_Variant, int]) -> tuple[object, ...]:
    head = run.run
    workload = head.workload
    variant = variants[_variant_of(workload)]
    # Figures of others have no machine; those of different sources are told apart by their columns.
    provenances = tuple(sorted({cell.provenance for cell in run.cells})) if head.host is None else ()
    return *_host(head), tuple(sorted(head.packages.items())), variant, provenances


def _host(head: RunRecord) -> tuple[object, ...]:
    """What identifies a machine as far as its processes may use it. Names alone do not: many are called `localhost`."""
    host, state = head.host, head.conditions
    if host is None:
        return ()
    size = (host.logical_cpus, host.physical_cores, round((host.memory_bytes or 0) / 2**30))
    settings = (state.governor, state.cpu_limit, tuple(sorted(state.thread_settings.items()))) if state else ()
    return (host.name, host.cpu, host.os, host.python, size, settings)


def _facts(run: Run) -> dict[_Fact, str]:
    """What every kind of cell tells of its runtime, where all invocations in the run tell the same."""
    told: dict[_Fact, set[str]] = {}
    for cell in run.cells:
        if cell.status != "ok":
            continue
        identity = cell.identity
        place = (
            identity.workload, identity.label(), identity.card, identity.precision, identity.batch, identity.scope,
        )  # fmt: skip
        for name, value in _of_runtime(cell):
            if value:
                told.setdefault((place, name), set()).add(value)
    return {fact: values.pop() for fact, values in told.items() if len(values) == 1}


def _of_runtime(cell: CellRecord) -> Iterator[tuple[str, str]]:
    yield "driver", cell.telemetry.driver if cell.telemetry else ""
    yield "chips", str(cell.chips)
    for name, value in cell.session.items():
        if name not in _NOT_OF_THE_RUNTIME:
            yield name, value


def _agree(one: Mapping[_Fact, str], other: Mapping[_Fact, str]) -> bool:
    """Whether two runs contradict each other nowhere; what only one of them tells is no contradiction."""
    return all(one.get(fact, value) == value for fact, value in other.items())


def _letter(number: int) -> str:
    letters = string.ascii_uppercase
    return (_letter(number // len(letters) - 1) if number >= len(letters) else "") + letters[number % len(letters)]
