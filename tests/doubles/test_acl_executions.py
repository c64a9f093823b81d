"""What an execution is given, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests.doubles import acl as double
from tests.doubles.acl_scene import finish, machine, model_file, rules, session
from tests.doubles.careful_acl_client import Session
from tests.doubles.onnx_files import save_graph

IMAGE = 3 * 8 * 8 * 4


def resized(opened: Session, size: int, kind: str = "inputs") -> None:
    """Give the first buffer another size."""
    tensor = getattr(opened, kind)[0]
    assert opened.acl.update_data_buffer(tensor.buffer, tensor.on_device, size) == 0


def executed(opened: Session) -> int:
    return int(opened.acl.mdl.execute(opened.model, opened.input_set, opened.output_set))


def test_an_input_that_is_a_little_short_is_accepted_and_gives_garbage(tmp_path: Path) -> None:
    opened = session(tmp_path)
    assert executed(opened) == 0
    right = opened.results()["y"]
    resized(opened, 2 * IMAGE - 64)
    assert executed(opened) == 0
    assert rules(opened.acl) == ["buffer-size"]
    assert not np.array_equal(opened.results()["y"], right)


def test_an_input_that_is_much_too_short_is_refused(tmp_path: Path) -> None:
    opened = session(tmp_path)
    resized(opened, 2 * IMAGE - 65)
    assert executed(opened) == 145000
    assert rules(opened.acl) == ["buffer-size"]
    assert "E13025" in opened.acl.state.violations[0].text


def test_an_input_that_is_too_long_is_only_remarked(tmp_path: Path) -> None:
    acl = machine()
    opened = Session(acl, model_file(tmp_path))
    longer, _ = acl.rt.malloc(4 * IMAGE, 0)
    acl.update_data_buffer(opened.inputs[0].buffer, longer, 4 * IMAGE)
    assert executed(opened) == 0
    assert rules(acl) == []
    assert [entry.rule for entry in acl.state.remarks] == ["buffer-size"]


def test_a_size_that_is_not_true(tmp_path: Path) -> None:
    opened = session(tmp_path)
    resized(opened, 3 * IMAGE)
    assert executed(opened) == 0
    assert rules(opened.acl) == ["buffer-size"]


def test_an_output_that_is_too_short_is_refused(tmp_path: Path) -> None:
    opened = session(tmp_path)
    resized(opened, 2 * 4 * 8 * 8 * 4 - 1, "outputs")
    assert executed(opened) == 145000
    assert rules(opened.acl) == ["buffer-size"]


def test_the_wrong_number_of_buffers_is_refused(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl = opened.acl
    empty = acl.mdl.create_dataset()
    assert acl.mdl.execute(opened.model, empty, opened.output_set) == 145000
    assert acl.mdl.execute(opened.model, opened.input_set, empty) == 145000
    assert acl.mdl.execute(opened.model, 5, opened.output_set) == 100000
    assert acl.mdl.execute(9, opened.input_set, opened.output_set) == 145003
    assert rules(acl) == ["buffer-count", "buffer-count", "not-a-dataset", "not-a-model"]


def test_buffers_are_living_memory_of_the_chip(tmp_path: Path) -> None:
    opened = session(tmp_path)
    acl, (tensor,) = opened.acl, opened.inputs
    acl.update_data_buffer(tensor.buffer, tensor.pinned, tensor.size)
    assert executed(opened) == 145000
    acl.rt.set_device(1)
    elsewhere, _ = acl.rt.malloc(tensor.size, 0)
    acl.rt.set_context(opened.context)
    acl.update_data_buffer(tensor.buffer, elsewhere, tensor.size)
    assert executed(opened) == 0
    acl.update_data_buffer(tensor.buffer, tensor.on_device, tensor.size)
    acl.rt.free(tensor.on_device)
    assert executed(opened) == 507899
    acl.destroy_data_buffer(tensor.buffer)
    assert executed(opened) == 145000
    found = ["host-pointer-on-device", "other-chip", "used-after-free", "data-buffer-used-after-release"]
    assert rules(acl) == found


def test_a_gear_is_chosen_before_the_execution(tmp_path: Path) -> None:
    acl = machine()
    with pytest.raises(Exception, match="get_cur_output_dims"):
        Session(acl, model_file(tmp_path, (1, 2, 4)))
    opened = session(tmp_path, batches=(1, 2, 4))
    other = opened.acl.mdl.create_dataset()
    for tensor in opened.inputs:
        opened.acl.mdl.add_dataset_buffer(other, tensor.buffer)
    assert opened.acl.mdl.execute(opened.model, other, opened.output_set) == 145000
    assert rules(opened.acl) == ["batch-not-set"]


def test_only_the_gears_of_the_model_can_be_chosen(tmp_path: Path) -> None:
    opened = session(tmp_path, batches=(1, 2, 4))
    set_size = opened.acl.mdl.set_dynamic_batch_size
    assert set_size(opened.model, opened.input_set, 1, 3) == 145013
    assert rules(opened.acl) == []
    assert set_size(opened.model, opened.input_set, 0, 2) == 145000
    assert set_size(opened.model, opened.output_set, 1, 2) == 145000
    assert rules(opened.acl) == ["shape-data-index"] * 2


def test_a_static_model_has_no_gears(tmp_path: Path) -> None:
    opened = session(tmp_path)
    assert opened.acl.mdl.set_dynamic_batch_size(opened.model, opened.input_set, 0, 2) == 145000
    assert rules(opened.acl) == ["not-dynamic"]


def test_the_input_of_the_batch_is_the_runtimes_to_write(tmp_path: Path) -> None:
    opened = session(tmp_path, batches=(1, 2, 4))
    opened.acl.rt.memset(opened.inputs[1].on_device, 8, 0, 8)
    assert executed(opened) == 0
    assert rules(opened.acl) == ["shape-data-overwritten"]


def test_outputs_may_be_as_long_as_the_gear_needs(tmp_path: Path) -> None:
    opened = session(tmp_path, batches=(1, 2, 4))
    right = opened.outputs[0].used
    assert right < opened.outputs[0].size
    resized(opened, right, "outputs")
    assert executed(opened) == 0
    resized(opened, right - 1, "outputs")
    assert executed(opened) == 145000
    assert rules(opened.acl) == ["buffer-size"]


def test_unused_parts_of_an_output_keep_what_they_had(tmp_path: Path) -> None:
    opened = session(tmp_path, batches=(1, 2, 4))
    (y,) = opened.outputs
    opened.acl.rt.memset(y.on_device, y.size, 1, y.size)
    opened.run()
    content = opened.acl.state.device.at(y.on_device).content
    assert content.read(y.used, y.size - y.used) == bytes([1]) * (y.size - y.used)
    np.testing.assert_array_equal(
        np.frombuffer(content.read(0, y.used), np.float32).reshape(y.shape), opened.results()["y"]
    )
    finish(opened)


def test_one_models_output_can_be_anothers_input(tmp_path: Path) -> None:
    source = save_graph(
        tmp_path / "twice.onnx",
        [helper.make_node("Add", ["x", "x"], ["y"])],
        {"x": ["n", 4]},
        {"y": ["n", 4]},
    )
    om = double.write_om(tmp_path / "twice.om", source, (2,), precision="fp32")
    acl = machine(api="old")
    opened = Session(acl, om)
    opened.feed({"x": np.ones((2, 4), np.float32)})
    opened.start()
    back = acl.mdl.create_dataset()
    acl.mdl.add_dataset_buffer(back, opened.outputs[0].buffer)
    acl.mdl.execute_async(opened.model, back, opened.input_set, opened.stream)
    opened.wait()
    (x,) = opened.inputs
    acl.rt.memcpy(x.pinned, x.size, x.on_device, x.size, 2)
    np.testing.assert_array_equal(acl.util.ptr_to_numpy(x.pinned, (2, 4), 11), np.full((2, 4), 4.0))
    assert rules(acl) == []
