"""The double finds what a careless client does, and fails by value as each version does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doubles.cuda import Config as Machine
from tests.doubles.cuda import Virtual
from tests.doubles.onnx_files import tiny_convnet
from tests.doubles.tensorrt import GENERATIONS, Config, build

SHAPE = (2, 3, 8, 8)


class Client:
    """Builds and runs the small model, each step apart; keeps all objects as attributes."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.path = tiny_convnet(folder / "tiny.onnx")
        self.time = Virtual()
        trt = self.trt = build(Config(**settings), self.time)
        self.state, self.world = trt.state, trt.state.world
        self.said: list[str] = []
        said = self.said

        class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, msg: str) -> None:
                said.append(msg)

        self.logger = Logger()

    def plan(self, flags: int | None = None, profile: Any = (SHAPE,) * 3, **changes: Any) -> Any:
        """A plan, or None. `changes` are flags of the builder to set or clear."""
        trt = self.trt
        builder = trt.Builder(self.logger)
        explicit = 1 if hasattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH") else 0
        network = builder.create_network(explicit if flags is None else flags)
        parser = trt.OnnxParser(network, self.logger)
        if not parser.parse_from_file(str(self.path)):
            self.said += [parser.get_error(index).desc() for index in range(parser.num_errors)]
            return None
        config = builder.create_builder_config()
        for name, on in changes.items():
            (config.set_flag if on else config.clear_flag)(getattr(trt.BuilderFlag, name))
        if profile is not None:
            ranges = builder.create_optimization_profile()
            ranges.set_shape("x", *profile)
            if config.add_optimization_profile(ranges) < 0:
                return None
        plan = builder.build_serialized_network(network, config)
        del parser, config, network
        ranges = None
        return plan

    def open(self, plan: Any) -> None:
        self.stream = self.world.stream_create(1)
        self.runtime = self.trt.Runtime(self.logger)
        self.engine = self.runtime.deserialize_cuda_engine(plan)
        self.context = self.engine.create_execution_context()
        self.x = self.world.malloc(int(np.prod(SHAPE)) * 4, "x")
        self.y = self.world.malloc(2 * 4 * 64 * 4, "y")
        self.context.set_input_shape("x", SHAPE)
        self.context.set_tensor_address("x", self.x)
        self.context.set_tensor_address("y", self.y)

    def close(self) -> None:
        self.context = self.engine = self.runtime = None
        self.world.free(self.x)
        self.world.free(self.y)
        self.world.stream_destroy(self.stream)

    def rules(self) -> list[str]:
        return [entry.rule for entry in self.world.violations]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    made = Client(tmp_path, base_ms=5.0)
    made.open(made.plan())
    return made


def test_a_careful_client_is_found_without_fault(client: Client) -> None:
    assert client.context.execute_async_v3(client.stream)
    client.world.stream_synchronize(client.stream)
    client.close()
    assert client.world.end() == []
    assert client.state.alive() == []


def test_the_engine_comes_after_its_context_and_the_runtime_after_both(client: Client) -> None:
    client.engine = None
    assert client.rules() == ["destroyed-before"]
    client.runtime = None
    assert client.rules() == ["destroyed-before"]
    client.context.execute_async_v3(client.stream)
    assert client.rules() == ["destroyed-before", "used-after-destroy"]


def test_the_runtime_comes_after_its_engine(client: Client) -> None:
    client.runtime = None
    assert client.rules() == ["destroyed-before"]


def test_a_context_that_executes_may_be_neither_destroyed_nor_changed(client: Client) -> None:
    assert client.context.execute_async_v3(client.stream)
    client.context.set_input_shape("x", SHAPE)
    client.context.set_tensor_address("x", client.x)
    client.context = None
    assert client.rules() == ["changed-in-flight", "changed-in-flight", "destroyed-in-flight"]


def test_the_default_stream_is_a_breach(client: Client) -> None:
    assert client.context.execute_async_v3(0)
    assert client.rules() == ["default-stream"]


def test_what_is_left_open_is_a_leak(client: Client) -> None:
    found = client.world.end()
    assert any("weights of an engine" in line for line in found)
    assert any("memory of an execution context" in line for line in found)


def test_memory_that_is_not_the_device_s_fails_by_value(client: Client) -> None:
    client.context.set_tensor_address("x", client.world.host_alloc(4096))
    assert client.context.execute_async_v3(client.stream) is False
    assert client.rules() == ["not-device-memory"]
    assert "Cuda Runtime" in client.said[-1]


def test_names_and_shapes_that_do_not_fit_fail_by_value(client: Client) -> None:
    assert client.context.set_input_shape("q", SHAPE) is False
    assert client.context.set_input_shape("x", (3, *SHAPE[1:])) is False
    assert client.context.set_input_shape("x", SHAPE[1:]) is False
    assert client.context.set_tensor_address("q", client.x) is False
    assert client.context.set_tensor_address("x", 0) is False
    fresh = client.engine.create_execution_context()
    assert fresh.infer_shapes() == ["x"]
    assert fresh.execute_async_v3(client.stream) is False
    assert "no shape or address was set for x" in client.said[-1]


