"""What an engine's own account of its layers says of the precision that it computes in.

The account (IEngineInspector, for engines built with detailed verbosity) names a type for every tensor between layers:
"Half", "Float", "Int8", or in older versions a sentence such as "Row major linear FP16 format".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from backends.base import Precision
from backends.tensorrt.precision import GIVEN, TF32_ALLOWED

_TYPES = (
    (re.compile(r"\b(?:BF16|BFloat16)\b", re.IGNORECASE), "bf16"),
    (re.compile(r"\b(?:FP16|Half)\b", re.IGNORECASE), "fp16"),
    (re.compile(r"\b(?:FP32|Float)\b", re.IGNORECASE), "fp32"),
    (re.compile(r"\bInt8\b", re.IGNORECASE), "int8"),
    (re.compile(r"\b(?:FP8|E4M3)\b", re.IGNORECASE), "fp8"),
)


def output_types(account: str) -> Counter[str]:
    """How many layers give each type; empty where the account does not tell."""
    try:
        layers = json.loads(account)["Layers"]
    except (ValueError, KeyError, TypeError):
        return Counter()
    found: Counter[str] = Counter()
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict):  # else only a name
            found.update(_types_of(layer))
    return found


def executed(asked: Precision, types: Counter[str], settings: Mapping[str, str]) -> Precision:
    """The precision that a session states, by an artifact's settings.

    An engine that was built for fp16 or int8 may turn out to have no such layer. One of the user's own may be of any
    kind. Whether fp32 is TF32 no account tells: only what the engine was built with.
    """
    reduced = [kind for kind in (Precision.INT8, Precision.FP16, Precision.BF16) if types[kind.value]]
    if not types or asked in reduced:
        return asked
    if asked in (Precision.FP32, Precision.TF32):
        return reduced[0] if reduced and settings.get("engine") == GIVEN else asked
    if reduced:
        return reduced[0]
    return Precision.TF32 if TF32_ALLOWED in settings.get("precision route", "") else Precision.FP32


def _types_of(layer: dict[str, Any]) -> set[str]:
    """Types of a layer's outputs, each once."""
    outputs = layer.get("Outputs")
    found = set()
    for tensor in outputs if isinstance(outputs, list) else ():
        text = str(tensor.get("Format/Datatype") or tensor.get("Datatype") or "") if isinstance(tensor, dict) else ""
        kind = next((name for pattern, name in _TYPES if pattern.search(text)), "")
        found |= {kind} if kind else set()
    return found
