"""How near a figure comes to what its card could do at most: FPS times the arithmetic of an image, over the peak rate.

The arithmetic is that of direct convolutions and matrix products (see `bench.workloads.flops`), the peak what the
vendor states for dense numbers. Only what a precision really executed in counts: an fp16 engine is held to fp16's peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: These count whole numbers, so their rates are OP/s.
_INTEGER = frozenset({"int8"})


@dataclass(frozen=True, slots=True)
class CardLimits:
    """What a whole card can do at most, as its vendor states it."""

    #: precision -> floating-point (int8: integer) operations a second; only what the vendor states
    peak_flops: Mapping[str, float]
    #: bytes a second of the card's own memory
    bandwidth: float | None = None
    #: where these figures come from, in words
    sources: tuple[str, ...] = ()


def share_of_peak(
    fps_per_card: float | None, flop_per_image: float | None, limits: CardLimits, precision: str
) -> float | None:
    """The part of the card's peak rate in the executed precision that the figure used: 0.58 for 58 %.

    None where the figure, the model's arithmetic, the precision or the peak is not known.
    """
    peak = limits.peak_flops.get(precision)
    if not peak or not fps_per_card or not flop_per_image:
        return None
    return fps_per_card * flop_per_image / peak


def impossible(share: float | None) -> bool:
    """Whether that is more than the card can do, so that the figure, or what it was compared with, is wrong."""
    return share is not None and share > 1


def rate(limits: CardLimits, precision: str) -> str:
    """The card's peak in that precision in words, such as `8.1 TFLOP/s in fp32`; empty where it is not known."""
    peak = limits.peak_flops.get(precision)
    if not peak:
        return ""
    return f"{peak / 1e12:.4g} {'TOP/s' if precision in _INTEGER else 'TFLOP/s'} in {precision}"


def in_words(share: float | None, card: str, limits: CardLimits, precision: str) -> str:
    """A share as a sentence's part, such as `58 % of Tesla T4's 8.1 TFLOP/s in fp32`; empty where it is not known."""
    peak = rate(limits, precision)
    if share is None or not peak:
        return ""
    percent = f"{100 * share:.2g}" if share < 0.995 else f"{100 * share:.0f}"
    text = f"{percent} % of {card}'s {peak}"
    if impossible(share):
        text += (
            ", which it cannot do: a measuring error, another card or precision than named, or an engine that computes"
            " convolutions with fewer multiplications than counted (Winograd)"
        )
    return text
