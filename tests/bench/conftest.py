"""The command, ready to run, and StarGAN's files, which take seconds to make, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plan import WorkloadSpec
from bench.workloads import load
from bench.workloads.base import CACHE_VERSION
from tests.command import Bench
from tests.shared import made_once


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="session")
def stargan_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of caches (XDG_CACHE_HOME) with StarGAN's generator from its seed in it: exported, and its references."""
    pytest.importorskip("torch")
    with made_once(tmp_path_factory, "stargan-home") as home:
        for batches in () if any(home.iterdir()) else ([1], [2]):
            load("stargan").materialise(WorkloadSpec(name="stargan"), batches, _cache(home), lambda what: None)
    return home


@pytest.fixture(scope="session")
def stargan_cache(stargan_home: Path) -> Path:
    """The folder in `stargan_home` that workloads are given."""
    return _cache(stargan_home)


def _cache(home: Path) -> Path:
    return home / "bench" / CACHE_VERSION
