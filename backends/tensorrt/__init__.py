"""NVIDIA TensorRT 8.6, 10 and 11, and TensorRT for RTX by the same code.

Written against NVIDIA's documentation and the names in their Python modules; tested against doubles of each generation,
and the building half against TensorRT for RTX itself, which builds without a GPU.
"""

from __future__ import annotations

from backends.tensorrt.backend import TensorRTBackend, TensorRTRTXBackend

__all__ = ["TensorRTBackend", "TensorRTRTXBackend"]
