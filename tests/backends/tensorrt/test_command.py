"""The command line on a simulated GPU, in real worker processes: never a rule broken, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import store
from reports.records import CellRecord, Run
from tests.backends.tensorrt.machines import AMPERE
from tests.command import FAST, Bench
from tests.doubles import tensorrt
from tests.doubles.cuda import Config as Card
from tests.doubles.cuda import faults_found, read_journal


class Machine:
    """A Bench on a host with one simulated card."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder)
        self.folder = folder
        self.journal = folder / "journal.jsonl"

    def run(self, name: str, settings: dict[str, Any], *arguments: str, code: int = 0) -> Run:
        card = Card(journal=str(self.journal), **AMPERE)
        config = tensorrt.Config(machine=card, base_ms=1.0, image_ms=0.5, **settings)
        given = tensorrt.install(self.folder / "simulated", config)
        doubles = self.folder / "doubles"
        self.bench.environment |= given | {"PYTHONPATH": os.pathsep.join([given["PYTHONPATH"], str(doubles)])}
        self.bench("--model", self.bench.model, "--backend", name, *arguments, *FAST, "--out", "o", code=code)
        return store.read(self.folder / "o")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    entries = read_journal(made.journal)
    assert entries, "no process used the double"
    assert faults_found(entries) == []


def by_batch(run: Run) -> dict[int, CellRecord]:
    return {cell.identity.batch: cell for cell in run.cells if cell.identity.backend.startswith("simulated-tensorrt")}


def test_one_command_builds_and_measures_and_never_looks_measured(machine: Machine) -> None:
    run = machine.run("simulated-tensorrt:graph=true", {}, "--bs", "1", "4", "--precision", "fp16")
    cells = by_batch(run)
    assert [cell.status for cell in cells.values()] == ["ok", "ok"], [cell.failure for cell in cells.values()]
    for batch, cell in cells.items():
        assert (cell.provenance, cell.identity.precision, cell.identity.card) == ("simulated", "fp16", "NVIDIA A10")
        assert cell.artifact is not None
        assert cell.artifact.settings["engine"] == "built now"
        assert cell.session["CUDA graph"] == "on, captured after one execution"
        assert cell.session["precision route"] == "builder flag FP16, TF32 allowed for the rest"
        assert cell.latency is not None
        assert cell.latency.median_ms >= 1.0 + 0.5 * batch
    assert "SIMULATED" in (machine.folder / "o" / "report.md").read_text()


def test_a_card_that_is_another_than_the_one_that_was_listed_has_no_figures(machine: Machine) -> None:
    failure = by_batch(machine.run("simulated-tensorrt", {"listed": "Tesla T4"}, "--bs", "1", code=2))[1].failure
    assert failure is not None
    assert failure.message == (
        "cuda:0 turns out to be NVIDIA A10 (0000:3b:00.0), and was taken for Tesla T4; leave CUDA_DEVICE_ORDER unset,"
        " and name cards by number in CUDA_VISIBLE_DEVICES."
    )


def test_a_full_card_names_the_batch_and_the_other_cells_go_on(machine: Machine) -> None:
    fault = tensorrt.Fault(call="create_execution_context", nth=1, message="Error Code 2: OutOfMemory")
    settings = {"faults": (fault,), "generation": "rtx"}
    run = machine.run("simulated-tensorrt-rtx", settings, "--bs", "8", "1", code=2)
    for cell in by_batch(run).values():  # each has a process of its own, and meets its own fault
        assert cell.failure is not None
        assert f"for batch {cell.identity.batch} failed: Error Code 2: OutOfMemory" in cell.failure.message
        assert "\n" not in cell.failure.message


def test_a_crash_inside_tensorrt_costs_its_cell(machine: Machine) -> None:
    fault = tensorrt.Fault(call="deserialize_cuda_engine", nth=1, effect="exit")
    run = machine.run("simulated-tensorrt", {"faults": (fault,)}, "--bs", "1", code=2)
    failure = by_batch(run)[1].failure
    assert failure is not None
    assert "SIGSEGV" in failure.message
