"""Are the outputs right? Candidate against the fp32 reference, with thresholds per executed precision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.records import OutputAccuracy, PrecisionName


@dataclass(frozen=True, slots=True)
class Threshold:
    """Limits of a pass; `max_abs` is relative to the reference's range (max - min), which is 2 for StarGAN."""

    cosine: float
    psnr_db: float
    max_abs: float

    def __str__(self) -> str:
        return f"cosine >= {self.cosine}, PSNR >= {self.psnr_db:g} dB, max abs <= {self.max_abs:g} of the range"


#: fp32 engines differ by the order of additions, about 1e-5 of the range on StarGAN, so 1e-3 leaves a factor of
#: 100 and still catches wrong maths. The others follow the mantissa: 10 bits (tf32, fp16), 7 (bf16), and int8's
#: 256 steps, each with the same sort of head-room for an accumulation over some twenty layers.
THRESHOLDS: dict[PrecisionName, Threshold] = {
    "fp32": Threshold(cosine=0.99999, psnr_db=70, max_abs=1e-3),
    "tf32": Threshold(cosine=0.9995, psnr_db=40, max_abs=5e-2),
    "fp16": Threshold(cosine=0.9995, psnr_db=40, max_abs=5e-2),
    "bf16": Threshold(cosine=0.995, psnr_db=30, max_abs=2e-1),
    "int8": Threshold(cosine=0.98, psnr_db=25, max_abs=4e-1),
}


def compare_outputs(
    reference: Mapping[str, NDArray[Any]], candidate: Mapping[str, NDArray[Any]], precision: PrecisionName
) -> list[OutputAccuracy]:
    """Compare every output of the reference with the candidate's of the same name, in float64.

    A missing output, another shape, or a value that is not finite fails with its reason; nothing raises.
    """
    return [_compare(name, array, candidate.get(name), precision) for name, array in reference.items()]


def _failed(name: str, threshold: Threshold, reason: str, nonfinite: int = 0) -> OutputAccuracy:
    return OutputAccuracy(
        output=name, passed=False, max_abs=None, mean_abs=None, cosine=None, psnr_db=None,
        nonfinite=nonfinite, threshold=str(threshold), reason=reason,
    )  # fmt: skip


def _compare(
    name: str, reference: NDArray[Any], candidate: NDArray[Any] | None, precision: PrecisionName
) -> OutputAccuracy:
    threshold = THRESHOLDS[precision]
    if candidate is None:
        return _failed(name, threshold, f"output {name!r} is missing")
    if candidate.shape != reference.shape:
        return _failed(name, threshold, f"shape {candidate.shape} instead of {reference.shape}")
    if not np.isfinite(reference).all():
        return _failed(name, threshold, "the reference itself is NaN or infinite, so nothing can be compared with it")
    a = reference.astype(np.float64).ravel()
    b = candidate.astype(np.float64).ravel()
    nonfinite = int(b.size - np.count_nonzero(np.isfinite(b)))
    if nonfinite:
        return _failed(name, threshold, f"{nonfinite} of {b.size} values are NaN or infinite", nonfinite)
    difference = np.abs(a - b)
    max_abs = float(difference.max(initial=0.0))
    mean_abs = float(difference.mean()) if difference.size else 0.0
    mean_square = float(np.mean(np.square(difference))) if difference.size else 0.0
    span = float(a.max() - a.min()) if a.size else 0.0
    # A constant reference has no range; its own magnitude is the next best yardstick.
    span = span or float(np.abs(a).max(initial=0.0)) or 1.0
    psnr = 20 * math.log10(span / math.sqrt(mean_square)) if mean_square else None
    cosine = _cosine(a, b)
    problems = []
    if cosine < threshold.cosine:
        problems.append(f"cosine {cosine:.6f} < {threshold.cosine}")
    if psnr is not None and psnr < threshold.psnr_db:
        problems.append(f"PSNR {psnr:.1f} dB < {threshold.psnr_db:g} dB")
    if max_abs > threshold.max_abs * span:
        problems.append(f"max abs {max_abs:.3g} > {threshold.max_abs * span:.3g}")
    return OutputAccuracy(
        output=name, passed=not problems, max_abs=max_abs, mean_abs=mean_abs, cosine=cosine, psnr_db=psnr,
        nonfinite=0, threshold=str(threshold), reason="; ".join(problems),
    )  # fmt: skip


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Cosine of the angle between two vectors; 1 when both are zero, 0 when only one is."""
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    if norms == 0:
        return 1.0 if not a.any() and not b.any() else 0.0
    # Rounding can carry the quotient a hair past 1.
    return max(-1.0, min(1.0, float(np.dot(a, b)) / norms))
