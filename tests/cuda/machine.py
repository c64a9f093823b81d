"""The GPU that the tests of this folder are run on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from backends import host
from backends.base import DeviceInfo


def gpu() -> DeviceInfo:
    """The first GPU, as CUDA numbers them."""
    return host.nvidia_devices()[0]


def same_address(one: str, other: str) -> bool:
    """Whether two spellings are of one PCI address: NVML has a longer domain, and either has either case."""
    return _plain(one) == _plain(other)


def _plain(address: str) -> tuple[int, ...]:
    return tuple(int(part, 16) for part in re.split(r"[:.]", address))


def pytorch() -> Any:
    """torch, where it can use the GPU; skips the test where it cannot."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if not torch.cuda.is_available():
        pytest.skip(f"torch {torch.__version__} sees no CUDA device: it is built without CUDA, or for a newer driver")
    return torch
