"""The double's own rules: what a careless client of onnxruntime-gpu gets away with, and what it is found out by."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doubles.cuda import Config as Machine
from tests.doubles.cuda import Virtual
from tests.doubles.onnx_files import tiny_convnet
from tests.doubles.onnxruntime_gpu import CPU, CUDA, TENSORRT, Config, Fail, build

X = np.random.default_rng(0).standard_normal((2, 3, 8, 8), np.float32)


class Client:
    """Does what its methods say, and nothing for safety's sake."""

    def __init__(self, folder: Path, options: dict[str, str] | None = None, **config: Any) -> None:
        self.module = build(Config(**config), Virtual())
        self.path = str(tiny_convnet(folder / "tiny.onnx", batch=2))
        self.options = options or {}

    @property
    def world(self) -> Any:
        return self.module.state.world

    def open(self, *names: str, entries: dict[str, str] | None = None, **settings: Any) -> Any:
        options = self.module.SessionOptions()
        for key, value in (entries or {}).items():
            options.add_session_config_entry(key, value)
        providers = [(name, self.options) for name in names or (CUDA,)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.module.InferenceSession(self.path, options, providers=providers, **settings)

    def bind(self, session: Any) -> tuple[Any, Any, Any]:
        x = self.module.OrtValue.ortvalue_from_numpy(X, "cuda", 0)
        y = self.module.OrtValue.ortvalue_from_shape_and_type([2, 4, 8, 8], np.float32, "cuda", 0)
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", x)
        binding.bind_ortvalue_output("y", y)
        return binding, x, y

    def rules(self) -> set[str]:
        return {line.split()[1] for line in self.world.end() if line.startswith("violation")}


@pytest.mark.parametrize(
    ("broken", "names", "gets"),
    [
        (set(), (CUDA,), [CUDA, CPU]),
        ({CUDA}, (CUDA,), [CPU]),
        ({TENSORRT}, (TENSORRT, CUDA), [CUDA, CPU]),
        ({TENSORRT, CUDA}, (TENSORRT, CUDA), [CPU]),
    ],
)
def test_a_provider_that_does_not_load_is_replaced_in_silence(
    tmp_path: Path, broken: set[str], names: tuple[str, ...], gets: list[str]
) -> None:
    client = Client(tmp_path, broken=frozenset(broken))
    assert client.open(*names).get_providers() == gets


def test_only_an_argument_or_an_entry_keeps_the_constructor_from_that(tmp_path: Path) -> None:
    client = Client(tmp_path, broken=frozenset({TENSORRT, CUDA}))
    with pytest.raises(RuntimeError, match="Please install TensorRT libraries"):
        client.open(TENSORRT, CUDA, enable_fallback=0)
    with pytest.raises(Fail, match="fallback to CPU EP has been explicitly disabled"):
        client.open(CUDA, entries={"session.disable_cpu_ep_fallback": "1"})
    with pytest.raises(Fail, match="Conflicting session configuration"):
        client.open(CUDA, CPU, entries={"session.disable_cpu_ep_fallback": "1"})


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        (CUDA, {"use_tf32": "maybe"}, "Failed to parse"),
        (CUDA, {"no_such": "1"}, "Unknown provider option"),
        (CUDA, {"device_id": "1"}, "Invalid device ID: 1"),
        (CUDA, {"cudnn_conv_algo_search": "exhaustive"}, "Failed to map enum"),
        (TENSORRT, {"trt_fp16_enable": "1"}, "should be 'True' or 'False'"),
        (TENSORRT, {"no_such": "1"}, "Invalid TensorRT EP option"),
    ],
)
def test_an_option_that_is_no_good_ends_on_the_cpu_or_in_an_error(
    tmp_path: Path, name: str, options: dict[str, str], words: str
) -> None:
    client = Client(tmp_path, options)
    assert client.open(name).get_providers() == [CPU]
    with pytest.raises(RuntimeError, match=words):
        client.open(name, enable_fallback=0)


def test_a_run_is_over_when_it_returns(tmp_path: Path) -> None:
    client = Client(tmp_path, run_ms=2.0)
    session = client.open()
    binding, _x, y = client.bind(session)
    before = client.world.timing.now()
    session.run_with_iobinding(binding)
    assert client.world.timing.now() - before == pytest.approx(2_000_000, rel=0.01)
    import onnxruntime

    real = onnxruntime.InferenceSession(client.path, providers=[CPU]).run(None, {"x": X})[0]
    np.testing.assert_allclose(y.numpy(), real, rtol=0.01, atol=0.02)  # TF32 is on unless it is turned off
    assert np.abs(y.numpy() - real).max() > 1e-5
    assert client.rules() == set()


