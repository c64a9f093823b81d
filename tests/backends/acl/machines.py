"""A simulated machine in this process, the backend on it, and a small model as .om files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.acl import AclBackend
from backends.acl.library import Library
from backends.acl.runtime import runtime_of
from backends.base import Device, OptionValue, Precision
from tests.backends import simulated
from tests.backends.tiny import tiny_model
from tests.doubles.acl import Config, Virtual, at_exit, build, write_om

GEARS = (1, 4, 8)


def compiled(folder: Path, **changes: Any) -> Path:
    """A folder with tiny_bs1.om, tiny_bs4.om, tiny_bs8.om and tiny_dyn1-4-8.om."""
    onnx = tiny_model(folder, 1).onnx
    assert onnx is not None
    place = folder / "oms"
    place.mkdir(exist_ok=True)
    for batch in GEARS:
        write_om(place / f"tiny_bs{batch}.om", onnx, [batch], **changes)
    write_om(place / f"tiny_dyn{'-'.join(map(str, GEARS))}.om", onnx, GEARS, **changes)
    return place


@dataclass
class Simulated(simulated.Simulated):
    """A machine on virtual time, and the backend that runs on it."""

    DEVICE = Device("npu")
    PRECISION = Precision.FP16

    config: Config

    def __post_init__(self) -> None:
        self.time = Virtual()
        self.module = build(self.config, self.time)
        module = self.module

        class OnDouble(AclBackend):
            name = "simulated-acl"
            simulated = True

            def _missing(self) -> str:
                return ""

            def _library(self) -> Any:
                return module

        self.backend = OnDouble()

    def options(self, **given: OptionValue) -> dict[str, OptionValue]:
        return super().options() | {"soc": self.config.soc} | given

    def faults(self) -> list[str]:
        """Every rule that was broken, and everything that was never released, once the process has ended."""
        runtime_of(Library(self.module))._finalise()
        at_exit(self.module.state)
        state = self.module.state
        return [str(entry) for entry in (*state.violations, *state.leaks)]


@contextmanager
def machine(**settings: Any) -> Iterator[Simulated]:
    """A machine that is looked over at the end: no rule broken, nothing left behind."""
    made = Simulated(Config(**settings))
    yield made
    assert made.faults() == []
