"""From .onnx to engine on the double: precision by version, profiles, settings, and files that cannot be built."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from backends.base import (
    BackendError,
    BackendUnavailable,
    ConversionError,
    Model,
    ModelMismatch,
    Precision,
    TensorSpec,
)
from backends.convert import half
from backends.registry import parse_options
from backends.tensorrt import TensorRTBackend
from tests.backends.tensorrt.machines import AMPERE, machine
from tests.backends.tiny import FLOAT, feeds, infer, reference, tiny_model
from tests.doubles.onnx_files import save_graph, tiny_convnet
from tests.doubles.tensorrt import GENERATIONS, Fault, unpacked

TOOL = f"onnxruntime.transformers.float16 {version('onnxruntime')}"


def plan_of(artifact: Any) -> Any:
    return unpacked(artifact.path.read_bytes())[0]


def half_model(folder: Path) -> Model:
    """relu(x + w), in fp16 by its own types."""
    path = folder / "half.onnx"
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["s"]), helper.make_node("Relu", ["s"], ["y"])], "half",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, ["n", 3])],
        [numpy_helper.from_array(np.full(3, 0.5, np.float16), "w")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    dtype = np.dtype(np.float16)
    return tiny_model(
        folder, onnx=path, precision=Precision.FP16, inputs=(TensorSpec("x", (4, 3), dtype),),
        outputs=(TensorSpec("y", (4, 3), dtype),),
    )  # fmt: skip


def quantised_model(folder: Path) -> Model:
    """x, quantised and back."""
    path = save_graph(
        folder / "int8.onnx",
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
         helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"])],
        {"x": ["n", 3]}, {"y": ["n", 3]}, {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)},
    )  # fmt: skip
    return tiny_model(
        folder, onnx=path, precision=Precision.INT8, inputs=(TensorSpec("x", (4, 3), FLOAT),),
        outputs=(TensorSpec("y", (4, 3), FLOAT),),
    )  # fmt: skip


@pytest.mark.parametrize("generation", GENERATIONS)
def test_fp32_is_without_tf32_where_the_card_has_it(tmp_path: Path, generation: Any) -> None:
    model, given = tiny_model(tmp_path), feeds(1)
    with machine(AMPERE, generation=generation) as here, here.open(model) as session:
        assert session.precision is Precision.FP32
        assert np.allclose(infer(session, given), reference(model, given), atol=1e-6)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_tf32_is_a_precision_of_its_own(tmp_path: Path, generation: Any) -> None:
    model, given = tiny_model(tmp_path), feeds(1)
    with machine(AMPERE, generation=generation) as here, here.open(model, Precision.TF32) as session:
        assert session.precision is Precision.TF32
        error = np.abs(infer(session, given) - reference(model, given)).max()
        assert 1e-5 < error < 0.02
        assert session.describe()["precision route"] == "fp32, TF32 on"


def test_the_environment_s_word_on_tf32_is_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model(tmp_path)
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    with machine(AMPERE) as here, pytest.raises(BackendUnavailable, match="OVERRIDE=1 may turn TF32 on"):
        here.prepare(model)
    with machine() as here, here.open(model) as session:  # a T4 has none
        assert session.describe()["NVIDIA_TF32_OVERRIDE"] == "1"
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    with machine(AMPERE) as here, pytest.raises(BackendUnavailable, match="OVERRIDE=0 turns TF32 off; unset it"):
        here.prepare(model, Precision.TF32)
    with machine(AMPERE) as here:
        without = here.prepare(model, Precision.FP16)
        assert without.settings["precision route"] == "builder flag FP16"
        monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
        assert here.prepare(model, Precision.FP16).settings["engine"] == "built now", "not the one without TF32"


def test_tf32_on_a_card_without_it_is_refused(tmp_path: Path) -> None:
    with (
        machine() as here,
        pytest.raises(BackendUnavailable, match=r"T4 has compute capability 7\.5 and no TF32"),
    ):
        here.prepare(tiny_model(tmp_path), Precision.TF32)


@pytest.mark.parametrize("generation", ["8.6", "10"])
def test_fp16_by_the_builder_s_flag(tmp_path: Path, generation: Any) -> None:
    model, given = tiny_model(tmp_path), feeds(1)
    with machine(generation=generation) as here, here.open(model, Precision.FP16) as session:
        assert session.precision is Precision.FP16
        error = np.abs(infer(session, given) - reference(model, given)).max()
        assert 1e-5 < error < 0.02
        assert session.describe()["layers by output type"] == "fp16 2"


@pytest.mark.parametrize("generation", ["11", "rtx"])
def test_fp16_without_a_flag_is_built_from_a_converted_file(tmp_path: Path, generation: Any) -> None:
    model, given = tiny_model(tmp_path), feeds(1)
    with machine(generation=generation) as here, here.open(model, Precision.FP16) as session:
        assert session.precision is Precision.FP16
        assert [str(spec) for spec in (*session.inputs, *session.outputs)] == [
            "x 4x3x8x8 float32", "y 4x4x8x8 float32",
        ]  # fmt: skip
        error = np.abs(infer(session, given) - reference(model, given)).max()
        assert 1e-5 < error < 0.02
        told = session.describe()
        assert told["precision route"] == f"fp16 by converting the .onnx file: {TOOL}"
        assert told["fp16 file"] == "2 nodes compute in fp16, 0 in fp32; inputs and outputs keep their types"
        assert here.prepare(model, Precision.FP16).settings["engine"] == "from the cache"


def test_an_engine_of_a_converted_file_may_use_tf32_for_the_rest(tmp_path: Path) -> None:
    with machine(AMPERE, generation="11") as here:
        words = here.prepare(tiny_model(tmp_path), Precision.FP16).settings["precision route"]
    assert words == f"fp16 by converting the .onnx file: {TOOL}, TF32 allowed for the rest"


def test_another_converter_or_what_it_makes_gives_another_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model(tmp_path)
    real, convert = half._load_tool()
    paths = []
    with machine(generation="11") as here:
        for told in (real, "9.9", "9.9"):
            monkeypatch.setattr(half, "_load_tool", lambda told=told: (told, convert))
            paths.append(here.prepare(model, Precision.FP16).path)
        assert paths[0] != paths[1] == paths[2]
        assert here.prepare(model).path not in paths
        given = replace(model, onnx=half.to_fp16(model.onnx, tmp_path / "own").path, precision=Precision.FP16)
        assert here.prepare(given, Precision.FP16).path not in paths


def test_fp16_without_a_converter_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with machine(generation="11") as here:
        with pytest.raises(ConversionError, match=r"pip install -c constraints\.txt onnxruntime\.$"):
            here.prepare(tiny_model(tmp_path), Precision.FP16)
        here.prepare(tiny_model(tmp_path))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_file_in_fp16_gives_an_engine_in_fp16_on_every_version(tmp_path: Path, generation: Any) -> None:
    model = half_model(tmp_path)
    with machine(generation=generation) as here, here.open(model, Precision.FP16) as session:
        assert session.precision is Precision.FP16
        x = np.array([[-1.0, 0.25, 2.0]] * 4, np.float16)
        assert np.array_equal(infer(session, {"x": x}), np.maximum(x + np.float16(0.5), 0))


@pytest.mark.parametrize("generation", GENERATIONS)
def test_int8_comes_from_quantised_files_only(tmp_path: Path, generation: Any) -> None:
    with machine(generation=generation) as here:
        with here.open(quantised_model(tmp_path), Precision.INT8) as session:
            assert session.precision is Precision.INT8
            x = np.full((4, 3), 0.56, np.float32)
            assert np.allclose(infer(session, {"x": x}), 0.6)
        with pytest.raises(ModelMismatch, match=r"no quantisation \(Q/DQ nodes\)"):
            here.prepare(tiny_model(tmp_path), Precision.INT8)


@pytest.mark.parametrize(("make", "precision"), [(half_model, "fp16"), (quantised_model, "int8")])
def test_a_file_with_a_precision_of_its_own_cannot_be_fp32(tmp_path: Path, make: Any, precision: str) -> None:
    with machine() as here, pytest.raises(ModelMismatch, match=f"ask for --precision {precision}"):
        here.prepare(make(tmp_path))


def test_a_profile_of_one_batch_by_default_and_of_a_range_when_asked(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 4)
    with machine() as here:
        static, wide = here.prepare(model), here.prepare(model, profile="2-32")
        usual = here.prepare(model, profile="range")
    shape = (3, 8, 8)
    assert plan_of(static).profiles == ({"x": ((4, *shape),) * 3},)
    assert plan_of(wide).profiles == ({"x": ((2, *shape), (4, *shape), (32, *shape))},)
    assert plan_of(usual).profiles == ({"x": ((1, *shape), (4, *shape), (16, *shape))},)
    assert static.settings["profile"] == "x 4x3x8x8"
    assert wide.settings["profile"] == "x 2x3x8x8 to 32x3x8x8, tuned for 4x3x8x8"


@pytest.mark.parametrize("text", ["wide", "4-2", "0-8", "1-", "8"])
def test_a_profile_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with machine() as here, pytest.raises(ModelMismatch, match=f"profile={text} is no profile; write static"):
        here.prepare(tiny_model(tmp_path), profile=text)


@pytest.mark.parametrize(
    ("key", "text", "advice"),
    [
        ("profile", "wide", r"write it in the form static \(static: .* MIN-MAX, as 1-32\)"),
        ("profile", "1,4", r"write it in the form static"),
        ("level", "6", "write one of 0, 1, 2, 3, 4, 5"),
        ("level", "high", "write one of 0, 1, 2, 3, 4, 5"),
    ],
)
def test_options_that_no_machine_could_take_are_refused_before_anything_is_opened(
    key: str, text: str, advice: str
) -> None:
    with pytest.raises(ValueError, match=f"{key}='{text}': {advice}"):
        parse_options(TensorRTBackend(), {key: text})


def test_a_range_without_the_batch_is_refused_with_one_that_has_it(tmp_path: Path) -> None:
    with machine() as here, pytest.raises(ModelMismatch, match=r"no batch of 32; .* profile=1-32\.$"):
        here.prepare(tiny_model(tmp_path, 32), profile="range")


def test_a_file_that_fixes_its_batch_needs_no_profile_and_can_have_no_range(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 4, onnx=tiny_convnet(tmp_path / "fixed.onnx", batch=4))
    with machine() as here:
        assert plan_of(here.prepare(model)).profiles == ()
        with here.open(model) as session:
            assert np.allclose(infer(session, feeds(1)), reference(model, feeds(1)), atol=1e-5)
            assert session.describe()["profile"] == "none: the file fixes its shapes"
        with pytest.raises(ConversionError, match="fixes its batch at 4"):
            here.prepare(model, profile="range")
        other = tiny_model(tmp_path, 8, onnx=model.onnx)
        with pytest.raises(ModelMismatch, match=r"input x is 4x3x8x8, the model has 8x3x8x8"):
            here.prepare(other)


def test_workspace_and_level_are_set_and_told(tmp_path: Path) -> None:
    with machine() as here:
        artifact = here.prepare(tiny_model(tmp_path), workspace_mib=256, level=5)
        assert artifact.settings["workspace"] == "256 MiB"
        assert artifact.settings["optimisation level"] == "5"
        with pytest.raises(ModelMismatch, match="level=6 is none of"):
            here.prepare(tiny_model(tmp_path), level=6)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_an_unknown_operator_is_named_with_its_node(tmp_path: Path, generation: Any) -> None:
    path = save_graph(
        tmp_path / "odd.onnx",
        [helper.make_node("Relu", ["x"], ["r"], name="first"),
         helper.make_node("Wobble", ["r"], ["y"], name="second", domain="my.own")],
        {"x": ["n", 3, 8, 8]}, {"y": ["n", 4, 8, 8]},
    )  # fmt: skip
    with machine(generation=generation) as here, pytest.raises(ConversionError) as caught:
        here.prepare(tiny_model(tmp_path, onnx=path))
    text = str(caught.value)
    assert "cannot read odd.onnx: node 'second' (operator Wobble)" in text
    assert text.endswith("export the model without that operator, or use a newer TensorRT.")


def test_a_file_that_was_converted_is_named_by_the_one_that_the_user_gave(tmp_path: Path) -> None:
    faults = (Fault(call="build_serialized_network"),)
    with machine(generation="11", faults=faults) as here, pytest.raises(ConversionError) as caught:
        here.prepare(tiny_model(tmp_path), Precision.FP16)
    assert re.search(r"building an engine of tiny\.onnx \(converted: /\S+\.onnx\) for batch 4", str(caught.value))


def test_external_data_lies_beside_the_file_and_not_in_the_current_folder(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    source = tiny_convnet(tmp_path / "source.onnx")
    onnx.save(
        onnx.load(str(source)), str(place / "big.onnx"), save_as_external_data=True, location="big.data",
        size_threshold=0,
    )  # fmt: skip
    assert (place / "big.data").exists()
    model = tiny_model(tmp_path, onnx=place / "big.onnx")
    with machine() as here, here.open(model) as session:
        assert np.allclose(infer(session, feeds(1)), reference(model, feeds(1)), atol=1e-5)
        before = here.prepare(model)
        (place / "big.data").write_bytes(bytes(432))
        assert here.prepare(model).sha256 != before.sha256


def test_inputs_of_another_name_are_a_mismatch(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, inputs=(TensorSpec("z", (4, 3, 8, 8), FLOAT),))
    with machine() as here, pytest.raises(ModelMismatch, match=r"has the inputs x, the model has z"):
        here.prepare(model)


def test_an_input_that_holds_a_shape_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "s"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 6]),
         helper.make_tensor_value_info("s", TensorProto.INT64, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b"])],
    )  # fmt: skip
    path = tmp_path / "reshape.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    long = np.dtype(np.int64)
    model = tiny_model(
        tmp_path, onnx=path, inputs=(TensorSpec("x", (4, 6), FLOAT), TensorSpec("s", (2,), long)),
        outputs=(TensorSpec("y", (3, 8), FLOAT),),
    )  # fmt: skip
    with machine() as here, pytest.raises(ModelMismatch, match="input s holds a shape"):
        here.prepare(model)


def test_whole_numbers_of_64_bits_are_32_on_the_oldest(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, ["n", 3])],
    )  # fmt: skip
    path = tmp_path / "long.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    long = np.dtype(np.int64)
    model = tiny_model(
        tmp_path, onnx=path, inputs=(TensorSpec("x", (4, 3), long),), outputs=(TensorSpec("y", (4, 3), long),)
    )
    for generation, dtype in (("8.6", "int32"), ("11", "int64")):
        with machine(generation=generation) as here, here.open(model) as session:
            assert session.inputs[0].dtype == np.dtype(dtype)
            x = np.arange(12).reshape(4, 3).astype(dtype)
            assert np.array_equal(infer(session, {"x": x}), 2 * x)


def test_no_model_file_and_no_cache_are_said(tmp_path: Path) -> None:
    with machine() as here:
        with pytest.raises(ModelMismatch, match=r"needs an \.onnx file"):
            here.prepare(tiny_model(tmp_path, onnx=None))
        with pytest.raises(ModelMismatch, match="name one with --cache"):
            here.prepare(tiny_model(tmp_path, cache=None))
    with machine(generation="11") as here, pytest.raises(ModelMismatch, match="name one with --cache"):
        here.prepare(tiny_model(tmp_path, cache=None), Precision.FP16)


@pytest.mark.parametrize(("capability", "target"), [((7, 5), "SM75"), ((8, 9), "SM89"), ((9, 0), "")])
def test_rtx_builds_for_the_card_that_is_here_or_refuses_it(tmp_path: Path, capability: Any, target: str) -> None:
    gpu = {"capability": capability, "device_name": "a card"}
    with machine(gpu, generation="rtx") as here:
        if target:
            with here.open(tiny_model(tmp_path)) as session:
                infer(session, feeds(1))
                assert session.describe()["TensorRT for RTX"] == "1.7.1.116"
            return
        with pytest.raises(BackendUnavailable, match=r"no support for a card \(compute capability 9\.0\)"):
            here.prepare(tiny_model(tmp_path))


@pytest.mark.parametrize("api", ["cuda-bindings", "pycuda"])
def test_no_driver_is_said_before_the_library_is_touched(tmp_path: Path, api: str) -> None:
    with machine({"driver_version": 0}) as here:
        with pytest.raises(BackendUnavailable, match="driver"):
            here.prepare(tiny_model(tmp_path), cuda_api=api)
        assert not here.module.state.calls


def test_no_such_device_and_no_such_kind(tmp_path: Path) -> None:
    from backends.base import Device

    with machine() as here:
        for device, words in ((Device("cuda", 3), "there is no cuda:3"), (Device("cpu"), "not on cpu")):
            with pytest.raises(BackendError, match=words):
                here.backend.prepare(tiny_model(tmp_path), Precision.FP32, device, here.options())


def test_a_version_that_is_too_old_is_refused(tmp_path: Path) -> None:
    with machine() as here:
        del here.module.IBuilderConfig.__mro__[1].builder_optimization_level
        try:
            with pytest.raises(BackendUnavailable, match=r"is too old; install TensorRT 8\.6, 10 or newer"):
                here.prepare(tiny_model(tmp_path))
        finally:
            here.module.IBuilderConfig.__mro__[1].builder_optimization_level = 3
