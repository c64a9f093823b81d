"""Which Python, and which of our own files, a process runs with: this one's, or those of one side of a check."""

from __future__ import annotations

import os
import shutil
import site
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bench.errors import UsageError

#: Without it Python puts the working folder first, and a checkout there would hide the one that was asked for.
_SAFE_PATH = "-P"


@dataclass(frozen=True)
class Interpreter:
    """How to start a Python: its command, and environment variables in addition to this process's own."""

    command: tuple[str, ...] = (sys.executable,)
    environment: Mapping[str, str] = field(default_factory=dict)
    #: where our own files must come from; None: from wherever that Python finds them
    checkout: Path | None = None

    def variables(self) -> dict[str, str]:
        """The whole environment; devices are numbered as the probe did, unless the user has an order of their own."""
        return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **os.environ, **self.environment}

    @classmethod
    def of(cls, python: str | None, checkout: Path | None, environment: Mapping[str, str]) -> Self:
        """With that interpreter, the harness in that folder, and those variables; each by default as it is here.

        Raises UsageError for an interpreter or a checkout that is not there.
        """
        command = shutil.which(python or sys.executable)
        if command is None:
            raise UsageError(f"{python} is no program; name the Python of one side, such as venv/bin/python.")
        if checkout is not None and not (checkout / "bench" / "__main__.py").is_file():
            raise UsageError(f"{checkout} is no checkout of this project: it has no bench/__main__.py; name another.")
        checkout = checkout and checkout.resolve()
        paths = [str(checkout)] if checkout else own_path()
        if before := {**os.environ, **environment}.get("PYTHONPATH"):
            paths.append(before)
        return cls((command, _SAFE_PATH), {**environment, "PYTHONPATH": os.pathsep.join(paths)}, checkout)


def own_root() -> Path:
    """The folder that this process's own files lie in."""
    return Path(__file__).resolve().parents[1]


def own_path() -> list[str]:
    """What another interpreter needs on its path to find these files; nothing where they are installed.

    A whole folder of installed packages must not hide those of the other interpreter, which has to have its own.
    """
    root = own_root()
    installed = {Path(folder).resolve() for folder in [*site.getsitepackages(), site.getusersitepackages()]}
    return [] if root in installed else [str(root)]
