"""What converters are told of an .onnx file."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from backends.base import ConversionError
from backends.convert import read_graph
from tests.backends.convert.models import two_inputs, with_external_data


def test_inputs_and_shapes(tmp_path: Path) -> None:
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    assert [(each.name, each.dims) for each in graph.inputs] == [
        ("real_img", (None, 3, 8, 8)),
        ("attr", (None, 1, 1, 1)),
    ]
    assert graph.shapes(4) == {"real_img": (4, 3, 8, 8), "attr": (4, 1, 1, 1)}
    assert not graph.static
    assert read_graph(two_inputs(tmp_path / "x.onnx", batch=4)).static


def test_a_fixed_batch_takes_no_other(tmp_path: Path) -> None:
    graph = read_graph(two_inputs(tmp_path / "x.onnx", batch=4))
    assert graph.shapes(4)["attr"] == (4, 1, 1, 1)
    with pytest.raises(ConversionError, match="input real_img has 4x3x8x8, which cannot hold a batch of 8"):
        graph.shapes(8)


def test_a_fixed_batch_is_no_dynamic_one(tmp_path: Path) -> None:
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    assert graph.open_shapes() == {"real_img": (-1, 3, 8, 8), "attr": (-1, 1, 1, 1)}
    with pytest.raises(ConversionError, match=r"input real_img fixes its batch at 4, .* of every input"):
        read_graph(two_inputs(tmp_path / "x.onnx", batch=4)).open_shapes()
    model = onnx.load(str(two_inputs(tmp_path / "x.onnx")))
    del model.graph.input[1].type.tensor_type.shape.dim[:]
    onnx.save(model, str(tmp_path / "x.onnx"))
    with pytest.raises(ConversionError, match="input attr has no dimension"):
        read_graph(tmp_path / "x.onnx").open_shapes()


def test_the_opsets_and_whether_any_node_is_of_them(tmp_path: Path) -> None:
    graph = read_graph(two_inputs(tmp_path / "x.onnx", opset=13, domains=3))
    assert graph.opset == 13
    assert [(str(each), each.used) for each in graph.opsets] == [("ai.onnx 13", True), ("x0 1", False), ("x1 1", False)]
    model = onnx.load(str(tmp_path / "x.onnx"))
    model.graph.node[0].attribute.append(
        onnx.helper.make_attribute(
            "then_branch", onnx.helper.make_graph([onnx.helper.make_node("F", [], ["f"], domain="x1")], "inner", [], [])
        )
    )
    onnx.save(model, str(tmp_path / "x.onnx"))
    assert [each.used for each in read_graph(tmp_path / "x.onnx").opsets] == [True, False, True]


def test_other_open_dimensions_are_refused(tmp_path: Path) -> None:
    path = two_inputs(tmp_path / "x.onnx")
    model = onnx.load(str(path))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(model, str(path))
    with pytest.raises(ConversionError, match="input real_img leaves more than its batch open"):
        read_graph(path).shapes(1)


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    first = read_graph(two_inputs(tmp_path / "a.onnx")).sha256
    assert read_graph(two_inputs(tmp_path / "b.onnx")).sha256 == first
    assert read_graph(two_inputs(tmp_path / "a.onnx", scale=2)).sha256 != first


def test_the_hash_covers_external_data_and_copies_bring_it_along(tmp_path: Path) -> None:
    path = with_external_data(tmp_path / "my model.onnx")
    graph = read_graph(path)
    assert graph.external == ("data/weights.bin",)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    model = graph.copy_into(folder)
    assert model.name == "model.onnx", "atc refuses paths with blanks"
    assert (folder / "data" / "weights.bin").read_bytes() == (tmp_path / "data" / "weights.bin").read_bytes()
    weights = tmp_path / "data" / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert read_graph(path).sha256 != graph.sha256
    weights.unlink()
    with pytest.raises(ConversionError, match=r"its weights file data/weights\.bin cannot be read"):
        read_graph(path)


def test_data_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = with_external_data(tmp_path / "x.onnx")
    model = onnx.load(str(path), load_external_data=False)
    next(e for e in model.graph.initializer[0].external_data if e.key == "location").value = "../secret"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ConversionError, match="outside of the model's folder"):
        read_graph(path)


@pytest.mark.parametrize("content", [None, b"", b"no protobuf", b"\x08\x08"])
def test_no_onnx_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConversionError, match=r"cannot be read|is no \.onnx file"):
        read_graph(path)
