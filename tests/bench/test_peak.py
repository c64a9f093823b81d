"""A figure that its card cannot reach is flagged when it is measured, and stays out of ratios."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bench import cell as cells
from bench.workloads.flops import stargan_flop_per_image
from reports import flags
from reports.records import CellRecord
from tests.reports.samples import cell


def judged(card: str, fps: float, flop_per_image: float | None) -> CellRecord:
    made = cell("tensorrt", 1, 1000 / fps)
    assert made.flags is not None
    identity = replace(made.identity, card=card)
    held = cells._held_to_the_peak(made.flags, identity, fps, flop_per_image)
    return replace(made, identity=identity, flags=held)


@pytest.mark.parametrize(("fps", "possible"), [(237.0, True), (406.0, True), (407.0, False), (800.0, False)])
def test_a_t4_does_at_most_406_images_of_stargan_in_fp32(fps: float, possible: bool) -> None:
    found = judged("Tesla T4", fps, stargan_flop_per_image())  # 8.1 TFLOP/s over 19.92 GFLOP are 406.6
    assert found.flags is not None
    assert found.flags.within_peak is possible
    assert flags.comparable(found) is possible
    assert bool(found.flags.peak_reason) is not possible


def test_the_words_name_the_card_the_rate_and_what_it_may_be() -> None:
    (words,) = flags.in_words(judged("Tesla T4", 800.0, stargan_flop_per_image()))
    assert words.startswith("it is 197 % of Tesla T4's 8.1 TFLOP/s in fp32, which it cannot do: a measuring error,")


@pytest.mark.parametrize(("card", "flop"), [("Tesla T4", None), ("AMD EPYC", 19.92e9)])
def test_without_a_peak_or_the_arithmetic_nothing_is_said(card: str, flop: float | None) -> None:
    found = judged(card, 1e6, flop)
    assert found.flags is not None
    assert found.flags.within_peak is None
    assert flags.comparable(found)
