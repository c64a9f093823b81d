"""An fp32 .onnx file in fp16: what comes out computes the same, is valid, and tells what it could not hold."""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

pytest.importorskip("onnxruntime")

from backends.base import ConversionError
from backends.convert import half
from backends.convert.half import to_fp16
from tests.backends.convert.models import two_inputs, with_external_data

TOOL = f"onnxruntime.transformers.float16 {version('onnxruntime')}"


def run(path: Path, feeds: dict[str, Any]) -> Any:
    """By onnx's evaluator, which really computes in the file's types: ONNX Runtime's CPU kernels compute in fp32."""
    return ReferenceEvaluator(str(path)).run(None, feeds)[0]


def save(path: Path, nodes: list[Any], initializers: dict[str, Any] | None = None, **others: Any) -> Path:
    """x (n, 4) -> y (n, 4)."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in (initializers or {}).items()]
    given_inputs = [
        helper.make_tensor_value_info(each.name, each.data_type, each.dims)
        for each in weights
        if others.get("ir_version") == 3
    ]
    graph = helper.make_graph(nodes, "graph", [ports[0], *given_inputs], [ports[1]], weights)
    versions = {"opset_imports": [helper.make_opsetid("", 13), helper.make_opsetid("own", 1)], "ir_version": 8}
    onnx.save(helper.make_model(graph, **{**versions, **others}), str(path))
    return path


def weights_of(path: Path) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}


X = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize("opset", [11, 17, 20])
def test_a_small_stargan_stays_within_the_thresholds_of_fp16(tmp_path: Path, opset: int) -> None:
    torch = pytest.importorskip("torch")
    from bench.workloads.stargan_network import Generator
    from reports.accuracy import compare_outputs

    torch.manual_seed(1)
    path = tmp_path / "small.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own deprecation
        torch.onnx.export(
            Generator(conv_dim=8, repeat_num=1).eval(), (torch.zeros(2, 3, 32, 32), torch.zeros(2, 5)), str(path),
            dynamo=False, opset_version=opset, input_names=["real_img", "attr"], output_names=["fake_img"],
            dynamic_axes={name: {0: "batch"} for name in ("real_img", "attr", "fake_img")},
        )  # fmt: skip
    made = to_fp16(path, tmp_path / "cache")
    model = onnx.load(str(made.path))
    onnx.checker.check_model(model, full_check=True)
    ports = (*model.graph.input, *model.graph.output)
    assert {port.name: port.type.tensor_type.elem_type for port in ports} == dict.fromkeys(
        ("real_img", "attr", "fake_img"), TensorProto.FLOAT
    )
    assert model.opset_import[0].version == opset
    assert {array.dtype.name for array in weights_of(made.path).values() if array.dtype.kind == "f"} == {"float16"}
    assert made.half_nodes > 25
    assert made.single_nodes == 0
    random = np.random.default_rng(0)
    feeds = {
        "real_img": random.uniform(-1, 1, (3, 3, 32, 32)).astype(np.float32),
        "attr": random.integers(0, 2, (3, 5)).astype(np.float32),
    }
    expected, found = run(path, feeds), run(made.path, feeds)
    assert found.dtype == np.float32
    verdict = compare_outputs({"fake_img": expected}, {"fake_img": found}, "fp16", {"fake_img"})[0]
    assert verdict.passed, verdict.reason
    assert verdict.psnr_db is not None
    assert verdict.psnr_db < 80, "it was not computed in fp16"


def test_it_is_made_once_and_found_again(tmp_path: Path) -> None:
    path = two_inputs(tmp_path / "m.onnx")
    first, second = to_fp16(path, tmp_path / "cache"), to_fp16(path, tmp_path / "cache")
    assert (first.hit, second.hit) == (False, True)
    assert (first.path, first.sha256, first.summary) == (second.path, second.sha256, second.summary)
    assert first.tool == TOOL
    assert first.summary == "2 nodes compute in fp16, 0 in fp32; inputs and outputs keep their types"


def test_other_weights_beside_the_file_and_another_tool_make_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_external_data(tmp_path / "m.onnx")
    first = to_fp16(path, tmp_path / "cache")
    assert weights_of(first.path)["w"].dtype == np.float16
    (tmp_path / "data" / "weights.bin").write_bytes(np.full(192, 0.5, np.float32).tobytes())
    second = to_fp16(path, tmp_path / "cache")
    assert np.all(weights_of(second.path)["w"] == 0.5)
    real = half._load_tool()[1]
    monkeypatch.setattr(half, "_load_tool", lambda: ("0.1", real))
    third = to_fp16(path, tmp_path / "cache")
    assert third.tool.endswith(" 0.1")
    assert len({first.path, second.path, third.path}) == 3
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == ["weights.bin"], "nothing is left there"


def test_the_tool_leaves_no_folder_of_its_own_to_import_from(tmp_path: Path) -> None:
    before = list(sys.path)
    to_fp16(two_inputs(tmp_path / "m.onnx"), tmp_path / "cache")
    assert sys.path == before


def test_a_cast_to_float_in_the_model_becomes_one_to_half(tmp_path: Path) -> None:
    path = save(
        tmp_path / "cast.onnx",
        [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
         helper.make_node("ReduceSum", ["f"], ["r"], keepdims=0), helper.make_node("Mul", ["x", "r"], ["y"])],
    )  # fmt: skip
    made = to_fp16(path, tmp_path / "cache")
    assert np.allclose(run(made.path, {"x": X}), 7 * X, rtol=1e-3)


def test_operators_that_the_tool_leaves_in_fp32_are_counted(tmp_path: Path) -> None:
    path = save(
        tmp_path / "max.onnx",
        [helper.make_node("Mul", ["x", "w"], ["m"]), helper.make_node("Max", ["m", "w"], ["b"]),
         helper.make_node("Neg", ["b"], ["y"])],
        {"w": np.float32([1, 2, 3, 4])},
    )  # fmt: skip
    made = to_fp16(path, tmp_path / "cache")
    assert (made.half_nodes, made.single_nodes) == (2, 1)
    assert np.allclose(run(made.path, {"x": X}), -np.maximum(X * [1, 2, 3, 4], [1, 2, 3, 4]), atol=1e-2)


def test_functions_and_graphs_inside_of_nodes_are_converted(tmp_path: Path) -> None:
    double = helper.make_function(
        "own", "Double", ["a"], ["b"],
        [helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32(2))),
         helper.make_node("Mul", ["a", "two"], ["b"])],
        [helper.make_opsetid("", 13)],
    )  # fmt: skip
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node(operator, ["d", "w"], [f"{name}_y"])], name, [],
            [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, ["n", 4])],
        )
        for name, operator in (("then", "Add"), ("else", "Sub"))
    }  # fmt: skip
    path = save(
        tmp_path / "inner.onnx",
        [helper.make_node("Double", ["x"], ["d"], domain="own"),
         helper.make_node("If", ["yes"], ["y"], **branches)],
        {"w": np.float32([1, 2, 3, 4]), "yes": np.array(True)}, functions=[double],
    )  # fmt: skip
    made = to_fp16(path, tmp_path / "cache")
    assert np.allclose(run(made.path, {"x": X}), 2 * X + [1, 2, 3, 4], atol=1e-2)
    assert made.single_nodes == 0


def test_weights_that_an_old_file_lists_as_inputs_are_converted(tmp_path: Path) -> None:
    path = save(tmp_path / "old.onnx", [helper.make_node("Mul", ["x", "w"], ["y"])], {"w": np.float32([1, 2, 3, 4])},
                ir_version=3)  # fmt: skip
    made = to_fp16(path, tmp_path / "cache")
    assert weights_of(made.path)["w"].dtype == np.float16
    assert np.allclose(run(made.path, {"x": X}), X * [1, 2, 3, 4], atol=1e-2)


def test_constants_that_fp16_does_not_hold_are_told(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.float32([-1e9, 1, 1, 1]))),
        helper.make_node("Mul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "c"], ["y"]),
    ]
    path = save(tmp_path / "large.onnx", nodes, {"w": np.float32([70000, 1e-9, np.inf, 0])})
    made = to_fp16(path, tmp_path / "cache")
    assert made.notes == (
        "2 of its 8 constants are beyond 65504, the largest number of fp16, and were cut to it: look at the accuracy",
        "1 of its 8 constants are nearer to 0 than 5.96e-08, the smallest number of fp16, and were raised to it",
    )
    assert to_fp16(path, tmp_path / "cache").notes == made.notes
    held = weights_of(made.path)["w"]
    assert held[0] == 65504
    assert 0 < held[1] < 1e-7
    assert np.isinf(held[2])


def test_a_constant_that_stays_in_fp32_is_not_told(tmp_path: Path) -> None:
    nodes = [helper.make_node("Max", ["x", "w"], ["m"]), helper.make_node("Neg", ["m"], ["y"])]
    assert to_fp16(save(tmp_path / "m.onnx", nodes, {"w": np.float32([1e6] * 4)}), tmp_path / "cache").notes == ()


def refused(path: Path, cache: Path) -> str:
    with pytest.raises(ConversionError) as caught:
        to_fp16(path, cache)
    assert "\n" not in str(caught.value)
    assert not list(cache.glob("fp16/*.onnx*")), "nothing is kept of what failed"
    return str(caught.value)


def test_a_file_without_fp32_has_nothing_to_convert(tmp_path: Path) -> None:
    port = [helper.make_tensor_value_info(name, TensorProto.INT64, [3]) for name in ("a", "b")]
    whole = helper.make_graph([helper.make_node("Neg", ["a"], ["b"])], "whole", port[:1], port[1:])
    onnx.save(helper.make_model(whole, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(tmp_path / "i"))
    assert "no node that computes in fp32" in refused(tmp_path / "i", tmp_path / "cache")


@pytest.mark.parametrize("fault", ["raises", "wrong types"])
def test_a_tool_that_fails_is_one_line_with_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def tool(model: Any, **_: Any) -> Any:
        if fault == "raises":
            raise ValueError("no idea\nof this model")
        model.graph.initializer[0].data_type = TensorProto.FLOAT16
        model.graph.initializer[0].raw_data = np.ones(192, np.float16).tobytes()
        for value in model.graph.value_info:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
        return model

    monkeypatch.setattr(half, "_load_tool", lambda: ("1.0", tool))
    line = refused(two_inputs(tmp_path / "m.onnx"), tmp_path / "cache")
    words = "cannot convert m.onnx (no idea); ask" if fault == "raises" else "makes of m.onnx is no valid model ("
    assert words in line
    assert line.endswith("(NVIDIA's: modelopt.onnx.autocast) and name that file with --model.")


def test_a_missing_tool_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    line = refused(two_inputs(tmp_path / "m.onnx"), tmp_path / "cache")
    assert line.endswith("install it with: pip install -c constraints.txt onnxruntime.")


def test_a_form_beyond_one_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half, "_MOST_BYTES", 100)
    assert "m.onnx in fp16 is larger than the 2 GB" in refused(two_inputs(tmp_path / "m.onnx"), tmp_path / "cache")


def test_operators_that_nobody_here_knows_are_given_fp16(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Wobble", ["r"], ["y"], domain="own")]
    made = to_fp16(save(tmp_path / "odd.onnx", nodes), tmp_path / "cache")
    assert [node.op_type for node in onnx.load(str(made.path)).graph.node] == ["Cast", "Relu", "Wobble", "Cast"]
    assert (made.half_nodes, made.single_nodes) == (2, 0)


def test_a_model_that_does_not_hold_together_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Mul", ["x", "nobody"], ["y"])])
    assert "makes of m.onnx is no valid model (" in refused(path, tmp_path / "cache")


@given(st.data(), st.integers(1, 12))
@settings(max_examples=60)
def test_nodes_are_put_behind_what_they_read(data: st.DataObject, count: int) -> None:
    reads = [data.draw(st.lists(st.integers(0, index - 1), max_size=3)) if index else [] for index in range(count)]
    nodes = [
        helper.make_node("Sum", ["x", *(f"v{each}" for each in inputs)], [f"v{index}"], name=str(index))
        for index, inputs in enumerate(reads)
    ]
    graph = helper.make_graph(data.draw(st.permutations(nodes)), "g", [], [])
    half._sort_nodes(graph)
    order = [int(node.name) for node in graph.node]
    assert sorted(order) == list(range(count))
    assert all(order.index(each) < order.index(index) for index, inputs in enumerate(reads) for each in inputs)
    already = [node.name for node in graph.node]
    half._sort_nodes(graph)
    assert [node.name for node in graph.node] == already
