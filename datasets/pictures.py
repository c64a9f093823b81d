"""From a generator's outputs in [-1, 1] to pictures that people look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PictureFormat = Literal["jpg", "png"]
FORMATS: Final[tuple[PictureFormat, ...]] = get_args(PictureFormat)
#: What a value that is no number looks like, so that nobody takes it for part of a picture.
BROKEN: Final = (255, 0, 255)
# Pillow's own default, which the published pipeline writes its pictures with.
_JPEG_QUALITY: Final = 75

Pixels = NDArray[np.uint8]


def to_pixels(images: NDArray[np.float32]) -> Pixels:
    """(n, 3, h, w) float32 in [-1, 1] -> (n, h, w, 3) uint8: (x + 1) / 2 cut to [0, 1], times 255, rounded half up.

    The published pipeline's steps in float32. A pixel with a value that is NaN becomes BROKEN, infinities are cut.
    """
    values = (images + np.float32(1)) / np.float32(2)
    np.clip(values, 0, 1, out=values)
    values *= np.float32(255)
    values += np.float32(0.5)
    broken = np.isnan(images)
    any_broken = broken.any()
    if any_broken:
        values[broken] = 0
    pixels = np.ascontiguousarray(values.astype(np.uint8).transpose(0, 2, 3, 1))
    if any_broken:
        pixels[broken.any(axis=1)] = BROKEN
    return pixels


def grid(columns: Sequence[NDArray[np.float32]], count: int | None = None) -> Pixels:
    """The published layout: each (n, 3, h, w) a column, its first `count` images below each other, no padding.

    Returns (count·h, len(columns)·w, 3) uint8.
    """
    parts = [to_pixels(column[:count]) for column in columns]
    return np.concatenate([part.reshape(-1, *part.shape[2:]) for part in parts], axis=1)


def write_picture(path: Path, pixels: Pixels) -> None:
    """Write (h, w, 3) uint8 as what the name ends in: .jpg (quality 75, as published) or .png. Raises OSError."""
    image = Image.fromarray(pixels)
    if path.suffix == ".jpg":
        image.save(path, format="JPEG", quality=_JPEG_QUALITY)
    else:
        image.save(path, format="PNG")
