"""ONNX Runtime on a real card: right in each precision, all of it there, and no silent change of anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends import registry
from backends._cuda import installed
from backends.base import Artifact, BackendUnavailable, Device, OptionValue, Precision, Session
from backends.conformance import check_backend, tiny_case
from backends.onnxruntime.providers import CUDA, TENSORRT
from reports import store
from reports.accuracy import compare_outputs
from tests.command import Bench
from tests.cuda import stargan
from tests.cuda.machine import gpu

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")

_PICTURES = frozenset({"fake_img"})


class Engine:
    """The backend with small StarGAN's generator."""

    def __init__(self, folder: Path) -> None:
        self.backend = registry.load("onnxruntime")
        self.folder = folder

    def options(self, **given: OptionValue) -> dict[str, OptionValue]:
        return {spec.key: spec.default for spec in self.backend.options} | given

    def prepare(self, batch: int, precision: Precision = Precision.FP32, **given: OptionValue) -> Artifact:
        return self.backend.prepare(stargan.model(self.folder, batch), precision, gpu().device, self.options(**given))

    def open(
        self, batch: int, precision: Precision = Precision.FP32, device: Device | None = None, **given: OptionValue
    ) -> Session:
        artifact = self.prepare(batch, precision, **given)
        return self.backend.open(artifact, device or gpu().device, self.options(**given))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    if CUDA not in ort.get_available_providers():
        pytest.skip(f"onnxruntime {ort.__version__} is built without CUDA; install onnxruntime-gpu")
    return Engine(tmp_path)


@pytest.fixture
def tensorrt(engine: Engine) -> Engine:
    """Skips the test where the provider, or the TensorRT that it needs, is not there."""
    try:
        engine.open(1, Precision.TF32, provider="tensorrt").close()
    except BackendUnavailable as error:
        pytest.skip(str(error))
    return engine


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
@pytest.mark.parametrize("cuda_api", [*installed(), "none"])
def test_outputs_are_those_of_pytorch_on_the_cpu(
    engine: Engine, precision: Precision, graph: bool, cuda_api: str
) -> None:
    with engine.open(2, precision, graph=graph, cuda_api=cuda_api) as session:
        told = session.describe()
        # A card without TF32 computes it in fp32, and says so.
        assert session.precision in ({precision, Precision.FP32} if precision is Precision.TF32 else {precision})
        # A graph keeps addresses, not values: other inputs must give other outputs.
        for seed in (1, 2):
            right(session, 2, seed)
        assert (session.device, session.fallback) == (gpu().device, "")
        assert told["providers"].startswith(CUDA)
        assert told["host memory"] == ("pageable" if cuda_api == "none" else "pinned")


def test_every_node_is_on_the_card_and_said_to_be(engine: Engine) -> None:
    with engine.open(4) as session:
        told = session.describe()["nodes"]
    assert "CPUExecutionProvider" not in told
    assert told.startswith(CUDA) or told.startswith("not told")


@pytest.mark.parametrize("search", ["exhaustive", "heuristic", "default"])
def test_each_search_for_convolutions_is_right(engine: Engine, search: str) -> None:
    with engine.open(1, conv_search=search) as session:
        right(session, 1, 3)
        assert session.describe()["cudnn_conv_algo_search"] == search


def test_tf32_is_told_from_fp32_by_its_results(engine: Engine) -> None:
    """Where the card has it: the same inputs give other bits."""
    with engine.open(2, Precision.TF32) as session:
        if session.precision is not Precision.TF32:
            pytest.skip("this card has no TF32")
        rounded = infer(session, 2, 4)["fake_img"]
    with engine.open(2) as session:
        exact = infer(session, 2, 4)["fake_img"]
    if np.array_equal(exact, rounded):
        pytest.skip("the search chose fp32's kernels for all layers of this small model")
    reference = stargan.reference(stargan.feeds(2, 4))["fake_img"]
    assert np.abs(exact - reference).max() < np.abs(rounded - reference).max()


def test_events_on_its_stream_tell_the_time_of_a_call(engine: Engine) -> None:
    if not installed():
        pytest.skip("neither cuda-bindings nor pycuda is installed")
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


@pytest.mark.parametrize("options", [{}, {"graph": True}, {"cuda_api": "none"}])
def test_the_backend_passes_the_conformance_kit(
    engine: Engine, tmp_path: Path, options: dict[str, OptionValue]
) -> None:
    device = gpu().device
    results = check_backend(engine.backend, tiny_case(tmp_path, device), device, options)
    assert [result for result in results if not result.passed] == []


def test_a_device_that_is_not_there_is_one_line(engine: Engine) -> None:
    for cuda_api in ("auto", "none"):
        with pytest.raises(BackendUnavailable, match="cuda:63") as caught:
            engine.open(1, device=Device("cuda", 63), cuda_api=cuda_api)
        assert "\n" not in str(caught.value)


def test_tensorrt_inside_is_right_and_its_engine_is_kept(tensorrt: Engine) -> None:
    for precision in (Precision.TF32, Precision.FP16):
        for how in ("built now", "from the cache"):
            with tensorrt.open(2, precision, provider="tensorrt") as session:
                right(session, 2, 5)
                told = session.describe()
                assert told["engines"] == how
                assert told["providers"].startswith(TENSORRT)


def test_tensorrt_inside_runs_as_a_graph(tensorrt: Engine) -> None:
    with tensorrt.open(2, Precision.FP16, provider="tensorrt", graph=True) as session:
        for seed in (1, 2):
            right(session, 2, seed)


def test_one_command_measures_it_and_reports(engine: Engine, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench("--backend", "onnxruntime", "--device", "cuda", "--bs", "1", "--max-time", "2", "--no-plots", "--out", "o")
    (cell,) = store.read(tmp_path / "o").cells
    assert (cell.status, cell.provenance, cell.identity.batch) == ("ok", "measured", 1), cell.failure
    assert cell.identity.card.startswith(gpu().card)
    assert all(found.passed for found in cell.accuracy)
