"""How far two arrays are apart: sums that add up over images, and the metrics that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Of a picture's values, [-1, 1].
PICTURE_RANGE = 2.0
#: A pixel counts as changed from one step of an 8-bit picture on, as a share of the range.
PIXEL_STEP = 1 / 255
#: Side of the square that SSIM looks at a time (scikit-image's default); smaller pictures have no SSIM.
SSIM_WINDOW = 7


@dataclass(frozen=True, slots=True)
class Differences:
    """Candidate against reference. `psnr_db` is infinite when they are equal; `span` is the range that it refers to.

    SSIM and the share of changed pixels are known of pictures only; over several images SSIM is the lowest.
    """

    span: float
    max_abs: float
    mean_abs: float
    cosine: float
    psnr_db: float
    ssim: float | None = None
    changed_pixels: float | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """What all metrics but SSIM are made of; those of several arrays are added."""

    values: int = 0
    max_abs: float = 0.0
    absolute: float = 0.0
    square: float = 0.0
    product: float = 0.0
    reference_square: float = 0.0
    candidate_square: float = 0.0

    @classmethod
    def of(cls, reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> Sums:
        """Of two arrays of one shape, all values finite."""
        difference = np.abs(reference - candidate)
        # numpy's own sums, not BLAS: pairwise, and no threads that get in each other's way.
        return cls(
            values=difference.size,
            max_abs=float(difference.max(initial=0.0)),
            absolute=float(difference.sum()),
            square=float(np.square(difference).sum()),
            product=float((reference * candidate).sum()),
            reference_square=float(np.square(reference).sum()),
            candidate_square=float(np.square(candidate).sum()),
        )

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            values=self.values + other.values,
            max_abs=max(self.max_abs, other.max_abs),
            absolute=self.absolute + other.absolute,
            square=self.square + other.square,
            product=self.product + other.product,
            reference_square=self.reference_square + other.reference_square,
            candidate_square=self.candidate_square + other.candidate_square,
        )

    def differences(self, span: float, ssim: float | None = None, changed_pixels: float | None = None) -> Differences:
        """PSNR = 20·log10(span / root mean square difference), in dB."""
        count = max(self.values, 1)
        root_mean_square = math.sqrt(self.square / count)
        psnr = 20 * math.log10(span / root_mean_square) if root_mean_square else math.inf
        return Differences(
            span=span, max_abs=self.max_abs, mean_abs=self.absolute / count, cosine=self._cosine(), psnr_db=psnr,
            ssim=ssim, changed_pixels=changed_pixels,
        )  # fmt: skip

    def _cosine(self) -> float:
        """Cosine of the angle between two vectors; 1 when both are zero, 0 when only one is."""
        norms = math.sqrt(self.reference_square) * math.sqrt(self.candidate_square)
        if norms == 0:
            return 1.0 if self.reference_square == self.candidate_square else 0.0
        # Rounding can carry the quotient a hair past 1.
        return max(-1.0, min(1.0, self.product / norms))


def ssim(reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> float:
    """Structural similarity (Wang et al. 2004) of two (3, h, w) pictures in [-1, 1]: 1 when equal, at least -1.

    scikit-image's, with its default uniform window of 7×7 and the mean over channels.
    """
    from skimage.metrics import structural_similarity

    return float(structural_similarity(reference, candidate, channel_axis=0, data_range=PICTURE_RANGE))


def changed_pixels(reference: NDArray[np.float64], candidate: NDArray[np.float64]) -> int:
    """How many of the h·w pixels of two (3, h, w) pictures differ in some channel by more than 1/255 of the range."""
    return int(np.count_nonzero(np.abs(reference - candidate).max(axis=0) > PIXEL_STEP * PICTURE_RANGE))
