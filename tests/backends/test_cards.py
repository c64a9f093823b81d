"""The catalogue of cards: what people call them, and that its figures fit together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import Precision
from backends.cards import CATALOGUE, Card, find, has_tf32, resolve

CARDS = list(CATALOGUE.values())
by_name = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("T4", "Tesla T4"),
        ("nvidia t4", "Tesla T4"),
        ("Tesla T4", "Tesla T4"),
        ("Ascend 310", "Atlas 300I"),
        ("ascend310", "Atlas 300I"),
        ("310", "Atlas 300I"),
        ("300I", "Atlas 300I"),
        ("Atlas 300I (3010)", "Atlas 300I"),
        ("Atlas 300I-3010", "Atlas 300I"),
        ("Huawei Atlas 300I inference card (model 3010)", "Atlas 300I"),
        ("Atlas 300I 推理卡（型号 3010）", "Atlas 300I"),
        ("300i pro", "Atlas 300I Pro"),
        ("Atlas 300I DUO", "Atlas 300I Duo"),
        ("A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"),
        ("A100 80GB PCIe", "NVIDIA A100 80GB PCIe"),
        ("A10", "NVIDIA A10"),
        ("H100 SXM5", "NVIDIA H100 80GB HBM3"),
        ("RTX 4090", "NVIDIA GeForce RTX 4090"),
        ("V100-SXM2-32GB", "Tesla V100-SXM2-32GB"),
        ("RTX A6000", "NVIDIA RTX A6000"),
    ],
)
def test_cards_are_found_by_the_names_that_people_write(text: str, name: str) -> None:
    card = resolve(text)
    assert card is not None
    assert card.name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NVIDIA",
        "card",
        "T40",
        "A100",
        "a100 80gb",
        "V100",
        "V100 PCIe",
        "H100",
        "310P",
        "Ascend310P3",
        "TU104",
        "3090 Ti",
        "CPU",
    ],
)
def test_unknown_and_unclear_names_stay_unresolved(text: str) -> None:
    assert resolve(text) is None


@by_name
def test_a_cards_own_name_means_that_card(card: Card) -> None:
    assert find(card.name) is card
    assert resolve(card.name) is card
    assert resolve(f" {card.name.lower()} ") is card


@by_name
def test_other_names_mean_the_card_or_none_where_they_are_of_several(card: Card) -> None:
    for name in card.also:
        sharing = [other for other in CARDS if name in other.also]
        assert resolve(name.upper()) is (card if len(sharing) == 1 else None), name


@given(st.text())
def test_any_text_is_a_card_of_the_catalogue_or_none(text: str) -> None:
    card = resolve(text)
    assert card is None or CATALOGUE[card.name] is card


def test_a_card_that_is_not_listed_has_one_chip_and_no_limits() -> None:
    card = find("Some CPU")
    assert (card.name, card.chips, dict(card.peak_flops), card.bandwidth) == ("Some CPU", 1, {}, None)
    assert find("t4").chips == 1, "only exact names are found; resolve reads others"


def test_known_answers() -> None:
    t4, duo, atlas = find("Tesla T4"), find("Atlas 300I Duo"), find("Atlas 300I")
    assert t4.peak_flops == {"fp32": 8.1e12, "fp16": 65e12, "int8": 130e12}
    assert (t4.chips, t4.bandwidth, t4.chip) == (1, 320e9, "TU104")
    assert (atlas.chips, atlas.chip, atlas.peak_flops["int8"] / atlas.chips) == (4, "Ascend310", 22e12)
    assert (duo.chips, duo.chip) == (2, "Ascend310P3")
    assert duo.peak_flops == {name: 2 * rate for name, rate in find("Atlas 300I Pro").peak_flops.items()}
    assert find("NVIDIA H100 80GB HBM3").peak_flops["fp16"] == 989.5e12, "dense, not with sparsity"


@by_name
def test_figures_have_a_source_and_plausible_sizes(card: Card) -> None:
    assert card.source
    assert card.chip
    assert set(card.peak_flops) <= {precision.value for precision in Precision}
    assert all(1e12 < rate < 1e16 for rate in card.peak_flops.values())
    assert card.bandwidth is not None
    assert 1e10 < card.bandwidth < 1e13  # a developer board has one channel of LPDDR
    order = [card.peak_flops[name] for name in ("fp32", "tf32", "bf16", "fp16", "int8") if name in card.peak_flops]
    assert order == sorted(order), "fewer bits are never slower"


def test_tf32_came_with_ampere() -> None:
    assert has_tf32(find("Tesla T4")) is False
    assert has_tf32(find("Atlas 300I")) is False
    assert has_tf32(find("Some CPU")) is None
    assert all(has_tf32(card) for card in CARDS if card.name.startswith("NVIDIA"))


def test_cards_can_be_kept_in_sets() -> None:
    assert len({find(name) for name in CATALOGUE}) == len(CATALOGUE)
