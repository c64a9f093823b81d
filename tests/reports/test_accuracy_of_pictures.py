"""Pictures are judged image by image: the metrics, the totals, and that one wrong image never drowns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from reports.accuracy import THRESHOLDS, ImageAccuracy, PictureAccuracy, Threshold, compare_outputs
from reports.records import OutputAccuracy, PrecisionName

PRECISIONS: list[PrecisionName] = list(THRESHOLDS)
Pictures = np.ndarray[Any, np.dtype[np.float32]]


def made(count: int = 3, seed: int = 0, side: int = 24) -> Pictures:
    """Smooth pictures with some texture, in [-1, 1]."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    phases = generator.uniform(0, 6, (count, 3, 1, 1))
    waves = 0.6 * np.sin(5 * x + phases) * np.cos(3 * y) + 0.2 * generator.normal(size=(count, 3, side, side))
    return np.clip(waves, -1, 1).astype(np.float32)


def noisy(pictures: Pictures, deviation: float, seed: int = 1) -> Pictures:
    noise = np.random.default_rng(seed).normal(size=pictures.shape)
    return (pictures + deviation * noise).astype(np.float32)


def seen(reference: Pictures, candidate: Pictures) -> PictureAccuracy:
    accuracy = PictureAccuracy()
    accuracy.add(reference, candidate)
    return accuracy


def one(reference: Pictures, candidate: Pictures) -> ImageAccuracy:
    (image,) = seen(reference, candidate).images
    return image


def judged(reference: Pictures, candidate: Pictures, precision: PrecisionName = "fp32") -> OutputAccuracy:
    (verdict,) = compare_outputs({"y": reference}, {"y": candidate}, precision, frozenset({"y"}))
    return verdict


def test_ssim_is_scikit_images() -> None:
    reference = made()
    candidate = noisy(reference, 0.1)
    for image, ours, theirs in zip(seen(reference, candidate).images, reference, candidate, strict=True):
        expected = structural_similarity(
            ours.astype(np.float64), theirs.astype(np.float64), channel_axis=0, data_range=2.0
        )
        assert image.differences is not None
        assert image.differences.ssim == pytest.approx(expected, abs=1e-12)


def test_known_figures_of_a_shift_in_brightness() -> None:
    """Of constant pictures a and b, SSIM is (2ab + C1) / (a² + b² + C1) with C1 = (0.01·2)²: variances are zero."""
    a, b = 0.5, 0.25
    found = one(np.full((1, 3, 16, 16), a, np.float32), np.full((1, 3, 16, 16), b, np.float32)).differences
    assert found is not None
    assert found.ssim == pytest.approx((2 * a * b + 0.0004) / (a * a + b * b + 0.0004), abs=1e-9)
    assert found.psnr_db == pytest.approx(20 * math.log10(2 / 0.25), abs=1e-9)
    assert (found.max_abs, found.mean_abs, found.changed_pixels) == (0.25, 0.25, 1.0)
    assert found.cosine == pytest.approx(1.0)


@pytest.mark.parametrize(("step", "changed"), [(0.9, 0), (1.1, 1)])
def test_a_pixel_counts_as_changed_from_a_255th_of_the_range_on(step: float, changed: int) -> None:
    reference = np.zeros((1, 3, 16, 16), np.float32)
    candidate = reference.copy()
    candidate[0, 1, 3, 4] = step * 2 / 255
    candidate[0, 2, 3, 4] = -step * 2 / 255  # the same pixel
    found = one(reference, candidate).differences
    assert found is not None
    assert found.changed_pixels == changed / 256


def test_totals_are_those_of_all_values() -> None:
    reference = made(5)
    candidate = noisy(reference, 0.02)
    candidate[3] = noisy(reference, 0.2)[3]
    accuracy = PictureAccuracy()
    accuracy.add(reference[:2], candidate[:2])
    accuracy.add(reference[2:], candidate[2:])
    a, b = reference.astype(np.float64), candidate.astype(np.float64)
    totals, verdict = accuracy.totals(), accuracy.verdict("fp16")
    assert totals is not None
    assert totals.max_abs == np.abs(a - b).max()
    assert totals.mean_abs == pytest.approx(np.abs(a - b).mean())
    assert totals.psnr_db == pytest.approx(10 * math.log10(4 / np.square(a - b).mean()))
    assert totals.cosine == pytest.approx((a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum()))
    assert totals.changed_pixels == pytest.approx((np.abs(a - b).max(axis=1) > 2 / 255).mean())
    ssims = [image.differences.ssim for image in accuracy.images if image.differences and image.differences.ssim]
    assert (verdict.ssim, verdict.ssim_mean) == (min(ssims), pytest.approx(sum(ssims) / 5))
    assert (verdict.images, verdict.worst_image) == (5, 3)


