"""Fixed seeds, and hypothesis without deadlines: on a shared machine a test must not fail for being slow."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("bench", deadline=None, derandomize=True)
settings.load_profile("bench")


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    """Whatever a test draws from the global generators is the same in every run."""
    random.seed(0)
    np.random.seed(0)
