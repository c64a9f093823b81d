"""ONNX -> TensorRT engine, against a double of trtexec that keeps each version's rules."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backends.base import ConversionError, Precision
from backends.convert import ArtifactCache, ToolMissing, read_graph, shell_text, trtexec
from tests.backends.convert.models import two_inputs
from tests.doubles import trtexec as double

SHAPES = {"real_img": (4, 3, 128, 128), "attr": (4, 5)}
FP32, FP16 = Precision.FP32, Precision.FP16


@pytest.fixture
def cache(tmp_path: Path) -> ArtifactCache:
    return ArtifactCache(tmp_path / "cache")


def use(place: Path, monkeypatch: pytest.MonkeyPatch) -> trtexec.Trtexec:
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    return trtexec.locate()


@pytest.mark.parametrize(
    ("banner", "version", "flags"),
    [
        (7000, "", ""),
        (7200, "", " --noTF32"),
        (8201, "8.2.1", " --noTF32"),
        (8601, "8.6.1", " --noTF32 --skipInference"),
        (101303, "10.13.3.72", " --noTF32 --skipInference"),
        (110400, "11.4.0.72", " --noTF32 --skipInference"),
    ],
)
def test_every_version_gets_the_options_that_it_has(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch, banner: int, version: str, flags: str
) -> None:
    place = double.install(tmp_path / "bin", banner)
    tool = use(place, monkeypatch)
    assert tool.version == version
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    made = [trtexec.convert(tool, graph, 4, FP32, "Tesla T4", cache) for _ in range(2)]
    assert [each.hit for each in made] == [False, True]
    assert made[0].precision == "fp32 (TF32 off)"
    shapes = "real_img:4x3x8x8,attr:4x1x1x1"
    assert double.calls(place) == [
        f"--onnx=x.onnx --saveEngine=artifact.engine --minShapes={shapes} --optShapes={shapes} --maxShapes={shapes}"
        f"{flags} CUDA_DEVICE_ORDER=PCI_BUS_ID"
    ]


def test_fp16_where_it_exists_and_nowhere_else(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    tool = use(double.install(tmp_path / "ten", 101303), monkeypatch)
    made = trtexec.convert(tool, graph, 1, FP16, "Tesla T4", cache)
    assert made.precision == "fp16 (--fp16: TensorRT may keep layers in fp32 or tf32)"
    assert " --fp16" in double.calls(tmp_path / "ten")[0]
    tool = use(double.install(tmp_path / "eleven", 110100), monkeypatch)
    with pytest.raises(ConversionError, match=r"has no --fp16 \(TensorRT 11 removed it"):
        trtexec.convert(tool, graph, 1, FP16, "Tesla T4", cache)
    assert double.calls(tmp_path / "eleven") == []


def test_other_precisions_are_refused() -> None:
    with pytest.raises(ConversionError, match="an engine in int8 is not built here"):
        trtexec.command("trtexec", "x.onnx", "x.engine", SHAPES, Precision.INT8)


def test_the_command_for_elsewhere() -> None:
    line = trtexec.command("trtexec", "StarGAN.onnx", "StarGAN_bs4.engine", SHAPES, FP32)
    shapes = "real_img:4x3x128x128,attr:4x5"
    assert shell_text(line) == (
        "trtexec --onnx=StarGAN.onnx --saveEngine=StarGAN_bs4.engine"
        f" --minShapes={shapes} --optShapes={shapes} --maxShapes={shapes} --noTF32"
    )


def test_a_model_that_fixes_its_shapes_is_not_told_them(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = use(double.install(tmp_path / "bin"), monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx", batch=4))
    assert not trtexec.convert(tool, graph, 4, FP32, "Tesla T4", cache).hit


def test_engines_are_bound_to_card_version_batch_and_precision(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    old = use(double.install(tmp_path / "old", 8601), monkeypatch)
    new = use(double.install(tmp_path / "new", 101303), monkeypatch)
    variants = [
        (old, graph, 1, FP32, "Tesla T4"),
        (new, graph, 1, FP32, "Tesla T4"),
        (old, graph, 2, FP32, "Tesla T4"),
        (old, graph, 1, FP16, "Tesla T4"),
        (old, graph, 1, FP32, "NVIDIA H100"),
        (old, graph, 1, FP32, ""),
    ]
    made = [trtexec.convert(*variant, cache) for variant in variants]
    assert not any(each.hit for each in made)
    assert made[0].notes == ("runs only on Tesla T4, with TensorRT 8.6.1",)
    assert "whose name could not be found out" in made[5].notes[0]
    assert made[5].settings["card"].startswith("unknown card of ")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert not trtexec.convert(*variants[5], cache).hit, "perhaps of another card"
    assert trtexec.convert(*variants[0], cache).hit


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("no GPU", ["CUDA initialization failure with error: 35", "the machine with the card"]),
        ("parse", ["In function importFallbackPlugin: [8] Assertion failed", "lower --opset"]),
        ("out of memory", ["Cuda Runtime (out of memory)", "smaller batch"]),
        ("no file", ["ended with status 0 but wrote no engine"]),
    ],
)
def test_first_error_and_advice(
    tmp_path: Path, cache: ArtifactCache, monkeypatch: pytest.MonkeyPatch, then: str, words: list[str]
) -> None:
    tool = use(double.install(tmp_path / "bin", then=then), monkeypatch)
    graph = read_graph(two_inputs(tmp_path / "x.onnx"))
    with pytest.raises(ConversionError) as caught:
        trtexec.convert(tool, graph, 1, FP32, "Tesla T4", cache)
    line = str(caught.value)
    assert "\n" not in line
    for word in words:
        assert word in line, line
    assert Path(line.rpartition("(output: ")[2].removesuffix(")")).is_file()
    assert list((tmp_path / "cache").glob("*.engine*")) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[E] Unknown option: --fp16 ", "TensorRT 11 removed it"),
        ("[11/23/2026-10:00:00] [E] Unknown option: --noTF32 ", "too old or too new"),
        ('[E] Cannot find input tensor with name "x" in the network inputs!', "names and shapes"),
        ("[E] Something else", "trtexec --verbose"),
        ("terminate called after throwing", "trtexec --verbose"),
        ("", "trtexec --verbose"),
    ],
)
def test_advice_by_line(line: str, words: str) -> None:
    found = trtexec.explain(f"&&&& RUNNING\n[I] fine\n{line}\n" if line else "")
    assert words in found.advice
    assert found.line in line


def test_absent_or_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="trtexec was not found on PATH; install TensorRT"):
        trtexec.locate()
    monkeypatch.setenv("PATH", str(double.install(tmp_path / "bin", then="no library")))
    with pytest.raises(
        ConversionError, match=r"trtexec --help failed with status 127: .*libnvinfer\.so\.8.*LD_LIBRARY"
    ):
        trtexec.locate()
