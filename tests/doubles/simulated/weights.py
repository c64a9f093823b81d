"""Weights of an .onnx file in reduced precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper


def round_weights(model: Any, rounded: Callable[[Any], Any]) -> None:
    """Replace each fp32 weight by what `rounded` makes of it."""
    for initializer in model.graph.initializer:
        if initializer.data_type == TensorProto.FLOAT:
            array = rounded(numpy_helper.to_array(initializer))
            initializer.CopyFrom(numpy_helper.from_array(array, initializer.name))


def to_half(array: Any) -> Any:
    """What fp16 can hold, its largest number for what is larger; fp32 again."""
    limit = np.finfo(np.float16).max
    return np.clip(array, -limit, limit).astype(np.float16).astype(np.float32)


def to_tf32(array: Any) -> Any:
    """What TF32 can hold: ten bits of mantissa."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
