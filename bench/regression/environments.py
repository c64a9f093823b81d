"""A side of a check by its environment: an interpreter, variables, a checkout, and what is run in it."""

from __future__ import annotations

import dataclasses
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from bench.cell import failed_cell
from bench.errors import UsageError
from bench.interpreter import Interpreter, own_root
from bench.messages import Event, Measured, MeasureTask, Phase, Prepared, PrepareTask
from bench.phases import PhaseLimits
from bench.plan import CellTask, WorkloadSpec
from bench.process import Outcome, Worker, attend, run_worker
from bench.regression.pairs import SideName
from bench.regression.probe import Candidate, Found, Question, protocol
from bench.workloads.base import Materials
from reports.records import CellRecord, Failure
from reports.store import RunWriter

_PROBE_LIMIT_S = 300.0
_OTHER_HARNESS = "use --base-cmd and --new-cmd, which take any harness that leaves a run file"


@dataclass(frozen=True)
class Environment:
    """One side as the user described it."""

    name: SideName
    interpreter: Interpreter
    workload: WorkloadSpec
    #: NAME[:KEY=VALUE,...]; empty for all that are usable on both sides
    backends: tuple[str, ...]
    #: what sets it apart, in words; empty where nothing does
    told: str = ""

    def ask(self, question: Question) -> Found:
        """What it finds in its own interpreter. Raises UsageError where that has no harness like this one."""
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder) / "answer"
            command = [*self.interpreter.command, "-m", "bench.regression.probe", str(answer)]
            try:
                done = subprocess.run(
                    command, input=msgspec.json.encode(question), capture_output=True, timeout=_PROBE_LIMIT_S,
                    env=self.interpreter.variables(), check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise UsageError(f"the {self.name} side did not say within {_PROBE_LIMIT_S:g} s what is usable there;"
                                 " run its `python -m bench backends`.") from None  # fmt: skip
            except OSError as error:
                python = self.interpreter.command[0]
                raise UsageError(f"--{self.name}-python {python}: {error.strerror or error}; name a Python.") from None
            if done.returncode or not answer.exists():
                raise UsageError(self._no_answer(done.stderr.decode("utf-8", errors="replace")))
            found = self._decoded(answer.read_bytes())
        # An editable installation steps in for modules that a checkout lacks.
        if self.interpreter.checkout not in (None, Path(found.root)):
            raise UsageError(self._no_answer(f"No module named 'bench.regression' in {self.interpreter.checkout}"))
        if found.error:
            raise UsageError(f"the {self.name} side: {found.error}")
        return found

    def _no_answer(self, stderr: str) -> str:
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        last = lines[-1] if lines else "it said nothing"
        if "No module named" in last and "bench" in last:
            return f"the {self.name} side has no `bench check` of this version ({last}); {_OTHER_HARNESS}."
        return f"the {self.name} side cannot start {' '.join(self.interpreter.command)}: {last}"

    def _decoded(self, data: bytes) -> Found:
        try:
            found = msgspec.json.decode(data, type=Found)
        except msgspec.DecodeError:
            found = None
        # The same files speak the same, whatever library of that interpreter describes them.
        if found is None or (Path(found.root) != own_root() and found.protocol != protocol()):
            raise UsageError(f"the {self.name} side's bench is of another version than this one; {_OTHER_HARNESS}.")
        return found

    def prepare(
        self, batches: Sequence[int], cache: Path, limits: PhaseLimits, say: Callable[[str], None]
    ) -> Materials:
        """Make its workload's files in its own interpreter. Raises UsageError."""
        task = PrepareTask(workload=self.workload, batches=list(batches), cache=str(cache))

        def on_event(event: Event) -> None:
            if isinstance(event, Phase):
                say(f"{self.name}: {event.name}")

        outcome = run_worker(task, on_event, limits, self.interpreter)
        return outcome.demand(Prepared, f"preparing {self.workload.name} of the {self.name} side").materials


@dataclass(frozen=True)
class Started:
    """A worker that measures a cell."""

    task: CellTask
    worker: Worker
    at: str


class EnvironmentSide:
    """Measures rows one process each, with this harness's workers; a `bench.regression.pairs.Side`."""

    def __init__(
        self,
        environment: Environment,
        tasks: Mapping[str, CellTask],
        materials: Materials,
        limits: PhaseLimits,
        writer: RunWriter,
    ) -> None:
        self._environment = environment
        self._tasks, self._materials, self._limits = tasks, materials, limits
        self._writer = writer
        self._invocations: Counter[str] = Counter()

    def invoke(self, rows: Sequence[str]) -> dict[str, CellRecord]:
        """Each row in a process of its own. KeyboardInterrupt passes through; what was complete by then is kept."""
        return {row: self._measure(row) for row in rows}

    def _measure(self, row: str) -> CellRecord:
        started = self.start(row)
        with started.worker as worker:
            attend([worker], lambda _, event: None)
        outcome = worker.outcome()
        record = self.keep(started, outcome)
        if outcome.interrupted:
            raise KeyboardInterrupt
        return record

    def start(self, row: str, turn_s: float | None = None) -> Started:
        """A fresh process that measures the row, where `turn_s` is given in turns of that length."""
        cell = self._tasks[row]
        limits = dataclasses.replace(cell.limits, turn_s=turn_s)
        # Two rows may have the same cell on one side.
        task = replace(cell, invocation=self._invocations[cell.id], limits=limits)
        self._invocations[cell.id] += 1
        order = MeasureTask(cell=task, materials=self._materials)
        worker = Worker(order, self._limits, interpreter=self._environment.interpreter)
        return Started(task, worker, datetime.now(UTC).isoformat(timespec="seconds"))

    def keep(self, started: Started, outcome: Outcome, alone: bool = True) -> CellRecord:
        """The record of what became of it, written to the side's file; unless it was `alone`, without its energy."""
        if isinstance(outcome.result, Measured):
            record = outcome.result.record
            if outcome.aftermath:
                record = replace(record, session=record.session | {"aftermath": outcome.aftermath})
            if record.telemetry and not alone:
                # The device's counters do not tell the turns of one process from those of the other.
                record = replace(record, telemetry=replace(record.telemetry, energy_per_image_j=None))
        else:
            failure = Failure(phase=outcome.phase, message=outcome.message, output_tail=list(outcome.output_tail))
            record = failed_cell(started.task, failure, started.at)
        self._writer.append(record)
        return record


def candidate_slots(base: Found, new: Found, named: bool) -> list[tuple[Candidate | None, Candidate | None]]:
    """The backends of both sides, side by side: in their order where they were `named`, else by name.

    Those that nobody named and neither side can use are left out.
    """
    if named:
        return list(zip(base.candidates, new.candidates, strict=True))
    theirs = {candidate.name: candidate for candidate in base.candidates}
    mine = {candidate.name: candidate for candidate in new.candidates}
    slots = [(theirs.get(name), mine.get(name)) for name in {**theirs, **mine}]
    return [slot for slot in slots if any(candidate and candidate.variant for candidate in slot)]
