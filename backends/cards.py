"""Catalogue of cards: how many chips a card carries. A card is what a user buys; a chip is what runs one batch.

Sources: chips a card from the vendor's server guide ("Inference Server (with Atlas 300I / 300I Duo Inference
Cards)") for Ascend; NVIDIA's T4 data sheet. A card that is not listed counts as one chip, as does the host CPU.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """A board: its name as reports print it, and its number of chips."""

    name: str
    chips: int


CATALOGUE: dict[str, Card] = {
    card.name: card
    for card in (
        Card("Atlas 300I", chips=4),  # models 3000 and 3010: four Ascend 310
        Card("Atlas 300I Pro", chips=1),  # one Ascend 310P
        Card("Atlas 300I Duo", chips=2),  # two Ascend 310P
        Card("Tesla T4", chips=1),
    )
}


def find(name: str) -> Card:
    """The catalogue's card of exactly that name, else a card of that name with one chip."""
    return CATALOGUE.get(name, Card(name, chips=1))