def test_the_first_execution_cannot_be_captured(client: Client) -> None:
    world = client.world
    world.capture_begin(client.stream, 1)
    assert client.context.execute_async_v3(client.stream) is False
    with pytest.raises(Exception, match="during capture"):
        world.capture_end(client.stream)
    assert client.context.execute_async_v3(client.stream)
    world.stream_synchronize(client.stream)
    world.capture_begin(client.stream, 1)
    assert client.context.execute_async_v3(client.stream)
    assert world.capture_end(client.stream)


def test_a_graph_needs_its_context(client: Client) -> None:
    world = client.world
    assert client.context.execute_async_v3(client.stream)
    world.stream_synchronize(client.stream)
    world.capture_begin(client.stream, 1)
    client.context.execute_async_v3(client.stream)
    graph = world.graph_instantiate(world.capture_end(client.stream))
    client.context = None
    with pytest.raises(Exception, match="was released"):
        world.graph_launch(graph, client.stream)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_each_generation_has_its_names_and_no_others(generation: Any) -> None:
    trt = build(Config(generation=generation))
    weak, rtx = generation in ("8.6", "10"), generation == "rtx"
    assert hasattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH") == weak
    assert hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED") == (generation != "8.6")
    assert hasattr(trt.BuilderFlag, "FP16") == weak
    assert hasattr(trt.BuilderFlag, "INT8") == weak
    assert hasattr(trt.BuilderFlag, "TF32")
    assert hasattr(trt.Builder, "platform_has_fast_fp16") == weak
    assert hasattr(trt.ParserError, "node_operator") == (generation != "8.6")
    assert hasattr(trt.ICudaEngine, "device_memory_size") == weak
    assert hasattr(trt.ICudaEngine, "device_memory_size_v2") == (generation != "8.6")
    assert hasattr(trt, "ComputeCapability") == rtx
    assert hasattr(trt.IBuilderConfig, "set_compute_capability") == rtx
    with pytest.raises(AttributeError):
        _ = trt.no_such_name


def test_8_6_needs_its_flag_to_parse(tmp_path: Path) -> None:
    client = Client(tmp_path, generation="8.6")
    assert client.plan(flags=0) is None
    assert "explicit batch dimension" in client.said[-1]
    assert client.plan() is not None


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (None, "no optimization profile has been defined"),
        (((4, 3, 8, 8), SHAPE, (8, 3, 8, 8)), "Parameter check failed"),
        (((1, 4, 8, 8), (2, 4, 8, 8), (8, 4, 8, 8)), "Dimension mismatch for tensor x"),
    ],
)
def test_profiles_that_do_not_fit_give_no_plan(tmp_path: Path, profile: Any, words: str) -> None:
    client = Client(tmp_path)
    assert client.plan(profile=profile) is None
    assert words in client.said[-1]


def test_tf32_is_on_where_nobody_clears_it(tmp_path: Path) -> None:
    def outputs(**changes: Any) -> Any:
        client = Client(tmp_path, machine=Machine(capability=(8, 6), device_name="NVIDIA A10"))
        client.open(client.plan(**changes))
        x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
        client.world.poke(client.x, x.tobytes())
        assert client.context.execute_async_v3(client.stream)
        client.world.stream_synchronize(client.stream)
        return np.frombuffer(client.world.peek(client.y, 2 * 4 * 64 * 4), np.float32)

    exact, default, half = outputs(TF32=False), outputs(), outputs(TF32=False, FP16=True)
    assert 1e-5 < np.abs(exact - default).max() < 0.05
    assert 1e-5 < np.abs(exact - half).max() < 0.05


def test_plans_are_bound_to_version_and_card(tmp_path: Path) -> None:
    plan = Client(tmp_path).plan()
    for settings, words in (
        ({"version": "10.12.0.36"}, "expecting library version 10.12.0.36 got 10.16.1.11"),
        ({"machine": Machine(capability=(8, 6))}, "expecting compute 8.6 got compute 7.5"),
    ):
        other = Client(tmp_path, **settings)
        assert other.trt.Runtime(other.logger).deserialize_cuda_engine(plan) is None
        assert words in other.said[-1]
    same = Client(tmp_path)
    assert same.trt.Runtime(same.logger).deserialize_cuda_engine(plan[:-1]) is None
    assert same.trt.Runtime(same.logger).deserialize_cuda_engine(b"nothing") is None
    assert "magicTag" in same.said[-1]


def test_without_a_driver_what_is_made_is_a_breach(tmp_path: Path) -> None:
    client = Client(tmp_path, machine=Machine(driver_version=0))
    client.trt.Runtime(client.logger)
    assert client.rules() == ["no-driver"]


def test_parsing_from_memory_is_a_breach(tmp_path: Path) -> None:
    client = Client(tmp_path)
    builder = client.trt.Builder(client.logger)
    network = builder.create_network(1)
    parser = client.trt.OnnxParser(network, client.logger)
    assert parser.parse(client.path.read_bytes()) is False
    assert client.rules() == ["parsed-from-memory"]


def test_a_logger_must_be_the_module_s_own_with_its_base_made(tmp_path: Path) -> None:
    client = Client(tmp_path)
    unmade = type("Logger", (client.trt.ILogger,), {"__init__": lambda self: None})()
    for logger in (object(), unmade):
        with pytest.raises(TypeError):
            client.trt.Builder(logger)
