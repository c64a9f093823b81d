"""Sample pictures on their way into a run file, and outputs judged image by image on the way."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backends.base import Device, Feeds, Model, Precision
from backends.onnxruntime import OnnxRuntimeBackend
from bench.plan import WorkloadSpec
from bench.samples import SAMPLES, sample_strip
from bench.subject import Subject
from bench.workloads import load
from bench.workloads.base import Materials, Workload

REFERENCE = np.tanh(np.random.default_rng(5).normal(size=(7, 3, 16, 16))).astype(np.float32)


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (3, 3), (7, SAMPLES)])
def test_the_first_samples_lie_side_by_side(count: int, shown: int) -> None:
    flat = np.linspace(-1, 1, count).astype(np.float32)
    data = sample_strip(np.broadcast_to(flat[:, None, None, None], (count, 3, 16, 16)).astype(np.float32))
    strip = pixels(data)
    assert strip.shape == (16, 16 * shown, 3)
    middles = strip[8, 8::16, 0].astype(float)
    assert middles == pytest.approx((flat[:shown] + 1) / 2 * 255, abs=2)


def test_even_noise_stays_small_enough_for_a_run_file() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (5, 3, 128, 128)).astype(np.float32)
    data = sample_strip(noise)
    assert len(data) * 4 / 3 < 40_000
    assert pixels(data).shape == (128, 640, 3)


def test_what_is_no_number_is_magenta() -> None:
    strip = pixels(sample_strip(np.full((1, 3, 16, 16), np.nan, np.float32)))
    assert np.abs(strip.astype(int) - (255, 0, 255)).max() < 5


class _Pictures(Workload):
    """Outputs a picture and a number."""

    name = "pictures"
    picture_outputs = frozenset({"picture"})

    def materialise(self, *_: object) -> Materials:
        raise NotImplementedError

    def model(self, *_: object) -> Model:
        raise NotImplementedError

    def host_batches(self, *_: object) -> list[Feeds]:
        return []

    def reference(self, *_: object) -> dict[str, np.ndarray[Any, Any]]:
        return {"picture": REFERENCE, "number": np.ones(3, np.float32)}


@pytest.fixture
def subject() -> Subject:
    return Subject(
        workload=_Pictures(), spec=WorkloadSpec(name="pictures"), materials=None,  # type: ignore[arg-type]
        backend=OnnxRuntimeBackend(), options={}, device=Device("cpu"), batch=7,
    )  # fmt: skip


def test_pictures_are_judged_by_image_and_other_outputs_as_a_whole(subject: Subject) -> None:
    wrong = REFERENCE.copy()
    wrong[6] = -wrong[6]
    picture, number = subject.judge({"picture": wrong, "number": np.ones(3, np.float32)}, Precision.INT8)
    assert picture.reason.startswith("1 of 7 images is wrong: image 6 (")
    assert number.passed
    assert number.images is None


@pytest.mark.parametrize(
    ("change", "there"),
    [(lambda array: array, True), (lambda array: -array, True), (lambda array: array[:2], False)],
    ids=["right", "wrong", "another shape"],
)
def test_outputs_of_the_right_shape_are_shown(subject: Subject, change: Callable[[Any], Any], there: bool) -> None:
    assert (subject.pictures({"picture": change(REFERENCE)}) is not None) == there
    assert subject.pictures({"number": np.ones(3, np.float32)}) is None


def test_stargan_keeps_samples_of_inputs_and_reference_with_their_captions(stargan_cache: Path) -> None:
    stargan = load("stargan")
    assert stargan.picture_outputs == {"fake_img"}
    materials = stargan.materialise(WorkloadSpec(name="stargan"), [1, 2], stargan_cache, lambda _: None)
    info = materials.info
    assert info.sample_captions == ["Black Hair", "Blond Hair"]
    for data, expected in (
        (info.sample_inputs, stargan.host_batches(WorkloadSpec(name="stargan"), materials, 2)[0]["real_img"]),
        (info.sample_reference, stargan.reference(materials, 2)["fake_img"]),
    ):
        assert data is not None
        strip = pixels(data).astype(float)
        assert strip.shape == (128, 256, 3)
        sharp = np.concatenate([(image.transpose(1, 2, 0) + 1) / 2 * 255 for image in expected], axis=1)
        assert np.abs(strip - sharp).mean() < 25, "the same pictures, but for JPEG"
