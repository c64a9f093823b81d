"""One cache and one set of prepared inputs for all tests here: exporting and the baseline take seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.command import Bench
from tests.doubles import translators
from tests.shared import made_once


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory, stargan_home: Path) -> Bench:
    """The command with doubles that translate, and `prep` made from 3 images in batches of 2, baseline included."""
    with made_once(tmp_path_factory, "studio") as folder:
        bench = Bench(folder)
        bench.environment["XDG_CACHE_HOME"] = str(stargan_home)
        if not (folder / "prep").exists():
            translators.install(folder / "doubles")
            bench("prepare", "--bs", "2", "--limit", "3", "--out", "prep", "--pictures", "png")
    return bench


@pytest.fixture
def at(studio: Bench, tmp_path: Path) -> Bench:
    """The same, in a working folder of the test's own that holds a copy of `prep`."""
    bench = object.__new__(Bench)
    bench.folder, bench.model = tmp_path, studio.model
    # Locks of its own: a command of another test's, at work at the same time, is none of its business.
    bench.environment = studio.environment | {"BENCH_LOCK_DIR": f"{tmp_path}-locks"}
    shutil.copytree(studio.folder / "prep", tmp_path / "prep")
    return bench
