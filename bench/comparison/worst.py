"""The picture of the worst images: reference, candidate, and their difference amplified until it can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets.pictures import Pixels, to_pixels
from datasets.tensors import Array32
from reports.accuracy import THRESHOLDS, ImageAccuracy
from reports.comparison import FolderComparison, decibels
from reports.pictures import Strip, write

_FACTORS = tuple(step * 10**power for power in range(7) for step in (1, 2, 5))


def draw_worst(
    path: Path, comparison: FolderComparison, images: Sequence[tuple[ImageAccuracy, Array32, Array32]]
) -> None:
    """Draw images with their (3, h, w) reference and candidate in [-1, 1], a row each. Raises OSError."""
    strips = [_strip(comparison, *image) for image in images]
    simulated = "SIMULATED · " if comparison.simulated else ""
    origin = (
        f"{simulated}candidate: {comparison.candidate.path}, {comparison.candidate.maker} · reference:"
        f" {comparison.reference.path}, {comparison.reference.maker} · {comparison.started} · difference: |candidate -"
        " reference| of each channel times the factor, black where equal; magenta: NaN"
    )
    title = "The worst image" if len(images) == 1 else f"The {len(images)} worst images, the worst first"
    write(path, strips, ("reference", "candidate", "difference"), title, origin)


def _strip(comparison: FolderComparison, image: ImageAccuracy, reference: Array32, candidate: Array32) -> Strip:
    factor = _factor(reference, candidate)
    with np.errstate(invalid="ignore", over="ignore"):
        # Black is -1: the whole range of 2 times a factor of 1 is white.
        difference = np.abs(candidate - reference) * np.float32(factor) - np.float32(1)
    found, problems = image.differences, image.problems(THRESHOLDS[comparison.precision])
    lines = [comparison.numbering.name(image.number)]
    if found:
        lines += [f"PSNR {decibels(found.psnr_db)}" + (" dB" if found.max_abs else ""), f"SSIM {found.ssim:.6f}"]
        lines += [f"max abs {found.max_abs:.3g}"]
    else:
        lines += [f"{image.nonfinite} values are NaN or infinite"]
    return Strip(
        lines=tuple(lines), pictures=[_pixels(array) for array in (reference, candidate, difference)],
        below=("", "", f"× {factor:,}"), wrong="wrong" if problems else "",
    )  # fmt: skip


def _pixels(image: Array32) -> Pixels:
    pixels: Pixels = to_pixels(image[np.newaxis])[0]
    return pixels


def _factor(reference: Array32, candidate: Array32) -> int:
    """The largest of 1, 2, 5, 10, 20, … by which no difference leaves the range."""
    difference = np.abs(candidate.astype(np.float64) - reference)
    finite = difference[np.isfinite(difference)]
    largest = float(finite.max(initial=0.0)) / 2
    return next((factor for factor in reversed(_FACTORS) if factor * largest <= 1), 1) if largest else 1
