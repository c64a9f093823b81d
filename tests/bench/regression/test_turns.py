"""Both processes of a pair alive at once: whose turn it is, what becomes of the loser, what a turn's median is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from backends.base import Precision, Scope
from bench.interpreter import Interpreter
from bench.messages import Prepared, PrepareTask
from bench.phases import PhaseLimits
from bench.plan import WorkloadSpec
from bench.process import run_worker
from bench.regression.environments import Environment, EnvironmentSide
from bench.regression.pairs import Duo, SideName
from bench.regression.probe import Question
from bench.regression.rows import Grid, Offer, plan_rows
from bench.regression.turns import PairRecord, TurnTaking
from bench.stopping import Limits
from reports import store
from tests.doubles import faults, plugin
from tests.doubles.onnx_files import tiny_convnet
from tests.reports import samples

LIMITS = dataclasses.replace(Limits.invocation(samples=6, max_time_s=5.0), warmup_calls=2)


@pytest.fixture(scope="module")
def doubles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("turns")
    (folder / "doubles").mkdir()
    plugin.install(folder / "doubles")
    faults.install(folder / "doubles")
    tiny_convnet(folder / "tiny.onnx")
    return folder


class Table:
    """Two sides with a backend each, ready for a pair."""

    def __init__(self, doubles: Path, out: Path, base: str, new: str) -> None:
        spec = WorkloadSpec(name="onnx", model=str(doubles / "tiny.onnx"))
        interpreter = Interpreter.of(None, None, {"PYTHONPATH": str(doubles / "doubles")})
        outcome = run_worker(PrepareTask(workload=spec, batches=[1], cache=str(doubles / "cache")), lambda _: None)
        materials = outcome.demand(Prepared, "preparing").materials
        sides: dict[SideName, Environment] = {
            "base": Environment("base", interpreter, spec, (base,)),
            "new": Environment("new", interpreter, spec, (new,)),
        }
        candidates = []
        for side in sides.values():
            names, precisions = list(side.backends), [Precision.FP32]
            question = Question(backends=names, device=None, precisions=precisions, scopes=[Scope.COMPUTE])
            candidates += side.ask(question).candidates
        offer = Offer(spec, (materials.info.model_sha256, materials.info.inputs_sha256))
        grid = Grid([1], [Precision.FP32], [Scope.COMPUTE], LIMITS)
        (row,) = plan_rows([(candidates[0], candidates[1])], {"base": offer, "new": offer}, grid)
        self.row, self.out = row.name, out
        tasks = {"base": row.base, "new": row.new}
        self.writers = {name: store.RunWriter(out / f"{name}.jsonl", samples.header()) for name in sides}
        opened: dict[SideName, EnvironmentSide] = {}
        for name, side in sides.items():
            task = tasks[name]
            assert task is not None
            opened[name] = EnvironmentSide(side, {row.name: task}, materials, PhaseLimits(), self.writers[name])
        self.take = TurnTaking(opened, out / "pairs.jsonl")

    def pair(self, *order: SideName) -> Duo:
        return self.take(self.row, order)

    def kept(self, side: SideName) -> list[str]:
        return [cell.status for cell in store.read(self.out / f"{side}.jsonl").cells]

    def lines(self) -> Iterator[PairRecord]:
        for line in (self.out / "pairs.jsonl").read_bytes().splitlines():
            yield msgspec.json.decode(line, type=PairRecord)


def test_two_processes_take_turns_and_the_difference_is_that_of_their_turns(doubles: Path, tmp_path: Path) -> None:
    table = Table(doubles, tmp_path, "double", "slow")
    found = table.pair("base", "new")
    # 2 ms against 202 ms a call.
    assert found.difference is not None
    assert found.difference > math.log(20)
    assert {name: record.status for name, record in found.records.items()} == {"base": "ok", "new": "ok"}
    (line,) = table.lines()
    assert (line.row, line.first, line.base_invocation, line.new_invocation) == (table.row, "base", 0, 0)
    base, new = found.records["base"].samples, found.records["new"].samples
    assert base is not None
    assert new is not None
    # A call longer than a turn is one; of the others many fit into each of at least 20.
    assert len(line.new_ms) == len(new.samples_ns)
    assert len(line.base_ms) >= 10
    assert len(base.samples_ns) > 2 * len(line.base_ms)
    assert line.difference == found.difference
    table.pair("new", "base")
    assert [(line.first, line.base_invocation, line.new_invocation) for line in table.lines()] == [
        ("base", 0, 0), ("new", 1, 1),
    ]  # fmt: skip
    assert table.kept("base") == table.kept("new") == ["ok", "ok"]
    # The device's energy counter cannot tell the two apart.
    assert all(record.telemetry and record.telemetry.energy_per_image_j is None for record in found.records.values())


def test_when_one_is_lost_in_its_turn_the_other_is_stopped(doubles: Path, tmp_path: Path) -> None:
    table = Table(doubles, tmp_path, "double", "crash")
    found = table.pair("base", "new")
    assert found.difference is None
    assert {name: record.status for name, record in found.records.items()} == {"new": "failed"}
    failure = found.records["new"].failure
    assert failure is not None
    assert "died of SIGSEGV" in failure.message
    assert (table.kept("base"), table.kept("new")) == ([], ["failed"])


def test_when_the_first_cannot_begin_the_second_is_not_started(doubles: Path, tmp_path: Path) -> None:
    table = Table(doubles, tmp_path, "nomemory", "double")
    assert set(table.pair("base", "new").records) == {"base"}
    assert (table.kept("base"), table.kept("new")) == (["failed"], [])


def test_wrong_outputs_end_a_process_before_its_first_turn(doubles: Path, tmp_path: Path) -> None:
    table = Table(doubles, tmp_path, "wrong", "double")
    found = table.pair("base", "new")
    assert {name: record.status for name, record in found.records.items()} == {"base": "wrong", "new": "ok"}
    assert found.difference is None
