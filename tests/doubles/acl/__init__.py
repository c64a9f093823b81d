"""A test double of CANN's Python module `acl`: a machine with Ascend chips that holds its client to the rules.

`build` makes one such module, with all of its state its own; `load` the one of a worker process, described by the
file that BENCH_ACL_DOUBLE names; `install` lays down a backend that finds it. What it computes is computed by ONNX
Runtime, and how long it takes is set: nothing here says anything about a real chip.

The rules are those of CANN's documentation. Each breach is a violation: kept, and written to the journal at once.
"""

from __future__ import annotations

import atexit
import os
from functools import cache
from types import ModuleType
from typing import Any

from tests.doubles.acl import calls as _calls
from tests.doubles.acl.config import Config, Fault, read
from tests.doubles.acl.leaks import at_exit
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.om_file import write_om
from tests.doubles.acl.plugin import VARIABLE, install
from tests.doubles.acl.surface import FUNCTIONS, bound
from tests.doubles.simulated import described
from tests.doubles.simulated.described import write
from tests.doubles.simulated.journal import Entry, faults_found
from tests.doubles.simulated.journal import read as read_journal
from tests.doubles.simulated.timing import Timing, Virtual

__all__ = [
    "VARIABLE",
    "Config",
    "Entry",
    "Fault",
    "Machine",
    "Timing",
    "Virtual",
    "at_exit",
    "build",
    "faults_found",
    "install",
    "load",
    "read",
    "read_journal",
    "write",
    "write_om",
]

assert _calls


def build(config: Config | None = None, timing: Timing | None = None) -> Any:
    """A module like `acl`, with `rt`, `mdl` and `util`; its `state` is the Machine, which clients do not look at.

    Raises ValueError for a fault of a function that does not exist.
    """
    config = config or Config()
    machine = Machine(config, timing or Timing(), list(FUNCTIONS))
    without = {name.removeprefix("acl.") for name in config.without}
    unknown = sorted(without - {part for name in FUNCTIONS for part in (name, name.rpartition(".")[2])})
    if unknown:
        raise ValueError(f"no function {unknown[0]!r} to leave out")
    module: Any = ModuleType("acl", "Stands for CANN's acl.")
    for part in ("rt", "mdl", "util"):
        setattr(module, part, ModuleType(f"acl.{part}"))
    for name, function in FUNCTIONS.items():
        group, _, last = name.rpartition(".")
        if {name, last} & without or (function.only and config.api not in function.only):
            continue
        setattr(getattr(module, group) if group else module, last, bound(function, machine))
    module.state = machine
    return module


@cache
def load() -> Any:
    """The module of this process, as the file named by BENCH_ACL_DOUBLE describes it.

    What is still alive when the process ends is written to the journal. Raises RuntimeError without the variable.
    """
    module = build(read(described.of_process(VARIABLE, "acl")))
    module.state.journal.add("start")
    atexit.register(_at_exit, module.state)
    return module


def _at_exit(machine: Machine) -> None:
    # A child that was forked off ends too, with what belongs to its parent.
    if os.getpid() == machine.pid:
        at_exit(machine)
