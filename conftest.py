"""Fixed seeds, hypothesis without deadlines, and `pytest --bench-backend NAME`: the conformance kit for one backend.

Hypothesis has no deadlines because on a shared machine a test must not fail for being slow.
"""

from __future__ import annotations

import gc
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from backends import registry
from backends.base import BackendUnavailable, Device
from backends.conformance import Check, ConformanceError, checks, tiny_case

settings.register_profile("bench", deadline=None, derandomize=True)
settings.load_profile("bench")


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    """Whatever a test draws from the global generators is the same in every run."""
    random.seed(0)
    np.random.seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bench", "conformance kit, instead of the tests")
    group.addoption("--bench-backend", metavar="NAME[:KEY=VALUE,...]", help="hold this backend to the conformance kit")
    group.addoption("--bench-device", metavar="DEVICE", help="on this device (default: the first that it finds)")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The kit times a device, so it runs alone and in one process, whatever -n says for the tests.

    So do the tests of a real GPU, which share one card.
    """
    if config.getoption("--bench-backend") or config.option.markexpr == "cuda":
        config.option.numprocesses = None
        config.option.dist = "no"


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """With --bench-backend, no test file is even imported."""
    return True if config.getoption("--bench-backend") else None


def pytest_collection_finish() -> None:
    """All that was imported stays: the collector, which runs before every measurement, need not look through it."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --bench-backend, put the kit in the place of the tests. Raises UsageError if it cannot run here."""
    if not config.getoption("--bench-backend"):
        if config.getoption("--bench-device"):
            raise pytest.UsageError("--bench-device is for the conformance kit; name a --bench-backend too.")
        return
    try:
        name, found = _checks(config)
    except (ValueError, BackendUnavailable) as error:
        raise pytest.UsageError(str(error)) from None
    items[:] = Kit.from_parent(session, name=name, nodeid=name, checks=found).collect()


def _checks(config: pytest.Config) -> tuple[str, list[Check]]:
    """`NAME on DEVICE` and the kit's checks. Raises ValueError and BackendUnavailable with one line."""
    name, _, given = config.getoption("--bench-backend").partition(":")
    backend = registry.load(name)
    settings = dict(pair.partition("=")[::2] for pair in given.split(",") if pair)
    complete = registry.parse_options(backend, settings)
    availability = registry.probe(backend)
    if not availability.usable:
        raise BackendUnavailable(f"backend {backend.name!r} cannot be used here: {availability.reason}")
    devices = [info.device for info in availability.devices]
    asked = config.getoption("--bench-device")
    device = Device.parse(asked) if asked else devices[0]
    if device not in devices:
        raise ValueError(f"backend {backend.name!r} has no device {device}; it has {', '.join(map(str, devices))}.")
    folder = tempfile.TemporaryDirectory(prefix="bench-conformance-")
    config.add_cleanup(folder.cleanup)
    case = tiny_case(Path(folder.name), device)
    return f"{backend.name} on {device}", checks(backend, case, device, {key: complete[key] for key in settings})


class Kit(pytest.Collector):
    """The kit for one backend on one device."""

    def __init__(self, checks: list[Check], **rest: Any) -> None:
        super().__init__(**rest)
        self._checks = checks

    def collect(self) -> list[pytest.Item]:
        return [KitItem.from_parent(self, name=check.name, check=check) for check in self._checks]


class KitItem(pytest.Item):
    """One check of the kit."""

    def __init__(self, check: Check, **rest: Any) -> None:
        super().__init__(**rest)
        self._check = check

    def runtest(self) -> None:
        result = self._check.result()
        if not result.passed:
            raise ConformanceError(result.message)
        if result.message:
            self.warn(pytest.PytestWarning(result.message))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """The one line of the fault; where it was noticed inside the kit helps nobody."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.nodeid
