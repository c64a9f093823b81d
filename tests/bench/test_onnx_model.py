"""Any .onnx file as a workload."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import UsageError
from bench.plan import WorkloadSpec
from bench.workloads import load
from tests.doubles.onnx_files import tiny_convnet

pytest.importorskip("onnx")


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
    with pytest.raises(UsageError, match=r"declared \?x3x\?x\?.*--shape x:1x3xNxN"):
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
