"""TensorRT, and TensorRT for RTX, on a real card: built, loaded, and right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import registry
from backends._cuda import installed
from backends.base import Artifact, Backend, BackendUnavailable, OptionValue, Precision, Session
from reports import store
from reports.accuracy import compare_outputs
from tests.command import Bench
from tests.cuda import stargan
from tests.cuda.machine import gpu

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

_PICTURES = frozenset({"fake_img"})


@pytest.fixture(params=["tensorrt", "tensorrt-rtx"])
def name(request: pytest.FixtureRequest) -> str:
    availability = registry.probe(registry.load(request.param))
    if not availability.usable:
        pytest.skip(f"{request.param}: {availability.reason}")
    return str(request.param)


class Engine:
    """The backend with small StarGAN's generator."""

    def __init__(self, name: str, folder: Path) -> None:
        self.backend: Backend = registry.load(name)
        self.folder = folder

    def options(self, **given: OptionValue) -> dict[str, OptionValue]:
        return {spec.key: spec.default for spec in self.backend.options} | given

    def prepare(self, batch: int, precision: Precision = Precision.FP32, **given: OptionValue) -> Artifact:
        """Skips the test where this version, or this card, has no way to the precision."""
        model = stargan.model(self.folder, batch)
        try:
            return self.backend.prepare(model, precision, gpu().device, self.options(**given))
        except BackendUnavailable as error:
            pytest.skip(str(error))

    def open(self, batch: int, precision: Precision = Precision.FP32, **given: OptionValue) -> Session:
        return self.backend.open(self.prepare(batch, precision, **given), gpu().device, self.options(**given))


@pytest.fixture
def engine(name: str, tmp_path: Path) -> Engine:
    return Engine(name, tmp_path)


def infer(session: Session, batch: int, seed: int) -> dict[str, Any]:
    session.copy_inputs(stargan.feeds(batch, seed))
    session.enqueue()
    session.synchronize()
    return session.copy_outputs()


def right(session: Session, batch: int, seed: int) -> None:
    """The outputs hold what is asked of the executed precision."""
    reference = stargan.reference(stargan.feeds(batch, seed))
    for found in compare_outputs(reference, infer(session, batch, seed), session.precision.value, _PICTURES):
        assert found.passed, found.reason


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.TF32, Precision.FP16])
@pytest.mark.parametrize("graph", [False, True])
def test_outputs_are_those_of_pytorch_on_the_cpu(engine: Engine, precision: Precision, graph: bool) -> None:
    if graph and "cuda-bindings" not in installed():
        pytest.skip("CUDA graphs need cuda-bindings")
    with engine.open(2, precision, graph=graph) as session:
        assert session.precision is precision
        assert session.device == gpu().device
        # A graph keeps addresses, not values: other inputs must give other outputs.
        for seed in (1, 2):
            right(session, 2, seed)


def test_one_engine_for_several_batches_is_right_at_its_ends(engine: Engine) -> None:
    for batch in (1, 4):
        with engine.open(batch, profile="1-4") as session:
            right(session, batch, 3)
            assert "real_img (1, 3, 32, 32) to (4, 3, 32, 32)" in session.describe()["profile"]


def test_the_second_time_the_engine_comes_from_the_cache(engine: Engine) -> None:
    first, again = engine.prepare(1), engine.prepare(1)
    assert (first.settings["engine"], again.settings["engine"]) == ("built now", "from the cache")
    assert first.sha256 == again.sha256
    other = engine.prepare(4)
    assert other.settings["engine"] == "built now"
    assert other.sha256 != first.sha256


def test_events_on_its_stream_tell_the_time_of_a_call(engine: Engine) -> None:
    with engine.open(4) as session:
        session.copy_inputs(stargan.feeds(4, 1))
        begin, done = session.device_event(), session.device_event()
        assert begin is not None
        assert done is not None
        for _ in range(3):
            begin.record()
            session.enqueue()
            done.record()
            session.synchronize()
            assert 0 < done.elapsed_ms(begin) < 10_000


def test_through_either_module_of_cuda_it_computes_the_same(engine: Engine) -> None:
    if len(installed()) < 2:
        pytest.skip("only one of cuda-bindings and pycuda is installed")
    outputs = []
    for api in installed():
        with engine.open(2, cuda_api=api) as session:
            outputs.append(infer(session, 2, 5)["fake_img"])
    np.testing.assert_array_equal(*outputs)


def test_one_command_measures_it_and_reports(name: str, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench("--backend", name, "--bs", "1", "--max-time", "2", "--no-plots", "--out", "o")
    (cell,) = store.read(tmp_path / "o").cells
    assert (cell.status, cell.provenance, cell.identity.batch) == ("ok", "measured", 1), cell.failure
    assert cell.identity.card.startswith(gpu().card)
    assert all(found.passed for found in cell.accuracy)
    assert cell.latency is not None
    assert cell.fps_per_card == pytest.approx(1000 / cell.latency.mean_ms)
    assert cell.device_times is not None
    assert len(cell.device_times.times_ns) > 0
    assert cell.flags is not None
    assert cell.flags.clocks_agree
    report = (tmp_path / "o" / "report.md").read_text()
    assert "## Latency (compute)" in report
    assert "## On the device's own clock" in report
    assert gpu().card in report
    assert "SIMULATED" not in report
