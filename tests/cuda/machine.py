"""The GPU that the tests of this folder are run on."""

from __future__ import annotations

from typing import Any

import pytest

from backends import nvidia
from backends.base import DeviceInfo


def gpu() -> DeviceInfo:
    """The first GPU, as CUDA numbers them."""
    return nvidia.nvidia_devices()[0]


def pytorch() -> Any:
    """torch, where it can use the GPU; skips the test where it cannot."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip(f"torch {torch.__version__} sees no CUDA device: it is built without CUDA, or for a newer driver")
    return torch
