"""What the simulated machine is, and what goes wrong on it: a JSON file, so that worker processes can be told too."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from tests.doubles.simulated import described, faults

GIB = 2**30

#: What a fault does. `code`: the call does nothing and returns `code`. `nan`: the execution succeeds, all its floating
#: outputs are NaN. `hang`: the call never returns. `exit`: the process dies by SIGSEGV. `sleep:SECONDS`: the call, or
#: the execution that it starts, takes that much longer.
EFFECTS = ("code", "nan", "hang", "exit", "sleep:")


class Fault(faults.Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    `call` is named as in the module, `rt.malloc` or `init`; with `chip`, only calls made for that chip are counted.
    """

    code: int = 500000
    message: str = "the fault that was asked for"
    chip: int | None = None
    effect: str = "code"

    effects = EFFECTS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.effect == "nan" and self.call not in ("mdl.execute", "mdl.execute_async"):
            raise ValueError(f"effect 'nan' is for executions, not for {self.call}")
        if self.effect == "code" and self.code == 0:
            raise ValueError(f"the fault of {self.call} has code 0, which is success")

    def concerns(self, device: int | None) -> bool:
        return self.chip in (None, device)


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The machine: by default an Atlas 300I, whose executions and copies take no simulated time."""

    #: Name as `get_soc_name` says it; an .om for another name is refused.
    soc: str = "Ascend310"
    chips: int = 4
    memory_bytes: int = 8 * GIB
    #: One execution of batch n takes `base_ms` + n * `image_ms`; each copy, either way, `copy_ms`.
    base_ms: float = 0.0
    image_ms: float = 0.0
    copy_ms: float = 0.0
    #: `old`: CANN 5, only numpy_to_ptr and ptr_to_numpy. `new`: only bytes_to_ptr and ptr_to_bytes. `both`: in between.
    api: Literal["old", "new", "both"] = "both"
    #: Functions that this version lacks besides: `rt.synchronize_stream_with_timeout` or `get_recent_err_msg`.
    without: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    #: Where violations, leaks, remarks and the summary of each process go; empty: nowhere.
    journal: str = ""
    #: 1: a card in a server, the only one that the rules of this double are about.
    run_mode: int = 1
    #: Which code an .om for another SoC gives is not established for a 310; 145000 and 545001 are as plausible.
    foreign_soc_code: int = 507008
    #: What get_output_dims says of a model with dynamic batch: the largest gear (as a published log of an official
    #: sample shows), or -1 for the batch.
    dynamic_output_dims: Literal["largest", "unknown"] = "largest"
    #: Bytes of the input ascend_mbatch_shape_data: 8 (int64) in official logs, 4 (int32) seen by one client.
    shape_data_bytes: Literal[4, 8] = 8
    #: Current pyACL holds Python's lock while mdl.execute runs, and lets go of it in the synchronise calls.
    execute_holds_lock: bool = False


def read(path: Path) -> Config:
    """The configuration in a JSON file. Raises ValueError naming the file and the field."""
    return described.read(path, Config)
