"""The accuracy verdict on known differences."""

from __future__ import annotations

import numpy as np
import pytest

from reports.accuracy import THRESHOLDS, compare_outputs

REFERENCE = {"y": np.tanh(np.random.default_rng(3).normal(size=(2, 3, 16, 16))).astype(np.float32)}


def test_equal_outputs_pass_with_no_finite_psnr() -> None:
    (verdict,) = compare_outputs(REFERENCE, {"y": REFERENCE["y"].copy()}, "fp32")
    assert verdict.passed
    assert (verdict.max_abs, verdict.psnr_db) == (0.0, None)


def test_known_psnr_and_cosine() -> None:
    reference = {"y": np.array([-1.0, 1.0], np.float32)}
    (verdict,) = compare_outputs(reference, {"y": np.array([-0.9, 0.9], np.float32)}, "int8")
    assert verdict.psnr_db == pytest.approx(20 * np.log10(2 / 0.1), abs=1e-4)
    assert verdict.cosine == pytest.approx(1.0)
    assert verdict.max_abs == pytest.approx(0.1)


@pytest.mark.parametrize("precision", list(THRESHOLDS))
def test_an_error_above_the_threshold_fails_and_one_below_passes(precision: str) -> None:
    limit = THRESHOLDS[precision].max_abs  # type: ignore[index]
    span = float(REFERENCE["y"].max() - REFERENCE["y"].min())
    for factor, passed in ((0.9, True), (1.1, False)):
        candidate = REFERENCE["y"].copy()
        candidate[0, 0, 0, 0] += factor * limit * span
        reference = {"y": np.repeat(REFERENCE["y"], 40, axis=0)}  # one pixel of many, so that only max abs matters
        wide = reference["y"].copy()
        wide[0] = candidate[0]
        (verdict,) = compare_outputs(reference, {"y": wide}, precision)  # type: ignore[arg-type]
        if passed:
            assert not verdict.reason.count("max abs")
        else:
            assert "max abs" in verdict.reason
            assert not verdict.passed


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_wrong_not_a_crash(bad: float) -> None:
    candidate = REFERENCE["y"].copy()
    candidate[0, 0, 0, :2] = bad
    (verdict,) = compare_outputs(REFERENCE, {"y": candidate}, "fp32")
    assert not verdict.passed
    assert verdict.nonfinite == 2
    assert "2 of 1536 values" in verdict.reason


def test_missing_output_and_other_shape_are_wrong() -> None:
    assert "missing" in compare_outputs(REFERENCE, {}, "fp32")[0].reason
    assert "shape" in compare_outputs(REFERENCE, {"y": REFERENCE["y"][:1]}, "fp32")[0].reason


def test_zeros_instead_of_a_picture_are_wrong_in_every_precision() -> None:
    for precision in THRESHOLDS:
        assert not compare_outputs(REFERENCE, {"y": np.zeros_like(REFERENCE["y"])}, precision)[0].passed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_reference_that_is_not_finite_passes_nobody(bad: float) -> None:
    reference = {"y": np.array([1.0, bad], np.float32)}
    for candidate in (np.zeros(2, np.float32), reference["y"]):
        assert not compare_outputs(reference, {"y": candidate}, "fp32")[0].passed
