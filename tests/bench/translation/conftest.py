"""One cache and one set of prepared inputs for all tests here: exporting and the baseline take seconds."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from tests.command import Bench
from tests.doubles import translators


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The command with doubles that translate, and `prep` made from 3 images in batches of 2, baseline included.

    It takes half a minute, so the processes that share the tests share it, too: the first to come makes it.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each process has a folder of its own in there
    with (folder / "studio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = (folder / "studio" / "prep").exists()
        (folder / "studio").mkdir(exist_ok=True)
        bench = Bench(folder / "studio")
        if not made:
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
