"""Accuracy of pictures, image by image: one wrong picture of ten thousand must not drown in their mean."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.accuracy.metrics import PICTURE_RANGE, SSIM_WINDOW, Differences, Sums, changed_pixels, ssim
from reports.accuracy.thresholds import THRESHOLDS, Threshold
from reports.records import OutputAccuracy, PrecisionName

#: Wrong images that a reason names; the others are counted.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class ImageAccuracy:
    """One image against its reference; without differences where some of its values are NaN or infinite."""

    number: int
    values: int
    nonfinite: int
    differences: Differences | None

    def problems(self, threshold: Threshold) -> list[str]:
        """What is wrong with it, in words; nothing for a pass."""
        if self.differences is None:
            return [f"{self.nonfinite} of {self.values} values are NaN or infinite"]
        return threshold.problems(self.differences)

    def badness(self, threshold: Threshold) -> tuple[bool, float, int]:
        """Orders images from right to wrong; of equal ones the first is the worst."""
        spent = math.inf if self.differences is None else threshold.spent(self.differences)
        return bool(self.problems(threshold)), spent, -self.number


def _count_up(number: int) -> str:
    return f"image {number}"


class PictureAccuracy:
    """Fed with batches of pictures; keeps a few numbers of every image, and no picture.

    Images with a value that is NaN or infinite are wrong, and left out of the totals.
    """

    def __init__(self) -> None:
        self.images: list[ImageAccuracy] = []
        #: numbers of images whose reference is NaN or infinite: nothing can be compared with them
        self.broken_references: list[int] = []
        self._sums = Sums()
        self._changed = 0
        self._pixels = 0

    def add(self, reference: NDArray[np.floating], candidate: NDArray[np.floating], first: int | None = None) -> None:
        """Compare two (n, 3, h, w) arrays of pictures in [-1, 1], in float64 of their float32 values.

        The images are numbered from `first` on, else counted through. Raises ValueError for other shapes.
        """
        if reference.shape != candidate.shape:
            raise ValueError(f"pictures of shape {candidate.shape} against {reference.shape}")
        if reference.ndim != 4 or reference.shape[1] != 3 or min(reference.shape[2:]) < SSIM_WINDOW:
            raise ValueError(f"no pictures: shape {reference.shape}, not (n, 3, h, w) with at least {SSIM_WINDOW} rows")
        start = len(self.images) + len(self.broken_references) if first is None else first
        for number, (ours, theirs) in enumerate(zip(reference, candidate, strict=True), start=start):
            self._add_image(number, _exact(ours), _exact(theirs))

    def _add_image(self, number: int, reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> None:
        if not np.isfinite(reference).all():
            self.broken_references.append(number)
            return
        nonfinite = candidate.size - int(np.count_nonzero(np.isfinite(candidate)))
        differences = None
        if not nonfinite:
            sums = Sums.of(reference, candidate)
            changed, pixels = changed_pixels(reference, candidate), reference[0].size
            differences = sums.differences(PICTURE_RANGE, ssim(reference, candidate), changed / pixels)
            self._sums += sums
            self._changed += changed
            self._pixels += pixels
        self.images.append(ImageAccuracy(number, candidate.size, nonfinite, differences))

    def extend(self, other: PictureAccuracy) -> None:
        """Take over what another one has seen."""
        self.images += other.images
        self.broken_references += other.broken_references
        self._sums += other._sums
        self._changed += other._changed
        self._pixels += other._pixels

    def totals(self) -> Differences | None:
        """Over all images whose values are finite: the largest max abs, the lowest SSIM, the others over all values.

        (Images are of one size, so the mean over all values is the mean of the images' means.) None without any.
        """
        if not self._pixels:
            return None
        return self._sums.differences(PICTURE_RANGE, min(self._ssims()), self._changed / self._pixels)

    def _ssims(self) -> list[float]:
        found = [image.differences.ssim for image in self.images if image.differences]
        return [value for value in found if value is not None]

    def wrong(self, precision: PrecisionName) -> list[ImageAccuracy]:
        """Images that do not hold the thresholds, the worst first."""
        threshold = THRESHOLDS[precision]
        found = [image for image in self.images if image.problems(threshold)]
        return sorted(found, key=lambda image: image.badness(threshold), reverse=True)

    def worst(self, precision: PrecisionName, count: int) -> list[ImageAccuracy]:
        """The images that are furthest from right, right ones included, the worst first."""
        threshold = THRESHOLDS[precision]
        return heapq.nlargest(count, self.images, key=lambda image: image.badness(threshold))

    def verdict(
        self, precision: PrecisionName, output: str = "", name: Callable[[int], str] = _count_up
    ) -> OutputAccuracy:
        """Totals, and whether EVERY image holds the thresholds; `name` says a number in words."""
        threshold, totals, ssims = THRESHOLDS[precision], self.totals(), self._ssims()
        worst = self.worst(precision, 1)
        reason = self._reason(precision, name)
        finite_psnr = totals is not None and math.isfinite(totals.psnr_db)
        return OutputAccuracy(
            output=output,
            passed=not reason,
            max_abs=totals.max_abs if totals else None,
            mean_abs=totals.mean_abs if totals else None,
            cosine=totals.cosine if totals else None,
            psnr_db=totals.psnr_db if totals and finite_psnr else None,
            nonfinite=sum(image.nonfinite for image in self.images),
            threshold=threshold.of_pictures(),
            reason=reason,
            images=len(self.images),
            worst_image=worst[0].number if worst else None,
            ssim=min(ssims, default=None),
            ssim_mean=math.fsum(ssims) / len(ssims) if ssims else None,
            changed_pixels=totals.changed_pixels if totals else None,
        )

    def _reason(self, precision: PrecisionName, name: Callable[[int], str]) -> str:
        """Why this is no pass, empty if it is one."""
        if self.broken_references:
            first = name(self.broken_references[0])
            return f"the reference itself is NaN or infinite in {first}, so nothing can be compared with it"
        if not self.images:
            return "there are no images"
        wrong = self.wrong(precision)
        if not wrong:
            return ""
        return f"{_of(len(wrong), len(self.images))} wrong: {_named(wrong, THRESHOLDS[precision], name)}"


def _exact(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """As float64, of values that float32 can hold: beyond it is infinite, as every picture's values are near 1."""
    with np.errstate(over="ignore"):
        return image.astype(np.float32, copy=False).astype(np.float64)


def _of(wrong: int, images: int) -> str:
    if images == 1:
        return "the one image is"
    return f"{wrong} of {images} images {'is' if wrong == 1 else 'are'}"


def _named(wrong: Sequence[ImageAccuracy], threshold: Threshold, name: Callable[[int], str]) -> str:
    named = [f"{name(image.number)} ({', '.join(image.problems(threshold))})" for image in wrong[:_NAMED]]
    more = f", and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return "; ".join(named) + more
