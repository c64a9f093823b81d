"""ONNX Runtime with I/O binding: on the CPU, on CUDA, and with TensorRT inside; a session that fell back is an error.

Only the double was used for what needs a GPU: no part of that was run on hardware.
"""

from __future__ import annotations

from backends.onnxruntime.backend import OnnxRuntimeBackend

__all__ = ["OnnxRuntimeBackend"]
