"""A machine with a small model on chip 0, ready to run, for tests that then break one rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.doubles import acl as double
from tests.doubles.careful_acl_client import Session
from tests.doubles.onnx_files import tiny_convnet

#: batch of the model
BATCH = 2


def machine(clock: double.Virtual | None = None, **config: Any) -> Any:
    """The module, initialised, in virtual time."""
    acl = double.build(double.Config(**config), clock or double.Virtual())
    assert acl.init() == 0
    return acl


def model_file(folder: Path, batches: tuple[int, ...] = (BATCH,), **options: Any) -> Path:
    """An .om of relu(conv(x)), exact."""
    source = tiny_convnet(folder / "tiny.onnx")
    return double.write_om(folder / "tiny.om", source, batches, **{"precision": "fp32", **options})


def session(
    folder: Path, clock: double.Virtual | None = None, batches: tuple[int, ...] = (BATCH,), **config: Any
) -> Session:
    """A careful client's session, with inputs on the chip; executions take 20 ms."""
    acl = machine(clock, **{"base_ms": 20, "api": "old", **config})
    opened = Session(acl, model_file(folder, batches), batch=BATCH if len(batches) > 1 else None)
    opened.feed({"x": images()})
    return opened


def images(seed: int = 0, batch: int = BATCH) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(batch, 3, 8, 8)).astype(np.float32)


def rules(acl: Any) -> list[str]:
    """Names of the rules that were broken, in order."""
    return [entry.rule for entry in acl.state.violations]


def leaks(acl: Any) -> list[str]:
    """Kinds of things that were never released."""
    return sorted(entry.rule for entry in acl.state.leaks)


def finish(opened: Session) -> None:
    """Release all; nothing more may be found."""
    before = len(opened.acl.state.journal.entries)
    opened.close()
    assert opened.acl.finalize() == 0
    assert double.faults_found(opened.acl.state.journal.entries[before:]) == []
