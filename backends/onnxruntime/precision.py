"""In what a session on a GPU will really compute; what has no way is refused."""

from __future__ import annotations

import os
from collections.abc import Mapping

from backends._cuda.tf32 import OVERRIDE, check_not_forced, override
from backends.base import BackendUnavailable, Model, ModelMismatch, Precision
from backends.onnxruntime.card import Card
from backends.onnxruntime.providers import Settings


def check(model: Model, asked: Precision, settings: Settings, card: Card) -> None:
    """Raises ModelMismatch where the file is of another precision, BackendUnavailable where the provider has no way."""
    native = model.precision
    if native in (Precision.FP16, Precision.BF16, Precision.INT8) and native is not asked:
        raise ModelMismatch(
            f"{model.name}'s .onnx file computes in {native} itself, so that it cannot run in {asked}; ask for"
            f" --precision {native}, or give the fp32 file."
        )
    if asked is Precision.INT8 and native is not asked:
        raise ModelMismatch(
            f"{model.name}'s .onnx file has no quantisation (Q/DQ nodes), and none is invented here; quantise it first"
            " (onnxruntime.quantization.quantize_static), and name that file with --model."
        )
    if asked is Precision.INT8 and not settings.tensorrt:
        raise BackendUnavailable(
            "ONNX Runtime's CUDA provider has no int8 convolutions: what lies between Q and DQ nodes it computes in"
            " fp32; use onnxruntime:provider=tensorrt, backend tensorrt, or --device cpu."
        )
    if asked is Precision.FP32:
        _check_without_tf32(settings, card)


def _check_without_tf32(settings: Settings, card: Card) -> None:
    """Raises BackendUnavailable where fp32 might be TF32."""
    if override() == "0" or card.has_tf32 is False:
        return
    if settings.tensorrt:
        raise BackendUnavailable(
            "ONNX Runtime has no option that keeps TensorRT from TF32, so this may not be fp32; ask for --precision"
            f" tf32, set {OVERRIDE}=0 before the start, or use backend tensorrt, which can."
        )
    check_not_forced(card.has_tf32)


def executed(asked: Precision, card: Card) -> Precision:
    """TF32 is fp32 on a card without it, and where the environment turns it off."""
    if asked is Precision.TF32 and (override() == "0" or card.has_tf32 is False):
        return Precision.FP32
    return asked


def told(asked: Precision, settings: Settings, card: Card) -> Mapping[str, str]:
    """What a reader must know of it, for `describe`."""
    facts = {"compute capability": f"{card.dotted}{f', by {card.told_by}' if card.told_by else ''}"}
    if OVERRIDE in os.environ:
        facts[OVERRIDE] = os.environ[OVERRIDE]
    if asked is Precision.TF32:
        if executed(asked, card) is Precision.FP32:
            why = "the card has none (compute capability below 8.0)" if card.has_tf32 is False else f"{OVERRIDE}=0"
            facts["tf32"] = f"allowed, and computed in fp32: {why}"
        elif card.has_tf32 is None:
            facts["tf32"] = "allowed; whether this card has it is not known"
    elif settings.tensorrt and asked in (Precision.FP16, Precision.INT8):
        others = ", fp16 not allowed for the rest" if asked is Precision.INT8 else ""
        facts[f"{asked} by"] = f"TensorRT's own choice layer by layer, TF32 allowed for the rest{others}"
    return facts
