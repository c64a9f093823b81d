"""Files, and what is told of the models in them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper

from tests.doubles import acl as double
from tests.doubles.acl_scene import machine, model_file, rules, session
from tests.doubles.careful_acl_client import SHAPE_DATA
from tests.doubles.onnx_files import tiny_convnet

IMAGE = 3 * 8 * 8 * 4


def loaded(acl: Any, om: Path) -> int:
    """The description of a model on chip 0."""
    acl.rt.set_device(0)
    model, code = acl.mdl.load_from_file(str(om))
    assert code == 0
    description = acl.mdl.create_desc()
    assert acl.mdl.get_desc(description, model) == 0
    return int(description)


def test_the_header_is_that_of_a_real_file(tmp_path: Path) -> None:
    content = model_file(tmp_path).read_bytes()
    assert content[:4] == b"IMOD"
    assert struct.unpack_from("<II", content) == (0x444F4D49, 256)
    assert struct.unpack_from("<I", content, 76)[0] == len(content) - 256


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda om, _: om.unlink(), 145002),
        (lambda om, _: om.write_bytes(om.read_bytes()[:-1]), 545001),
        (lambda om, _: om.write_bytes(om.read_bytes()[:100]), 545001),
        (lambda om, _: om.write_bytes(b""), 545001),
        (lambda om, source: om.write_bytes(source.read_bytes()), 545001),
        (lambda om, _: om.write_bytes(om.read_bytes()[:256] + om.read_bytes()[256:][::-1]), 545001),
    ],
    ids=["absent", "truncated", "only a header", "empty", "an .onnx file", "another content"],
)
def test_files_that_are_no_model_are_refused_without_a_breach(tmp_path: Path, spoil: Any, code: int) -> None:
    om = model_file(tmp_path)
    spoil(om, tmp_path / "tiny.onnx")
    acl = machine()
    acl.rt.set_device(0)
    assert acl.mdl.load_from_file(str(om)) == (0, code)
    assert acl.get_recent_err_msg()
    assert acl.mdl.query_size(str(om)) == (0, 0, code)
    assert rules(acl) == []


@pytest.mark.parametrize("code", [507008, 145000])
def test_a_model_for_another_chip_is_refused_with_the_code_that_was_set(tmp_path: Path, code: int) -> None:
    acl = machine(soc="Ascend310P3", foreign_soc_code=code)
    acl.rt.set_device(0)
    assert acl.mdl.load_from_file(str(model_file(tmp_path))) == (0, code)
    assert "Ascend310," in acl.get_recent_err_msg()


def test_weights_and_working_memory_count(tmp_path: Path) -> None:
    om = model_file(tmp_path)
    sizes = machine().mdl.query_size(str(om))
    assert sizes[2] == 0
    needed = sizes[0] + sizes[1]
    acl = machine(memory_bytes=2 * needed - 1)
    acl.rt.set_device(0)
    model, _ = acl.mdl.load_from_file(str(om))
    assert acl.rt.get_mem_info(0) == (needed - 1, 2 * needed - 1, 0)
    assert acl.mdl.load_from_file(str(om)) == (0, 207001)
    assert acl.mdl.unload(model) == 0
    assert acl.rt.get_mem_info(0)[0] == 2 * needed - 1
    assert rules(acl) == []


def test_a_model_from_memory(tmp_path: Path) -> None:
    acl = machine()
    acl.rt.set_device(0)
    content = model_file(tmp_path).read_bytes()
    assert acl.mdl.load_from_mem(acl.util.bytes_to_ptr(content), len(content)) == (1, 0)
    assert acl.mdl.load_from_mem(acl.util.bytes_to_ptr(content), len(content) - 1) == (0, 545001)
    assert acl.mdl.load_from_mem(acl.rt.malloc(64, 0)[0], 64) == (0, 100000)
    assert rules(acl) == ["device-pointer-on-host"]


def test_a_path_object_is_not_a_path(tmp_path: Path) -> None:
    acl = machine()
    acl.rt.set_device(0)
    with pytest.raises(TypeError):
        acl.mdl.load_from_file(model_file(tmp_path))


def test_what_is_told_of_a_static_model(tmp_path: Path) -> None:
    acl = machine()
    desc = loaded(acl, model_file(tmp_path, (4,)))
    mdl = acl.mdl
    assert (mdl.get_num_inputs(desc), mdl.get_num_outputs(desc)) == (1, 1)
    assert mdl.get_input_dims(desc, 0) == ({"name": "x", "dimCount": 4, "dims": [4, 3, 8, 8]}, 0)
    output = {"name": "Relu_1:0:y", "dimCount": 4, "dims": [4, 4, 8, 8]}
    assert mdl.get_output_dims(desc, 0) == mdl.get_cur_output_dims(desc, 0) == (output, 0)
    assert mdl.get_input_size_by_index(desc, 0) == 4 * IMAGE
    assert mdl.get_output_size_by_index(desc, 0) == 4 * 4 * 8 * 8 * 4
    assert mdl.get_input_name_by_index(desc, 0) == "x"
    assert mdl.get_output_name_by_index(desc, 0) == "Relu_1:0:y"
    assert mdl.get_output_index_by_name(desc, "Relu_1:0:y") == (0, 0)
    assert mdl.get_output_index_by_name(desc, "y") == (0, 100000)
    assert mdl.get_input_index_by_name(desc, SHAPE_DATA) == (0, 100000)
    assert (mdl.get_input_format(desc, 0), mdl.get_input_data_type(desc, 0)) == (0, 0)
    assert mdl.get_dynamic_batch(desc) == ({"batchCount": 0, "batch": []}, 0)
    assert rules(acl) == []


def test_what_is_told_of_a_model_with_gears(tmp_path: Path) -> None:
    acl = machine()
    desc = loaded(acl, model_file(tmp_path, (1, 4, 8)))
    mdl = acl.mdl
    assert mdl.get_num_inputs(desc) == 2
    assert mdl.get_input_dims(desc, 0)[0]["dims"] == [-1, 3, 8, 8]
    assert mdl.get_input_size_by_index(desc, 0) == 8 * IMAGE
    assert mdl.get_input_dims(desc, 1) == ({"name": SHAPE_DATA, "dimCount": 1, "dims": [1]}, 0)
    assert mdl.get_input_index_by_name(desc, SHAPE_DATA) == (1, 0)
    assert (mdl.get_input_size_by_index(desc, 1), mdl.get_input_data_type(desc, 1)) == (8, 9)
    assert mdl.get_output_dims(desc, 0)[0]["dims"] == [8, 4, 8, 8]
    assert mdl.get_dynamic_batch(desc) == ({"batchCount": 3, "batch": [1, 4, 8]}, 0)
    assert rules(acl) == []
    assert mdl.get_cur_output_dims(desc, 0) == ({}, 100000)
    assert rules(acl) == ["batch-not-set"]


def test_versions_differ_in_what_they_tell_of_gears(tmp_path: Path) -> None:
    acl = machine(dynamic_output_dims="unknown", shape_data_bytes=4)
    desc = loaded(acl, model_file(tmp_path, (1, 4)))
    assert acl.mdl.get_output_dims(desc, 0)[0]["dims"] == [-1, 4, 8, 8]
    assert (acl.mdl.get_input_size_by_index(desc, 1), acl.mdl.get_input_data_type(desc, 1)) == (4, 3)


def test_output_names_can_be_plain(tmp_path: Path) -> None:
    acl = machine()
    desc = loaded(acl, model_file(tmp_path, plain_names=True))
    assert acl.mdl.get_output_name_by_index(desc, 0) == "y"


def test_descriptions_that_are_empty_and_indices_that_are_not_there(tmp_path: Path) -> None:
    acl = machine()
    assert acl.mdl.get_num_inputs(acl.mdl.create_desc()) == 0
    desc = loaded(acl, model_file(tmp_path))
    assert acl.mdl.get_input_dims(desc, 1) == ({}, 100000)
    assert acl.mdl.get_output_name_by_index(desc, -1) == ""
    assert acl.mdl.get_desc(desc, 99) == 145003
    dataset = acl.mdl.create_dataset()
    assert acl.mdl.get_dataset_buffer(dataset, 0) == 0
    assert rules(acl) == ["empty-description", "index", "index", "not-a-model", "index"]


def test_datasets_hold_buffers(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    buffer = opened.inputs[0].buffer
    assert acl.mdl.get_dataset_num_buffers(opened.input_set) == 1
    assert acl.mdl.get_dataset_buffer(opened.input_set, 0) == buffer
    assert acl.get_data_buffer_addr(buffer) == opened.inputs[0].on_device
    assert acl.get_data_buffer_size(buffer) == 2 * IMAGE
    assert acl.update_data_buffer(buffer, opened.inputs[0].on_device, 2 * IMAGE) == 0
    assert rules(acl) == []
    assert acl.mdl.add_dataset_buffer(opened.input_set, buffer) == (opened.input_set, 0)
    assert rules(acl) == ["buffer-added-twice"]


def test_a_buffer_of_nothing(tmp_path: Path) -> None:
    acl = machine()
    assert acl.create_data_buffer(0, 0) != 0
    assert rules(acl) == ["empty-buffer"]


def test_graphs_that_a_file_cannot_be_made_of(tmp_path: Path) -> None:
    source = tiny_convnet(tmp_path / "free.onnx", size="s")
    with pytest.raises(ValueError, match="dimension 2 is free"):
        double.write_om(tmp_path / "free.om", source, (2,))
    om = double.write_om(tmp_path / "free.om", source, (2,), shapes={"x": (-1, 3, 8, 8)})
    assert loaded(machine(), om)
    with pytest.raises(ValueError, match="no input or output 'z'"):
        double.write_om(tmp_path / "free.om", source, (2,), shapes={"z": (1,)})
    with pytest.raises(ValueError, match="batches"):
        double.write_om(tmp_path / "free.om", source, ())
    fixed = tiny_convnet(tmp_path / "fixed.onnx", batch=4)
    assert loaded(machine(), double.write_om(tmp_path / "fixed.om", fixed, (4,)))
    for batches in [(2,), (1, 4)]:
        with pytest.raises(ValueError, match="fixed"):
            double.write_om(tmp_path / "fixed.om", fixed, batches)


def test_a_graph_from_memory_whose_shapes_only_an_execution_tells(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["y"])],
        "nonzero",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.INT64, [2, "found"])],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    acl = machine()
    desc = loaded(acl, double.write_om(tmp_path / "nonzero.om", content, (3,)))
    assert acl.mdl.get_output_dims(desc, 0)[0]["dims"] == [2, 0]
    assert acl.mdl.get_output_data_type(desc, 0) == 9
