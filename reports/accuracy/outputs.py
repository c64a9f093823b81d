"""The outputs of one inference against the reference's: pictures image by image, anything else as a whole."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.accuracy.images import PictureAccuracy
from reports.accuracy.metrics import Sums
from reports.accuracy.thresholds import THRESHOLDS
from reports.records import OutputAccuracy, PrecisionName


def compare_outputs(
    reference: Mapping[str, NDArray[Any]],
    candidate: Mapping[str, NDArray[Any]],
    precision: PrecisionName,
    pictures: Collection[str] = frozenset(),
) -> list[OutputAccuracy]:
    """Compare every output of the reference with the candidate's of the same name, in float64.

    Outputs named in `pictures` are (n, 3, h, w) in [-1, 1] (ValueError for other references) and judged by image.
    A missing output, another shape, or a value that is not finite fails with its reason; nothing else raises.
    """
    return [
        _compare(name, array, candidate.get(name), precision, name in pictures) for name, array in reference.items()
    ]


def _compare(
    name: str, reference: NDArray[Any], candidate: NDArray[Any] | None, precision: PrecisionName, pictures: bool
) -> OutputAccuracy:
    if candidate is None:
        return _failed(name, precision, pictures, f"output {name!r} is missing")
    if candidate.shape != reference.shape:
        return _failed(name, precision, pictures, f"shape {candidate.shape} instead of {reference.shape}")
    if pictures:
        seen = PictureAccuracy()
        seen.add(reference, candidate)
        return seen.verdict(precision, name)
    if not np.isfinite(reference).all():
        reason = "the reference itself is NaN or infinite, so nothing can be compared with it"
        return _failed(name, precision, pictures, reason)
    nonfinite = int(candidate.size - np.count_nonzero(np.isfinite(candidate)))
    if nonfinite:
        reason = f"{nonfinite} of {candidate.size} values are NaN or infinite"
        return _failed(name, precision, pictures, reason, nonfinite)
    return _whole(name, reference.astype(np.float64), candidate.astype(np.float64), precision)


def _whole(
    name: str, reference: NDArray[np.float64], candidate: NDArray[np.float64], precision: PrecisionName
) -> OutputAccuracy:
    span = float(reference.max() - reference.min()) if reference.size else 0.0
    # A constant reference has no range; its own magnitude is the next best yardstick.
    span = span or float(np.abs(reference).max(initial=0.0)) or 1.0
    found = Sums.of(reference, candidate).differences(span)
    problems = THRESHOLDS[precision].problems(found)
    return OutputAccuracy(
        output=name, passed=not problems, max_abs=found.max_abs, mean_abs=found.mean_abs, cosine=found.cosine,
        psnr_db=found.psnr_db if math.isfinite(found.psnr_db) else None,
        nonfinite=0, threshold=str(THRESHOLDS[precision]), reason="; ".join(problems),
    )  # fmt: skip


def _failed(name: str, precision: PrecisionName, pictures: bool, reason: str, nonfinite: int = 0) -> OutputAccuracy:
    threshold = THRESHOLDS[precision]
    return OutputAccuracy(
        output=name, passed=False, max_abs=None, mean_abs=None, cosine=None, psnr_db=None, nonfinite=nonfinite,
        threshold=threshold.of_pictures() if pictures else str(threshold), reason=reason,
    )  # fmt: skip
