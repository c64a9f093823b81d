"""Pictures: rounding as published, the published layout, and values that are no numbers stand out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from datasets.pictures import BROKEN, grid, to_pixels, write_picture


def plain(value: float) -> int:
    """(x + 1) / 2, cut to [0, 1], times 255, rounded half up; every step in float32."""
    scaled = np.float32(min(max((np.float32(value) + np.float32(1)) / np.float32(2), np.float32(0)), np.float32(1)))
    return int(np.floor(scaled * np.float32(255) + np.float32(0.5)))


@given(arrays.arrays(np.float32, (2, 3, 2, 3), elements=st.floats(-2, 2, width=32)))
def test_pixels_are_rounded_half_up(images: np.ndarray) -> None:
    pixels = to_pixels(images)
    assert pixels.shape == (2, 2, 3, 3)
    for n, c, h, w in np.ndindex(images.shape):
        assert pixels[n, h, w, c] == plain(float(images[n, c, h, w]))


def test_the_ends_and_the_middle() -> None:
    values = np.array([-1, 1, 0, -5, 5, np.inf, -np.inf], np.float32)
    images = np.broadcast_to(values, (1, 3, 1, 7))
    assert to_pixels(images)[0, 0, :, 0].tolist() == [0, 255, 128, 0, 255, 255, 0]


def test_a_value_that_is_no_number_is_seen() -> None:
    images = np.zeros((1, 3, 2, 2), np.float32)
    images[0, 1, 0, 1] = np.nan
    pixels = to_pixels(images)
    assert tuple(pixels[0, 0, 1]) == BROKEN
    assert (pixels == 128).all(axis=-1).sum() == 3


def test_translations_lie_side_by_side_and_images_below_each_other() -> None:
    columns = [np.full((3, 3, 4, 4), -1 + 0.25 * target, np.float32) for target in range(5)]
    for target, column in enumerate(columns):
        column[1] += 0.1 * target
    picture = grid(columns)
    assert picture.shape == (12, 20, 3)
    for target, column in enumerate(columns):
        for image in range(3):
            part = picture[4 * image : 4 * (image + 1), 4 * target : 4 * (target + 1)]
            assert (part == to_pixels(column[image : image + 1])[0]).all()
    assert grid(columns, count=2).shape == (8, 20, 3)


def test_files_are_what_their_names_say(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 8, 3), dtype=np.uint8)
    for name, kind in (("1-images.jpg", "JPEG"), ("1-images.png", "PNG")):
        write_picture(tmp_path / name, pixels)
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == (kind, (8, 16))
            if kind == "PNG":
                assert np.array_equal(np.asarray(image), pixels)
