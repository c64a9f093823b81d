"""Catalogue of cards: chips, names and rated limits. A card is what a user buys; a chip is what runs one batch.

Chips a card are from the vendor's server guides ("Inference Server (with Atlas 300I / 300I Duo Inference Cards)") for
Ascend. Rates are what vendors state for dense numbers; where a data sheet gives only the rate with sparsity, half of
it. Where sources differ the higher figure stands: a limit must not be one that an honest measurement can pass.
A card that is not listed counts as one chip, as does the host CPU, and has no limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Words that people write or leave out beside the name of a card.
_FILLERS = re.compile(r"\b(nvidia|huawei|tesla|geforce|inference|card|model|gpu|tensor core)\b")


@dataclass(frozen=True, slots=True)
class Card:
    """A board: its name as its driver or vendor spells it and reports print it, and what it can do at most.

    NVIDIA cards bear the names that their driver tells, so that a card that was found is found here.
    """

    name: str
    chips: int
    #: exact name: the SoC that atc compiles for, or the GPU
    chip: str = ""
    #: other names that people write for it; one that several cards bear names none of them
    also: tuple[str, ...] = ()
    #: precision -> FLOP/s (int8: OP/s) of the whole card; absent where it has none or the vendor states none
    peak_flops: Mapping[str, float] = field(default_factory=dict, hash=False)
    #: bytes/s of the whole card
    bandwidth: float | None = None
    #: where the rates come from, in words
    source: str = ""


def _tera(**rates: float) -> dict[str, float]:
    """Rates by precision from TFLOP/s (int8: TOP/s)."""
    return {precision: rate * 1e12 for precision, rate in rates.items()}


def _ampere(name: str, *also: str, bandwidth: float) -> Card:
    """An A100: all four compute alike, and differ in memory."""
    return Card(
        name, chips=1, chip="GA100", also=("A100", *also), bandwidth=bandwidth,
        peak_flops=_tera(fp32=19.5, tf32=156, fp16=312, bf16=312, int8=624),
        source="NVIDIA A100 data sheet, figures without sparsity",
    )  # fmt: skip


def _volta(name: str, *also: str, fp32: float, fp16: float) -> Card:
    """A V100: its two forms run at different clocks; the size of its memory changes nothing here."""
    return Card(
        name, chips=1, chip="GV100", also=("V100", *also), bandwidth=900e9, peak_flops=_tera(fp32=fp32, fp16=fp16),
        source="NVIDIA V100 data sheet (no rate for int8, which its tensor cores do not have)",
    )  # fmt: skip


def _hopper(name: str, *also: str, bandwidth: float, source: str) -> Card:
    """A Hopper module (SXM): H100 and H200 compute alike."""
    return Card(
        name, chips=1, chip="GH100", also=also, bandwidth=bandwidth,
        peak_flops=_tera(fp32=67, tf32=989 / 2, fp16=1979 / 2, bf16=1979 / 2, int8=3958 / 2),
        source=f"{source}; tf32, fp16, bf16 and int8 are half of what it states with sparsity",
    )  # fmt: skip


#: Of several cards, so that it names none of them.
_CHIP_310P = ("Ascend 310P3", "Ascend 310P", "310P3", "310P")

_ASCEND = (
    Card(
        "Atlas 300I", chips=4, chip="Ascend310",  # models 3000 (Arm) and 3010 (x86)
        also=(
            "Ascend 310", "310", "300I", "Atlas 300I-3000", "Atlas 300I-3010", "300I-3000", "300I-3010",
            "Atlas 300-3000", "Atlas 300-3010", "A300-3000", "A300-3010", "A300I-3000", "A300I-3010",
        ),
        peak_flops=_tera(fp16=44, int8=88), bandwidth=204.8e9,
        source="Huawei, Atlas 300I user guide (EDOC1100079295), Performance: 88 TOPS in int8, 22 a chip, and half of"
        " that in fp16 (older data sheets: 64 and 32, chips at a lower clock); bandwidth from the data sheet of the"
        " Atlas 800 (3000), 1638.4 GB/s with eight cards",
    ),
    Card(
        "Atlas 300I Pro", chips=1, chip="Ascend310P3", also=("300I Pro", *_CHIP_310P),
        peak_flops=_tera(fp16=70, int8=140), bandwidth=204.8e9,
        source="Huawei, product page of the Atlas 300I Pro",
    ),
    Card(
        "Atlas 300I Duo", chips=2, chip="Ascend310P3", also=("300I Duo", *_CHIP_310P),
        peak_flops=_tera(fp16=140, int8=280), bandwidth=408e9,
        source="Huawei, product page of the Atlas 300I Duo",
    ),
    Card(
        "Atlas 200I DK A2", chips=1, chip="Ascend310B4", also=("200I DK A2", "Ascend 310B4", "310B4"),
        peak_flops=_tera(fp16=4, int8=8), bandwidth=25.6e9,
        source="Huawei, Atlas 200I DK A2 product description, basic specifications (LPDDR4X, 3200 Mbit/s, 64 bit)",
    ),
)  # fmt: skip

_NVIDIA = (
    Card(
        "Tesla T4", chips=1, chip="TU104", also=("T4",), peak_flops=_tera(fp32=8.1, fp16=65, int8=130),
        bandwidth=320e9,
        source="NVIDIA T4 data sheet; bandwidth from its product brief (up to 320 GB/s; the data sheet rounds to 300)",
    ),
    _volta("Tesla V100-PCIE-16GB", "V100 PCIe 16GB", "V100 PCIe", fp32=14, fp16=112),
    _volta("Tesla V100-PCIE-32GB", "V100 PCIe 32GB", "V100 PCIe", fp32=14, fp16=112),
    _volta("Tesla V100-SXM2-16GB", "V100 SXM 16GB", "V100 SXM2", fp32=15.7, fp16=125),
    _volta("Tesla V100-SXM2-32GB", "V100 SXM 32GB", "V100 SXM2", fp32=15.7, fp16=125),
    Card(
        "NVIDIA A2", chips=1, chip="GA107", also=("A2",), bandwidth=200e9,
        peak_flops=_tera(fp32=4.5, tf32=9, fp16=18, bf16=18, int8=36),
        source="NVIDIA A2 data sheet, figures without sparsity",
    ),
    Card(
        "NVIDIA A10", chips=1, chip="GA102", also=("A10",), bandwidth=600e9,
        peak_flops=_tera(fp32=31.2, tf32=62.5, fp16=125, bf16=125, int8=250),
        source="NVIDIA A10 data sheet, figures without sparsity",
    ),
    Card(
        "NVIDIA A30", chips=1, chip="GA100", also=("A30",), bandwidth=933e9,
        peak_flops=_tera(fp32=10.3, tf32=82, fp16=165, bf16=165, int8=330),
        source="NVIDIA A30 data sheet, figures without sparsity",
    ),
    Card(
        "NVIDIA A40", chips=1, chip="GA102", also=("A40",), bandwidth=696e9,
        peak_flops=_tera(fp32=37.4, tf32=74.8, fp16=149.7, bf16=149.7, int8=299.3),
        source="NVIDIA A40 data sheet, figures without sparsity",
    ),
    Card(
        "NVIDIA RTX A6000", chips=1, chip="GA102", also=("A6000",), bandwidth=768e9,
        peak_flops=_tera(fp32=38.7, tf32=77.4, fp16=154.8, bf16=154.8, int8=309.7),
        source="NVIDIA Ampere GA102 whitepaper, RTX A6000, figures without sparsity",
    ),
    _ampere("NVIDIA A100-PCIE-40GB", "A100 PCIe 40GB", "A100 40GB PCIe", "A100 40GB", bandwidth=1555e9),
    _ampere("NVIDIA A100-SXM4-40GB", "A100 SXM 40GB", "A100 40GB SXM", "A100 40GB SXM4", "A100 40GB", bandwidth=1555e9),
    _ampere("NVIDIA A100 80GB PCIe", "A100 PCIe 80GB", "A100 80GB", bandwidth=1935e9),
    _ampere("NVIDIA A100-SXM4-80GB", "A100 SXM 80GB", "A100 80GB SXM", "A100 80GB SXM4", "A100 80GB", bandwidth=2039e9),
    Card(
        "NVIDIA GeForce RTX 3090", chips=1, chip="GA102", also=("RTX 3090", "3090"), bandwidth=936e9,
        peak_flops=_tera(fp32=35.6, tf32=35.6, fp16=142, bf16=71, int8=284),
        source="NVIDIA Ampere GA102 whitepaper, appendix A, figures without sparsity (fp16 with fp16 accumulation)",
    ),
    Card(
        "NVIDIA GeForce RTX 4090", chips=1, chip="AD102", also=("RTX 4090", "4090"), bandwidth=1008e9,
        peak_flops=_tera(fp32=82.6, tf32=82.6, fp16=330.3, bf16=165.2, int8=660.6),
        source="NVIDIA Ada whitepaper, appendix A, figures without sparsity (fp16 with fp16 accumulation)",
    ),
    Card(
        "NVIDIA GeForce RTX 5090", chips=1, chip="GB202", also=("RTX 5090", "5090"), bandwidth=1792e9,
        peak_flops=_tera(fp32=104.8, tf32=104.8, fp16=838 / 2, bf16=419 / 2, int8=838),
        source="NVIDIA RTX Blackwell GPU architecture whitepaper, appendix A (fp16 with fp16 accumulation); fp16 and"
        " bf16 are half of what it states with sparsity",
    ),
    Card(
        "NVIDIA L4", chips=1, chip="AD104", also=("L4",), bandwidth=300e9,
        peak_flops=_tera(fp32=30.3, tf32=120 / 2, fp16=242 / 2, bf16=242 / 2, int8=485 / 2),
        source="NVIDIA L4 data sheet; all but fp32 are half of what it states with sparsity",
    ),
    Card(
        "NVIDIA L40S", chips=1, chip="AD102", also=("L40S",), bandwidth=864e9,
        peak_flops=_tera(fp32=91.6, tf32=183, fp16=362, bf16=362, int8=733),
        source="NVIDIA L40S data sheet, figures without sparsity",
    ),
    Card(
        "NVIDIA H100 PCIe", chips=1, chip="GH100", also=("H100", "H100 80GB PCIe", "H100 PCIe 80GB"), bandwidth=2000e9,
        peak_flops=_tera(fp32=51, tf32=756 / 2, fp16=1513 / 2, bf16=1513 / 2, int8=3026 / 2),
        source="NVIDIA H100 data sheet; tf32, fp16, bf16 and int8 are half of what it states with sparsity",
    ),
    _hopper(
        "NVIDIA H100 80GB HBM3", "H100", "H100 SXM", "H100 SXM5", "H100 80GB SXM", bandwidth=3350e9,
        source="NVIDIA H100 data sheet",
    ),
    _hopper("NVIDIA H200", "H200", "H200 SXM", "H200 141GB", bandwidth=4800e9, source="NVIDIA H200 data sheet"),
)  # fmt: skip

CATALOGUE: dict[str, Card] = {card.name: card for card in (*_ASCEND, *_NVIDIA)}


def find(name: str) -> Card:
    """The catalogue's card of exactly that name, else a card of that name with one chip and no limits."""
    return CATALOGUE.get(name, Card(name, chips=1))


def resolve(text: str) -> Card | None:
    """The card that is meant by `T4`, `Ascend 310` or `Atlas 300I (3010)`; None for an unknown or unclear name."""
    wanted = _plain(text)
    found = [card for card in CATALOGUE.values() if wanted in map(_plain, (card.name, *card.also))]
    return found[0] if len(found) == 1 else None


def has_tf32(card: Card) -> bool | None:
    """Whether its fp32 may silently be TF32; None for a card that is not in the catalogue.

    Every card here that has TF32 has a stated rate for it.
    """
    return "tf32" in card.peak_flops if card.peak_flops else None


def _plain(text: str) -> str:
    """Letters and figures alone, in lower case, without words that tell no card from another."""
    return re.sub(r"[^a-z0-9]", "", _FILLERS.sub(" ", text.lower()))
