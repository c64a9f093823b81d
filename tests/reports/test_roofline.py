"""Shares of a card's peak: known answers, and nothing where something is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.roofline import CardLimits, impossible, in_words, rate, share_of_peak

#: StarGAN's generator.
FLOP = 19_920_846_848.0
T4 = CardLimits(peak_flops={"fp32": 8.1e12, "fp16": 65e12, "int8": 130e12}, bandwidth=320e9, sources=("data sheet",))


@pytest.mark.parametrize(
    ("fps", "precision", "share", "words"),
    [
        (235.98, "fp32", 0.580, "58 % of Tesla T4's 8.1 TFLOP/s in fp32"),
        (187.135, "fp32", 0.460, "46 % of Tesla T4's 8.1 TFLOP/s in fp32"),
        (187.135, "fp16", 0.0574, "5.7 % of Tesla T4's 65 TFLOP/s in fp16"),
        (1000.0, "int8", 0.153, "15 % of Tesla T4's 130 TOP/s in int8"),
        (406.6, "fp32", 1.000, "100 % of Tesla T4's 8.1 TFLOP/s in fp32"),
    ],
)
def test_published_t4_figures(fps: float, precision: str, share: float, words: str) -> None:
    found = share_of_peak(fps, FLOP, T4, precision)
    assert found == pytest.approx(share, rel=2e-3)
    assert not impossible(found)
    assert in_words(found, "Tesla T4", T4, precision) == words


def test_more_than_the_card_can_do_is_said_to_be_wrong() -> None:
    share = share_of_peak(3263.0, FLOP, T4, "fp32")  # the fp16 limit, taken for fp32
    assert impossible(share)
    told = in_words(share, "Tesla T4", T4, "fp32")
    assert told.startswith("802 % of Tesla T4's 8.1 TFLOP/s in fp32, which it cannot do: a measuring error,")
    assert "Winograd" in told


@pytest.mark.parametrize(
    ("fps", "flop", "precision"),
    [(9.0, FLOP, "tf32"), (9.0, FLOP, "unknown"), (9.0, None, "fp32"), (None, FLOP, "fp32"), (0.0, FLOP, "fp32")],
)
def test_what_is_not_known_has_no_share(fps: float | None, flop: float | None, precision: str) -> None:
    share = share_of_peak(fps, flop, T4, precision)
    assert share is None
    assert not impossible(share)
    assert in_words(share, "Tesla T4", T4, precision) == ""


def test_a_card_without_a_stated_peak_has_no_share() -> None:
    limits = CardLimits(peak_flops={})
    assert share_of_peak(100.0, FLOP, limits, "fp32") is None
    assert in_words(0.5, "Some CPU", limits, "fp32") == rate(limits, "fp32") == ""


@given(st.floats(1e-3, 1e6), st.floats(1e3, 1e13), st.floats(1e9, 1e16))
def test_a_figure_is_impossible_exactly_from_the_peak_on(fps: float, flop: float, peak: float) -> None:
    limits = CardLimits(peak_flops={"fp16": peak})
    share = share_of_peak(fps, flop, limits, "fp16")
    assert share == pytest.approx(fps * flop / peak)
    assert impossible(share) == (fps * flop > peak)
    assert in_words(share, "a card", limits, "fp16").partition(" %")[0].replace(".", "").replace("e-", "").isdigit()
