"""Which cells were measured under the same conditions: the same machine, packages, model and inputs.

Only such cells are invocations of one another. Cells of the same engine on the same card, but with another version of
it or another model, are columns of their own, told apart by a letter.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, field

from reports.records import CellRecord, Run


@dataclass(slots=True)
class Machine:
    """One set of conditions, with the runs that were made under it."""

    letter: str
    runs: list[Run] = field(default_factory=list)

    @property
    def cells(self) -> list[CellRecord]:
        return [cell for run in self.runs for cell in run.cells]


def machines(runs: Sequence[Run]) -> list[Machine]:
    """The machines of these runs in order of appearance, lettered A, B, ..., Z, AA, ...; of one alone, no letter.

    Figures that this harness did not measure have no machine that is known, and no letter.
    """
    found: dict[tuple[object, ...], Machine] = {}
    for run in runs:
        found.setdefault(_conditions(run), Machine("")).runs.append(run)
    known = [machine for machine in found.values() if machine.runs[0].run.host is not None]
    if len(known) > 1:
        for number, machine in enumerate(known):
            machine.letter = _letter(number)
    return list(found.values())


def _conditions(run: Run) -> tuple[object, ...]:
    head = run.run
    host = (head.host.name, head.host.cpu, head.host.os, head.host.python) if head.host else ()
    workload = head.workload
    # Figures of others have no machine; those of different sources are told apart by their columns.
    provenances = tuple(sorted({cell.provenance for cell in run.cells})) if head.host is None else ()
    packages = tuple(sorted(head.packages.items()))
    return host, packages, workload.name, workload.model_sha256, workload.inputs_sha256, provenances


def _letter(number: int) -> str:
    letters = string.ascii_uppercase
    return (_letter(number // len(letters) - 1) if number >= len(letters) else "") + letters[number % len(letters)]