deviations = st.floats(1e-4, 0.5)


@settings(max_examples=12)
@given(st.integers(0, 10**6), deviations)
def test_metrics_are_symmetric(seed: int, deviation: float) -> None:
    reference = made(1, seed, 12)
    candidate = noisy(reference, deviation, seed)
    there, back = one(reference, candidate).differences, one(candidate, reference).differences
    assert there is not None
    assert back is not None
    for name in ("max_abs", "mean_abs", "cosine", "psnr_db", "ssim", "changed_pixels"):
        assert getattr(there, name) == pytest.approx(getattr(back, name), rel=1e-9, abs=1e-12)


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_half_the_error_is_6_db_more_and_never_less_alike(seed: int, halvings: int) -> None:
    reference = np.round(made(1, seed, 12) * 256) / 256  # so that scaled errors are exact
    error = np.round(np.random.default_rng(seed).normal(size=reference.shape) * 64) / 256
    scale = 2.0**-halvings
    full, part = (one(reference, (reference + s * error).astype(np.float32)).differences for s in (1.0, scale))
    assert full is not None
    assert part is not None
    assert part.max_abs == full.max_abs * scale
    assert part.mean_abs == pytest.approx(full.mean_abs * scale)
    assert part.psnr_db == pytest.approx(full.psnr_db + 20 * math.log10(2) * halvings)
    assert part.ssim is not None
    assert full.ssim is not None
    assert part.ssim >= full.ssim


@settings(max_examples=12)
@given(st.integers(0, 10**6), st.sampled_from(PRECISIONS))
def test_identical_pictures_pass_as_equal_in_every_precision(seed: int, precision: PrecisionName) -> None:
    reference = made(2, seed, 12)
    verdict = judged(reference, reference.copy(), precision)
    assert verdict.passed
    assert (verdict.max_abs, verdict.psnr_db, verdict.ssim, verdict.changed_pixels) == (0.0, None, 1.0, 0.0)
    assert verdict.cosine == pytest.approx(1.0, abs=1e-12)
    found = one(reference[:1], reference[:1]).differences
    assert found is not None
    assert found.psnr_db == math.inf


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_pictures_of_one_colour_are_compared_too(value: float) -> None:
    flat = np.full((1, 3, 8, 8), value, np.float32)
    assert judged(flat, flat.copy()).passed
    assert not judged(flat, flat - 0.5, "int8").passed


def rolled(picture: Pictures) -> Pictures:
    return np.roll(picture, 3, axis=2)


def blurred(picture: Pictures) -> Pictures:
    return (picture + np.roll(picture, 1, axis=1) + np.roll(picture, 1, axis=2)) / 3


def patched(picture: Pictures) -> Pictures:
    out = picture.copy()
    out[:, 4:12, 4:12] = -out[:, 4:12, 4:12]
    return out


def channels_swapped(picture: Pictures) -> Pictures:
    return picture[::-1]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("damage", [rolled, blurred, patched, channels_swapped, np.zeros_like])
def test_one_wrong_image_of_many_is_found_and_named(
    damage: Callable[[Pictures], Pictures], precision: PrecisionName
) -> None:
    reference = made(60, side=16)
    candidate = reference.copy()
    candidate[41] = damage(reference[41])
    verdict = judged(reference, candidate, precision)
    assert not verdict.passed
    assert verdict.worst_image == 41
    assert verdict.reason.startswith("1 of 60 images is wrong: image 41 (")


@settings(max_examples=12)
@given(st.data())
def test_wherever_the_bad_image_is_it_is_the_only_one_named(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 30))
    place = data.draw(st.integers(0, count - 1))
    reference = made(count, side=8)
    candidate = noisy(reference, 1e-5)
    candidate[place, data.draw(st.integers(0, 2)), data.draw(st.integers(0, 7)), 3] += data.draw(
        st.floats(0.01, 10) | st.floats(-10, -0.01) | st.just(math.nan)
    )
    accuracy = seen(reference, candidate)
    assert [image.number for image in accuracy.wrong("fp32")] == [place]
    assert accuracy.worst("fp32", 1)[0].number == place
    assert f"image {place} (" in accuracy.verdict("fp32").reason


