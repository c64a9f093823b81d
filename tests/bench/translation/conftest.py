"""One cache and one set of prepared inputs for all tests here: exporting and the baseline take seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.command import Bench
from tests.doubles import translators


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The command with doubles that translate, and `prep` made from 3 images in batches of 2, baseline included."""
    bench = Bench(tmp_path_factory.mktemp("studio"))
    translators.install(bench.folder / "doubles")
    bench("prepare", "--bs", "2", "--limit", "3", "--out", "prep", "--pictures", "png")
    return bench


@pytest.fixture
def at(studio: Bench, tmp_path: Path) -> Bench:
    """The same, in a working folder of the test's own that holds a copy of `prep`."""
    bench = object.__new__(Bench)
    bench.folder, bench.model, bench.environment = tmp_path, studio.model, studio.environment
    shutil.copytree(studio.folder / "prep", tmp_path / "prep")
    return bench
