"""Parsing, profiles and building with TensorRT for RTX itself, which needs no GPU for these. Skipped without it.

Install: pip install tensorrt-rtx-cu13-libs tensorrt-rtx-cu13-bindings.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from backends._cuda import DeviceFacts
from backends.base import BackendError, BackendUnavailable, ConversionError, Model, Precision, TensorSpec
from backends.tensorrt.artifact import source
from backends.tensorrt.build import build
from backends.tensorrt.library import Library
from backends.tensorrt.precision import route
from backends.tensorrt.products import RTX
from backends.tensorrt.recipe import Bounds, Recipe, Settings
from tests.backends.tiny import FLOAT, tiny_model
from tests.doubles.onnx_files import save_graph, tiny_convnet

trt: Any = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT for RTX is not installed")

T4 = DeviceFacts("Tesla T4", (7, 5), "", 0, 0, "13.0", "13.0")


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(trt, RTX)


def recipe(
    library: Library, model: Any, precision: Precision = Precision.FP32, facts: DeviceFacts = T4, **settings: Any
) -> Recipe:
    chosen = Settings(**{"batches": None, "workspace": 0, "level": 3, **settings})
    graph, way = source(RTX, model, model.onnx, route(library, model, precision, facts.capability, facts.name))
    return Recipe.of(graph, model, precision, way, chosen, facts)


def output_types(path: Path) -> Counter[str]:
    """Types of the outputs of all layers, as RTX reads the file."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    assert parser.parse_from_file(str(path))
    return Counter(network.get_layer(index).get_output(0).dtype.name for index in range(network.num_layers))


@pytest.mark.parametrize("batches", [None, (1, 16)])
def test_a_plan_is_built_without_a_gpu(tmp_path: Path, library: Library, batches: Any) -> None:
    target = tmp_path / "plan"
    told = build(library, recipe(library, tiny_model(tmp_path), batches=batches, workspace=2**28), target, None)
    assert told == {"InstanceNorm": "native layer"}
    assert target.stat().st_size > 10_000
    assert library.title.startswith("TensorRT for RTX 1.")
    assert library.plugins


def test_its_flags_and_precisions_are_those_of_tensorrt_11(tmp_path: Path, library: Library) -> None:
    assert not library.has_flag("FP16")
    assert not library.has_flag("INT8")
    assert library.has_flag("TF32")
    ampere = DeviceFacts("NVIDIA A10", (8, 6), "", 0, 0, "13.0", "13.0")
    build(library, recipe(library, tiny_model(tmp_path), Precision.TF32, ampere), tmp_path / "plan", None)


def test_a_card_that_it_does_not_know_is_refused(tmp_path: Path, library: Library) -> None:
    hopper = DeviceFacts("NVIDIA H100", (9, 0), "", 0, 0, "13.0", "13.0")
    with pytest.raises(BackendUnavailable, match=r"no support for NVIDIA H100 \(compute capability 9\.0\)"):
        build(library, recipe(library, tiny_model(tmp_path), facts=hopper), tmp_path / "plan", None)


def test_external_data_is_found_beside_the_file(tmp_path: Path, library: Library) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    source = onnx.load(str(tiny_convnet(tmp_path / "source.onnx")))
    onnx.save(source, str(place / "big.onnx"), save_as_external_data=True, location="big.data", size_threshold=0)
    build(library, recipe(library, tiny_model(tmp_path, onnx=place / "big.onnx")), tmp_path / "plan", None)
    broken = recipe(library, tiny_model(tmp_path, onnx=place / "big.onnx"))
    (place / "big.data").unlink()
    with pytest.raises(ConversionError, match=r"big\.onnx: .*initializer.*; copy the file's data beside it"):
        build(library, broken, tmp_path / "other", None)