def test_the_worst_come_first_and_the_others_are_counted() -> None:
    reference = made(9)
    candidate = np.stack(
        [noisy(reference, deviation)[index] for index, deviation in enumerate([0, 0.2, 0.5, 0, 0.3, 0.1, 0.4, 0, 0])]
    )
    candidate[7, 0, 0, :2] = np.inf
    verdict = judged(reference, candidate, "bf16")
    assert verdict.reason.startswith(
        "6 of 9 images are wrong: image 7 (2 of 1728 values are NaN or infinite); image 2 ("
    )
    assert "; image 6 (" in verdict.reason
    assert verdict.reason.endswith(", and 3 more")
    assert [image.number for image in seen(reference, candidate).worst("bf16", 4)] == [7, 2, 6, 4]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_image_that_is_not_finite_is_wrong_counted_and_in_no_total(bad: float) -> None:
    reference = made(3)
    candidate = reference.copy()
    candidate[1, 2, 5, 5:9] = bad
    verdict = judged(reference, candidate, "int8")
    assert (verdict.passed, verdict.nonfinite, verdict.worst_image, verdict.images) == (False, 4, 1, 3)
    assert verdict.reason == "1 of 3 images is wrong: image 1 (4 of 1728 values are NaN or infinite)"
    assert (verdict.max_abs, verdict.ssim) == (0.0, 1.0), "of the two others"
    nothing = judged(reference, np.full_like(reference, bad))
    assert not nothing.passed
    assert nothing.nonfinite == reference.size
    assert {nothing.max_abs, nothing.psnr_db, nothing.ssim, nothing.ssim_mean, nothing.changed_pixels} == {None}


def test_values_beyond_float32_are_no_numbers_for_a_picture() -> None:
    reference = made(1).astype(np.float64)
    candidate = reference.copy()
    candidate[0, 0, 0, 0] = 1e300
    assert "1 of 1728 values are NaN or infinite" in judged(reference, candidate).reason  # type: ignore[arg-type]
    candidate[0, 0, 0, 0] = 3e38
    assert "PSNR" in judged(reference, candidate).reason  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_with_a_broken_reference_nothing_is_compared(bad: float) -> None:
    reference = made(3)
    reference[2, 0, 0, 0] = bad
    for candidate in (made(3), reference):
        verdict = judged(reference, candidate)
        assert not verdict.passed
        assert verdict.reason == (
            "the reference itself is NaN or infinite in image 2, so nothing can be compared with it"
        )


def test_missing_outputs_other_shapes_and_no_images_fail_with_their_reason() -> None:
    reference = made(2)
    assert "missing" in compare_outputs({"y": reference}, {}, "fp32", {"y"})[0].reason
    assert "shape (1, 3, 24, 24) instead of" in judged(reference, reference[:1]).reason
    assert judged(reference[:0], reference[:0]).reason == "there are no images"
    assert not judged(reference[:0], reference[:0]).passed


@pytest.mark.parametrize("shape", [(2, 24, 24), (2, 1, 24, 24), (2, 3, 24, 6)])
def test_what_is_no_picture_is_not_taken_for_one(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match="no pictures"):
        PictureAccuracy().add(array, array)
    with pytest.raises(ValueError, match="against"):
        PictureAccuracy().add(array, array[:1])


def test_other_outputs_are_compared_as_a_whole() -> None:
    reference = made(1)
    (whole,) = compare_outputs({"y": reference}, {"y": noisy(reference, 1e-6)}, "fp32")
    assert whole.passed
    assert (whole.images, whole.ssim) == (None, None)


def test_parts_that_were_seen_apart_add_up() -> None:
    reference = made(6)
    candidate = noisy(reference, 0.01)
    candidate[4, 0, 0, 0] = np.nan
    together = seen(reference, candidate)
    apart = PictureAccuracy()
    for start in (0, 3):
        part = PictureAccuracy()
        part.add(reference[start : start + 3], candidate[start : start + 3], first=start)
        apart.extend(part)
    assert apart.images == together.images
    assert apart.verdict("bf16") == together.verdict("bf16")
    assert apart.verdict("bf16", name=lambda number: f"pair {number}").reason.startswith(
        "1 of 6 images is wrong: pair 4"
    )


def test_float16_outputs_are_compared_by_their_values() -> None:
    reference = made(2)
    (verdict,) = compare_outputs({"y": reference}, {"y": reference.astype(np.float16)}, "fp16", {"y"})
    assert verdict.passed
    assert verdict.max_abs is not None
    assert 0 < verdict.max_abs < 1e-3


def test_coarser_precisions_never_have_stricter_limits() -> None:
    for finer, coarser in itertools.pairwise(THRESHOLDS[name] for name in ("fp32", "tf32", "fp16", "bf16", "int8")):
        assert finer.cosine >= coarser.cosine
        assert finer.psnr_db >= coarser.psnr_db
        assert finer.ssim >= coarser.ssim
        assert finer.max_abs <= coarser.max_abs


def test_a_figure_that_is_no_number_is_a_problem() -> None:
    found = seen(made(1), noisy(made(1), 0.01)).totals()
    assert found is not None
    limits = Threshold(cosine=math.nan, psnr_db=math.nan, max_abs=math.nan, ssim=math.nan)
    assert len(limits.problems(found)) == 4
