"""Any .onnx file as a workload."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backends.convert.half import to_fp16
from bench.errors import UsageError
from bench.plan import WorkloadSpec
from bench.workloads import load
from tests.doubles.onnx_files import save_graph, tiny_convnet


def materialise(spec: WorkloadSpec, cache: Path, batches: list[int]) -> object:
    return load("onnx").materialise(spec, batches, cache, lambda what: None)


def test_dynamic_batch_takes_every_batch_size(tmp_path: Path) -> None:
    spec = WorkloadSpec(name="onnx", model=str(tiny_convnet(tmp_path / "m.onnx")))
    workload = load("onnx")
    materials = workload.materialise(spec, [1, 3], tmp_path / "cache", lambda what: None)
    model = workload.model(spec, materials, 3)
    assert [str(s) for s in model.inputs] == ["x 3x3x8x8 float32"]
    assert [str(s) for s in model.outputs] == ["y 3x4x8x8 float32"]
    batches = workload.host_batches(spec, materials, 3)
    assert len({b["x"].tobytes() for b in batches}) == len(batches)
    assert workload.reference(materials, 3)["y"].shape == (3, 4, 8, 8)
    assert np.array_equal(batches[0]["x"], workload.host_batches(spec, materials, 3)[0]["x"])


def test_unknown_dimensions_come_from_shape(tmp_path: Path) -> None:
    path = tiny_convnet(tmp_path / "m.onnx", size="s")
    with pytest.raises(UsageError, match=r"declared 1x3x\?x\?.*--shape x:1x3xNxN"):
        materialise(WorkloadSpec(name="onnx", model=str(path)), tmp_path, [1])
    spec = WorkloadSpec(name="onnx", model=str(path), shapes={"x": [1, 3, 16, 16]})
    materials = materialise(spec, tmp_path, [2])
    assert str(load("onnx").model(spec, materials, 2).inputs[0]) == "x 2x3x16x16 float32"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"z": [1, 3, 8, 8]}, "no such input; its inputs are x"),
        ({"x": [3, 8, 8]}, "3 dimensions given"),
        ({"x": [1, 4, 8, 8]}, "dimension 1 is 3"),
        ({"x": [7, 3, 8, 8]}, "dimension 0 is the batch"),
    ],
)
def test_shapes_that_do_not_fit(tmp_path: Path, shapes: dict[str, list[int]], words: str) -> None:
    path = tiny_convnet(tmp_path / "m.onnx")
    with pytest.raises(UsageError, match=words):
        materialise(WorkloadSpec(name="onnx", model=str(path), shapes=shapes), tmp_path, [1])


def test_fixed_batch_refuses_other_batch_sizes(tmp_path: Path) -> None:
    path = tiny_convnet(tmp_path / "m.onnx", batch=2)
    materialise(WorkloadSpec(name="onnx", model=str(path)), tmp_path, [2])
    with pytest.raises(UsageError, match="fixed batch 2; use --bs 2"):
        materialise(WorkloadSpec(name="onnx", model=str(path)), tmp_path, [4])


def test_files_that_are_no_model(tmp_path: Path) -> None:
    whole = tiny_convnet(tmp_path / "m.onnx").read_bytes()
    for name, content in (("cut.onnx", whole[:-100]), ("text.onnx", b"hello"), ("empty.onnx", b"")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UsageError, match=f"{name} is no valid") as caught:
            materialise(WorkloadSpec(name="onnx", model=str(path)), tmp_path, [1])
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="does not exist"):
        materialise(WorkloadSpec(name="onnx", model=str(tmp_path / "no.onnx")), tmp_path, [1])
    with pytest.raises(UsageError, match="--model"):
        materialise(WorkloadSpec(name="onnx"), tmp_path, [1])


def shapes_at(path: Path, batch: int, cache: Path, **shapes: list[int]) -> list[str]:
    spec = WorkloadSpec(name="onnx", model=str(path), shapes=shapes)
    workload = load("onnx")
    materials = workload.materialise(spec, [batch], cache, lambda what: None)
    return [str(found) for found in workload.model(spec, materials, batch).inputs]


def test_inputs_that_do_not_follow_the_batch_keep_their_shape(tmp_path: Path) -> None:
    scale = save_graph(
        tmp_path / "scale.onnx",
        [helper.make_node("Mul", ["x", "k"], ["y"])],
        {"x": ["n", 6], "k": [1]},
        {"y": ["n", 6]},
    )
    assert shapes_at(scale, 4, tmp_path) == ["x 4x6 float32", "k 1 float32"]


def test_only_the_shared_symbol_is_the_batch(tmp_path: Path) -> None:
    path = save_graph(
        tmp_path / "m.onnx",
        [helper.make_node("Mul", ["x", "m"], ["y"])],
        {"x": ["n", "s"], "m": ["s"]},
        {"y": ["n", "s"]},
    )
    assert shapes_at(path, 4, tmp_path, x=[1, 32], m=[32]) == ["x 4x32 float32", "m 32 float32"]
    with pytest.raises(UsageError, match="'m' is declared"):
        shapes_at(path, 4, tmp_path, x=[1, 32])


def test_a_reference_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    path = save_graph(tmp_path / "log.onnx", [helper.make_node("Log", ["x"], ["y"])], {"x": ["n", 6]}, {"y": ["n", 6]})
    with pytest.raises(UsageError, match="'y' of the reference is NaN"):
        shapes_at(path, 1, tmp_path)


def test_external_weights_are_part_of_the_models_identity(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = onnx.load(str(tiny_convnet(tmp_path / "inner.onnx")))
    onnx.save(model, str(path), save_as_external_data=True, location="m.data", size_threshold=0)
    spec = WorkloadSpec(name="onnx", model=str(path))
    first = load("onnx").materialise(spec, [1], tmp_path, lambda what: None)
    weights = bytearray((tmp_path / "m.data").read_bytes())
    weights[3] ^= 1
    (tmp_path / "m.data").write_bytes(bytes(weights))
    second = load("onnx").materialise(spec, [1], tmp_path, lambda what: None)
    assert first.info.model_sha256 != second.info.model_sha256
    assert first.references != second.references


def test_a_quantised_file_is_int8(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    constants = {"scale": np.array(0.1, np.float32), "zero": np.array(0, np.int8)}
    path = save_graph(tmp_path / "q.onnx", nodes, {"x": ["n", 6]}, {"y": ["n", 6]}, constants)
    spec = WorkloadSpec(name="onnx", model=str(path))
    materials = load("onnx").materialise(spec, [1], tmp_path, lambda what: None)
    assert load("onnx").model(spec, materials, 1).precision == "int8"
    assert "int8" in materials.info.model


def precision_of(path: Path, cache: Path) -> str:
    spec = WorkloadSpec(name="onnx", model=str(path))
    materials = load("onnx").materialise(spec, [1], cache, lambda what: None)
    return str(load("onnx").model(spec, materials, 1).precision)


def test_a_converted_file_is_fp16_though_its_inputs_and_outputs_are_fp32(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tiny_convnet(tmp_path / "m.onnx")
    assert precision_of(path, tmp_path) == "fp32"
    half = to_fp16(path, tmp_path).path
    assert onnx.load(str(half)).graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert precision_of(half, tmp_path) == "fp16"


def multiplied(path: Path, casts: dict[str, int], large: type, small: type, constant: bool = False) -> Path:
    """x times a large weight and three small ones; `casts` are types that weights are cast to before they are used."""
    weights = {"large": np.ones((1, 64), large), **{f"small{n}": np.ones(1, small) for n in range(3)}}
    nodes, value = [helper.make_node("Cast", ["x"], ["x16"], to=TensorProto.FLOAT16)], "x16"
    for name, array in weights.items():
        if constant:
            nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        cast = casts.get(name)
        kind = cast or helper.np_dtype_to_tensor_dtype(array.dtype)
        if cast is not None:
            nodes.append(helper.make_node("Cast", [name], [f"{name}_used"], to=cast))
        nodes += [
            helper.make_node("Cast", [value], [f"{value}_{name}"], to=kind),
            helper.make_node("Mul", [f"{value}_{name}", name if cast is None else f"{name}_used"], [f"y_{name}"]),
        ]
        value = f"y_{name}"
    nodes.append(helper.make_node("Cast", [value], ["y"], to=TensorProto.FLOAT))
    return save_graph(path, nodes, {"x": ["n", 64]}, {"y": ["n", 64]}, {} if constant else weights)


HALF, SINGLE = np.float16, np.float32


@pytest.mark.parametrize(
    ("large", "small", "casts", "found"),
    [
        (HALF, SINGLE, {}, "fp16"),  # scales of normalisations, left in fp32
        (SINGLE, HALF, {}, "fp32"),
        (HALF, HALF, {"large": TensorProto.FLOAT}, "fp32"),  # kept in fp16, computed in fp32
        (SINGLE, SINGLE, {"large": TensorProto.FLOAT16}, "fp16"),
    ],
)
@pytest.mark.parametrize("constant", [False, True])
def test_the_types_that_most_weights_are_used_in_are_the_precision(
    tmp_path: Path, large: type, small: type, casts: dict[str, int], found: str, constant: bool
) -> None:
    assert precision_of(multiplied(tmp_path / "m.onnx", casts, large, small, constant), tmp_path) == found


def test_tensors_may_be_called_anything(tmp_path: Path) -> None:
    path = tiny_convnet(tmp_path / "m.onnx", output="file")
    spec = WorkloadSpec(name="onnx", model=str(path))
    workload = load("onnx")
    assert list(workload.reference(workload.materialise(spec, [1], tmp_path, lambda what: None), 1)) == ["file"]