def test_values_can_be_read_once_a_run_that_does_not_wait_was_waited_for(tmp_path: Path) -> None:
    client = Client(tmp_path, run_ms=2.0)
    stream = client.world.stream_create(1)
    client.options = {"user_compute_stream": str(stream)}
    session = client.open()
    binding, _x, y = client.bind(session)
    options = client.module.RunOptions()
    options.add_run_config_entry("disable_synchronize_execution_providers", "1")
    before = client.world.timing.now()
    session.run_with_iobinding(binding, options)
    assert client.world.timing.now() == before
    client.world.stream_synchronize(stream)
    y.numpy()
    assert not [entry for entry in client.world.journal.entries if entry.kind == "violation"]
    session.run_with_iobinding(binding, options)
    y.numpy()
    client.world.stream_synchronize(stream)
    assert client.rules() == {"race"}


def test_a_user_s_stream_outlives_the_session(tmp_path: Path) -> None:
    client = Client(tmp_path)
    stream = client.world.stream_create(1)
    client.options = {"user_compute_stream": str(stream)}
    session = client.open()
    client.world.stream_destroy(stream)
    del session
    assert client.rules() == {"released-before"}


def in_another_place(client: Client, session: Any, binding: Any) -> None:
    other = client.module.OrtValue.ortvalue_from_numpy(X, "cuda", 0)
    binding.bind_ortvalue_input("x", other)
    session.run_with_iobinding(binding)


def on_the_host(client: Client, session: Any, binding: Any) -> None:
    binding.bind_ortvalue_input("x", client.module.OrtValue.ortvalue_from_numpy(X))
    with pytest.raises(AttributeError):
        session.run_with_iobinding(binding)


@pytest.mark.parametrize(
    ("options", "does", "rule"),
    [({"enable_cuda_graph": "1"}, in_another_place, "graph-address"), ({}, on_the_host, "copies-in-run")],
)
def test_where_values_lie_matters(
    tmp_path: Path, options: dict[str, str], does: Callable[[Client, Any, Any], None], rule: str
) -> None:
    client = Client(tmp_path, options)
    session = client.open()
    binding, _x, _y = client.bind(session)
    session.run_with_iobinding(binding)
    does(client, session, binding)
    assert client.rules() == {rule}


def test_a_graph_needs_every_node_on_its_provider(tmp_path: Path) -> None:
    client = Client(tmp_path, {"enable_cuda_graph": "1"}, lacks={CUDA: frozenset({"Relu"})})
    with pytest.raises(Fail, match="cannot use the graph capture feature"):
        client.open()


def test_without_a_profile_an_engine_of_open_sizes_is_built_by_a_run(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.path = str(tiny_convnet(tmp_path / "open.onnx"))
    session = client.open(TENSORRT)
    assert client.module.state.builds == 0
    binding, _x, _y = client.bind(session)
    session.run_with_iobinding(binding)
    assert client.module.state.builds == 1
    assert client.rules() == {"built-in-run"}


def test_memory_is_the_card_s(tmp_path: Path) -> None:
    client = Client(tmp_path, machine=Machine(memory_bytes=4 * 2**20))
    with pytest.raises(RuntimeError, match="CUDA failure 2: out of memory"):
        client.module.OrtValue.ortvalue_from_shape_and_type([2**21], np.float32, "cuda", 0)
    with pytest.raises(RuntimeError, match="device id doesn't match"):
        client.module.OrtValue.ortvalue_from_shape_and_type([1], np.float32, "cuda", 1)


def test_nodes_are_told_where_that_was_asked_for(tmp_path: Path) -> None:
    client = Client(tmp_path, lacks={CUDA: frozenset({"Relu"})})
    with pytest.raises(Fail, match="record_ep_graph_assignment_info"):
        client.open().get_provider_graph_assignment_info()
    parts = client.open(entries={"session.record_ep_graph_assignment_info": "1"}).get_provider_graph_assignment_info()
    assert {part.ep_name: [node.op_type for node in part.get_nodes()] for part in parts} == {
        CUDA: ["Conv"], CPU: ["Relu"],
    }  # fmt: skip
    assert not hasattr(Client(tmp_path, tells_nodes=False).open(), "get_provider_graph_assignment_info")
