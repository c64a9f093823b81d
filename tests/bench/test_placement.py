"""Which chips a throughput measurement takes."""

from __future__ import annotations

import pytest

from backends import cards
from backends.base import BackendUnavailable, Capabilities, Device, DeviceInfo, Precision
from bench.placement import ALL_CHIPS, lanes_for

CAPABLE = Capabilities(precisions=frozenset({Precision.FP16}))


def chips(boards: int, known: bool = True) -> list[DeviceInfo]:
    """Atlas 300I cards of four chips each, numbered through."""
    return [
        DeviceInfo(Device("npu", index), "Atlas 300I", board=f"npu:{index // 4 * 4}" if known else "")
        for index in range(4 * boards)
    ]


def taken(found: list[DeviceInfo], first: int, wanted: int) -> list[str]:
    card = cards.find("Atlas 300I")
    return [lane.device for lane in lanes_for(found[first], found, CAPABLE, card, wanted, 1)]


def test_a_card_is_never_half_of_one_and_half_of_another() -> None:
    found = chips(2)
    assert taken(found, 4, ALL_CHIPS) == ["npu:4", "npu:5", "npu:6", "npu:7"]
    assert taken(found, 2, 2) == ["npu:2", "npu:3"]
    with pytest.raises(BackendUnavailable, match=r"4 chips .* from npu:2 on, 2 were found; .*--device npu:0\."):
        taken(found, 2, ALL_CHIPS)
    with pytest.raises(BackendUnavailable, match=r"from npu:7 on, 1 were found; .*--device npu:4\."):
        taken(found, 7, 2)


def test_more_chips_than_one_card_has_come_from_several() -> None:
    assert len(taken(chips(2), 0, 8)) == 8


def test_where_the_cards_are_not_told_apart_the_numbers_decide() -> None:
    assert taken(chips(2, known=False), 2, ALL_CHIPS) == ["npu:2", "npu:3", "npu:4", "npu:5"]
