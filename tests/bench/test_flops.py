"""The arithmetic of models, against what it must be by hand, by torch's own counter, and by the exported graph."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.plan import WorkloadSpec
from bench.workloads import load
from bench.workloads.base import Materials
from bench.workloads.flops import flop, flop_per_image, stargan_flop_per_image, stargan_layers
from tests.doubles.onnx_files import tiny_convnet

STARGAN = 19_920_846_848


def graph(
    nodes: list[onnx.NodeProto], inputs: list[str], output: str, weights: dict[str, Any] | None = None, opset: int = 17
) -> onnx.ModelProto:
    """A float32 graph whose inputs have no declared shapes."""
    return helper.make_model(
        helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
    )  # fmt: skip


def zeros(*shape: int, dtype: Any = np.float32) -> Any:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("node", "weights", "shape", "multiply_adds"),
    [
        (helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[1] * 4), {"w": zeros(8, 3, 3, 3), "b": zeros(8)},
         [2, 3, 10, 12], 2 * 8 * 10 * 12 * 3 * 9),
        (helper.make_node("Conv", ["x", "w"], ["y"], group=4, strides=[2, 2], dilations=[2, 2]),
         {"w": zeros(8, 1, 3, 3)}, [1, 4, 11, 11], 8 * 4 * 4 * 1 * 9),
        (helper.make_node("Conv", ["x", "w"], ["y"]), {"w": zeros(6, 5, 7)}, [3, 5, 20], 3 * 6 * 14 * 5 * 7),
        (helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1] * 4), {"w": zeros(6, 4, 4, 4)},
         [1, 6, 8, 8], 8 * 8 * 6 * 4 * 16),
        (helper.make_node("ConvTranspose", ["x", "w"], ["y"], group=2), {"w": zeros(6, 4, 3, 3)},
         [1, 6, 5, 5], 5 * 5 * 6 * 4 * 9),
        (helper.make_node("Gemm", ["x", "w", "b"], ["y"]), {"w": zeros(7, 5), "b": zeros(5)}, [3, 7], 3 * 7 * 5),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transA=1, transB=1), {"w": zeros(5, 7)}, [7, 3], 3 * 7 * 5),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), {"w": zeros(7, 5)}, [2, 3, 4, 7], 2 * 3 * 4 * 7 * 5),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), {"w": zeros(7)}, [4, 7], 4 * 7),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), {"w": zeros(7)}, [7], 7),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), {"w": zeros(6, 7, 5)}, [1, 2, 7], 6 * 2 * 7 * 5),
    ],
)  # fmt: skip
def test_one_node_by_hand(node: onnx.NodeProto, weights: Any, shape: list[int], multiply_adds: int) -> None:
    assert flop(graph([node], ["x"], "y", weights), {"x": shape}) == 2 * multiply_adds


def test_quantised_products_count_as_their_float_ones_do() -> None:
    byte, scale = np.uint8(0), np.float32(1)
    weights = {"w": zeros(8, 3, 3, 3, dtype=np.uint8), "m": zeros(7, 5, dtype=np.uint8), "z": byte, "s": scale}
    convolution = helper.make_node("QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z"], ["y"])
    matrices = helper.make_node("QLinearMatMul", ["x", "s", "z", "m", "s", "z", "s", "z"], ["y"])
    for node, shape, multiply_adds in (
        (convolution, [1, 3, 6, 6], 8 * 16 * 27),
        (helper.make_node("ConvInteger", ["x", "w"], ["y"]), [1, 3, 6, 6], 8 * 16 * 27),
        (matrices, [4, 7], 4 * 7 * 5),
        (helper.make_node("MatMulInteger", ["x", "m"], ["y"]), [4, 7], 4 * 7 * 5),
    ):
        model = graph([node], ["x"], "y", weights)
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
        assert flop(model, {"x": shape}) == 2 * multiply_adds


@pytest.mark.parametrize("opset", [11, 17])
def test_shapes_that_the_graph_computes_are_followed(opset: int) -> None:
    """Reshape to (batch, rows × columns) by Shape, Gather and Concat, as exporters write it."""
    axes: dict[str, Any] = {"axes": [0]} if opset < 13 else {}
    more = [] if opset < 13 else ["axes"]
    weights = {"zero": np.int64(0), "rest": np.array([-1]), "axes": np.array([0]), "w": zeros(30, 4)}
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Unsqueeze", ["batch", *more], ["first"], **axes),
        helper.make_node("Concat", ["first", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    assert flop(graph(nodes, ["x"], "y", weights, opset), {"x": [2, 5, 6]}) == 2 * 2 * 30 * 4


def test_what_an_engine_never_computes_is_not_counted() -> None:
    nodes = [
        helper.make_node("MatMul", ["v", "w"], ["folded"]),  # of weights alone
        helper.make_node("MatMul", ["x", "folded"], ["y"]),
        helper.make_node("MatMul", ["x", "w"], ["unused"]),
    ]
    weights = {"v": zeros(7, 7), "w": zeros(7, 7)}
    assert flop(graph(nodes, ["x"], "y", weights), {"x": [3, 7]}) == 2 * 3 * 7 * 7


@pytest.mark.parametrize(
    "nodes",
    [
        pytest.param([helper.make_node("Relu", ["x"], ["y"])], id="nothing that is counted"),
        pytest.param([helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Einsum", ["m"], ["y"],
                     equation="ij->ji")], id="Einsum"),
        pytest.param([helper.make_node("LSTM", ["x", "w", "w"], ["y"], hidden_size=1)], id="recurrent"),
        pytest.param([helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"],
                     domain="com.example")], id="another domain"),
        pytest.param([helper.make_node("NonZero", ["x"], ["n"]), helper.make_node("Cast", ["n"], ["c"], to=1),
                      helper.make_node("MatMul", ["w", "c"], ["y"])], id="shape by values"),
        pytest.param([helper.make_node("MatMul", ["missing", "w"], ["y"])], id="unknown input"),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_not_guessed(nodes: list[onnx.NodeProto]) -> None:
    assert flop(graph(nodes, ["x"], "y", {"w": zeros(7, 7)}), {"x": [3, 7]}) is None


def test_loops_are_not_counted() -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("MatMul", ["s", "w"], ["t"])], "body",
        [helper.make_tensor_value_info("n", TensorProto.INT64, []), helper.make_tensor_value_info("go", 9, []),
         helper.make_tensor_value_info("s", 1, [3, 7])],
        [helper.make_tensor_value_info("on", 9, []), helper.make_tensor_value_info("t", 1, [3, 7])],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["times", "", "x"], ["m"], body=body)
    nodes = [loop, helper.make_node("MatMul", ["m", "w"], ["y"])]
    assert flop(graph(nodes, ["x"], "y", {"times": np.int64(3), "w": zeros(7, 7)}), {"x": [3, 7]}) is None


def test_an_image_costs_the_same_at_every_batch_size_or_it_is_not_told() -> None:
    even = graph([helper.make_node("MatMul", ["x", "w"], ["y"])], ["x"], "y", {"w": zeros(7, 5)})
    assert flop_per_image(even, {1: {"x": [1, 7]}, 3: {"x": [3, 7]}}) == 2 * 7 * 5
    nodes = [helper.make_node("Transpose", ["x"], ["t"]), helper.make_node("MatMul", ["x", "t"], ["y"])]
    assert flop_per_image(graph(nodes, ["x"], "y"), {4: {"x": [4, 7]}}) == 2 * 4 * 7
    assert flop_per_image(graph(nodes, ["x"], "y"), {1: {"x": [1, 7]}, 4: {"x": [4, 7]}}) is None


def test_a_model_of_any_kind_tells_its_arithmetic(tmp_path: Path) -> None:
    def told(path: Path, batches: list[int]) -> float | None:
        spec = WorkloadSpec(name="onnx", model=str(path))
        return load("onnx").materialise(spec, batches, tmp_path / "cache", lambda what: None).info.flop_per_image

    convolution = 2 * 4 * 8 * 8 * 3 * 9
    assert told(tiny_convnet(tmp_path / "free.onnx"), [1, 4]) == convolution
    assert told(tiny_convnet(tmp_path / "fixed.onnx", batch=2), [2]) == convolution


def test_stargan_is_counted_without_torch_and_onnx() -> None:
    code = (
        "import sys; from bench.workloads.flops import stargan_flop_per_image as count; print(count());"
        " sys.exit(str({'torch', 'onnx'} & set(sys.modules)) if {'torch', 'onnx'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == STARGAN


@pytest.fixture(scope="module")
def stargan(stargan_cache: Path) -> Materials:
    """What the workload prepares for one image: the exported graph, and what is told of it."""
    return load("stargan").materialise(WorkloadSpec(name="stargan"), [1], stargan_cache, lambda what: None)


def test_stargan_by_arithmetic_is_stargan_as_exported(stargan: Materials) -> None:
    model = onnx.load(stargan.onnx or "")
    shapes = {batch: {"real_img": [batch, 3, 128, 128], "attr": [batch, 5]} for batch in (1, 16)}
    assert flop_per_image(model, shapes) == stargan_flop_per_image() == STARGAN
    assert stargan.info.flop_per_image == STARGAN


def test_stargans_layers_are_those_of_the_network() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    from bench.workloads import stargan_network as network

    generator = network.seeded_generator(1234)
    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    found = [module for module in generator.modules() if isinstance(module, kinds)]
    assert [(layer.inputs, layer.outputs, layer.kernel) for layer in stargan_layers()] == [
        (module.in_channels, module.out_channels, module.kernel_size[0]) for module in found
    ]
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        generator(torch.zeros(1, 3, network.IMAGE_SIZE, network.IMAGE_SIZE), torch.zeros(1, network.ATTRIBUTES))
    assert counter.get_total_flops() == STARGAN
