"""Tests on a real NVIDIA GPU: `pytest -m cuda`.

Every test of this folder has the marker `cuda`. Without a GPU they are skipped; where they were asked for by name, that
is a failure. They share one card, so that one runs at a time, however many processes pytest has.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cuda.present import why_no_gpu

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what lies here; put one failure in the place of everything where no GPU can answer what was asked."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.cuda)
    if _asked(config) and (reason := why_no_gpu()):
        items[:] = [NoGpu.from_parent(session, name="an NVIDIA GPU", reason=reason)]


def _asked(config: pytest.Config) -> bool:
    """Whether `-m` selects the tests of this folder by name."""
    return re.search(r"(?<!not )\bcuda\b", config.getoption("markexpr") or "") is not None


class NoGpu(pytest.Item):
    """Fails with one line."""

    def __init__(self, reason: str, **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]
        self._reason = reason
        self.add_marker(pytest.mark.cuda)

    def runtest(self) -> None:
        pytest.fail(f"-m cuda needs an NVIDIA GPU: {self._reason}. Nothing was tested.", pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        return _HERE, None, self.name


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Asked here, and not where the files are imported: a run without a GPU then lists what it did not test."""
    if reason := why_no_gpu():
        pytest.skip(reason)


@pytest.fixture(autouse=True)
def _alone_on_the_card(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A full card, or a kernel of another test's, would be this one's failure."""
    place = tmp_path_factory.getbasetemp()
    shared = place.parent if "PYTEST_XDIST_WORKER" in os.environ else place
    with (shared / "gpu.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