def test_an_unknown_operator_is_named_with_its_node(tmp_path: Path, library: Library) -> None:
    path = save_graph(
        tmp_path / "odd.onnx",
        [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Wobble", ["r"], ["y"], name="w", domain="my.own")],
        {"x": ["n", 3, 8, 8]}, {"y": ["n", 4, 8, 8]},
    )  # fmt: skip
    with pytest.raises(ConversionError, match=r"node 'w' \(operator Wobble\): .*Plugin not found.* operator, or use a"):
        build(library, recipe(library, tiny_model(tmp_path, onnx=path)), tmp_path / "plan", None)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds((8, 3, 8, 8), (4, 3, 8, 8), (16, 3, 8, 8)), r"add_optimization_profile.*MIN<=OPT<=MAX"),
        (Bounds((1, 3, 9, 9), (4, 3, 9, 9), (16, 3, 9, 9)), r"Dimension mismatch for tensor x and profile 0"),
    ],
)
def test_a_profile_that_does_not_fit_is_told_in_its_words(
    tmp_path: Path, library: Library, bounds: Bounds, words: str
) -> None:
    made = recipe(library, tiny_model(tmp_path))
    wrong = Recipe(made.graph, made.model, made.precision, made.route, {"x": bounds}, made.settings, made.facts)
    with pytest.raises(ConversionError, match=words) as caught:
        build(library, wrong, tmp_path / "plan", None)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "plan").exists()


def normalised(folder: Path) -> Model:
    """Two inputs joined, normalised and enlarged: the operators of StarGAN's generator."""
    one, weights = np.ones(256, np.float32), np.full((256, 256, 4, 4), 0.01, np.float32)
    path = save_graph(
        folder / "norm.onnx",
        [helper.make_node("Concat", ["image", "label"], ["c"], axis=1),
         helper.make_node("InstanceNormalization", ["c", "scale", "bias"], ["n"]),
         helper.make_node("ConvTranspose", ["n", "weights"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])],
        {"image": ["n", 3, 8, 8], "label": ["n", 253, 8, 8]}, {"y": ["n", 256, 16, 16]},
        {"scale": one, "bias": one, "weights": weights},
    )  # fmt: skip
    return tiny_model(
        folder, onnx=path, outputs=(TensorSpec("y", (4, 256, 16, 16), FLOAT),),
        inputs=(TensorSpec("image", (4, 3, 8, 8), FLOAT), TensorSpec("label", (4, 253, 8, 8), FLOAT)),
    )  # fmt: skip


def test_instance_normalisation_and_two_inputs_of_the_same_batch(tmp_path: Path, library: Library) -> None:
    told = build(library, recipe(library, normalised(tmp_path), batches=(1, 16)), tmp_path / "plan", None)
    assert told["InstanceNorm"] == "native layer"


def test_fp16_is_built_from_a_converted_file(tmp_path: Path, library: Library) -> None:
    model = normalised(tmp_path)
    single, half = recipe(library, model), recipe(library, model, Precision.FP16, batches=(1, 16))
    assert half.route.words.startswith("fp16 by converting the .onnx file: onnxruntime.transformers.float16 ")
    assert half.told()["fp16 file"].startswith("3 nodes compute in fp16, 0 in fp32")
    assert half.key(library)["converted by"].startswith("onnxruntime.transformers.float16 ")
    build(library, single, tmp_path / "single", None)
    build(library, half, tmp_path / "half", None)
    assert output_types(single.graph.path)["HALF"] == 0
    types = output_types(half.graph.path)
    assert types["FLOAT"] == 1, "the cast of the output"
    assert types["HALF"] >= 3
    weights = 256 * 256 * 4 * 4
    assert (tmp_path / "single").stat().st_size > 4 * weights > (tmp_path / "half").stat().st_size > 2 * weights


def test_a_plan_cannot_be_loaded_without_a_driver_and_says_why(tmp_path: Path, library: Library) -> None:
    from backends._cuda import Vendor
    from backends.tensorrt.loaded import Loaded

    if Vendor().driver_version():
        pytest.skip("there is a driver")
    build(library, recipe(library, tiny_model(tmp_path)), tmp_path / "plan", None)
    with pytest.raises(BackendError, match=r"loading plan failed: .*install a newer NVIDIA driver"):
        Loaded(library, (tmp_path / "plan").read_bytes(), "plan")
