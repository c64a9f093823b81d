"""What the simulated machine is, and what goes wrong on it: JSON, so that worker processes can be told too."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.doubles.simulated import described, faults

GIB = 2**30

#: What a fault does. `code`: the call does nothing and fails with `code`. `later`: the call succeeds and the work that
#: it put on its stream fails with `code`, which the next synchronise of that stream says. `nan`: a kernel succeeds, all
#: bytes that it writes are 0xFF, which is NaN in every floating format. `hang`: the call never returns. `exit`: the
#: process dies by SIGSEGV. `sleep:SECONDS`: the call takes that much longer, or the kernel that it launches.
EFFECTS = ("code", "later", "nan", "hang", "exit", "sleep:")
#: Calls that put work on a stream, the only ones that can fail later.
ASYNCHRONOUS = ("launch", "cudaMemcpyAsync", "cudaGraphLaunch")


class Fault(faults.Fault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    Calls have their names in the CUDA runtime whichever module the client uses: `cudaMalloc` is pycuda's mem_alloc too.
    `launch` is a kernel of another library's.
    """

    code: int = 999
    effect: str = "code"

    effects = EFFECTS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.effect == "nan" and self.call != "launch":
            raise ValueError(f"effect 'nan' is for launch, not for {self.call}")
        if self.effect == "later" and self.call not in ASYNCHRONOUS:
            raise ValueError(f"effect 'later' is for {', '.join(ASYNCHRONOUS)}, not for {self.call}")
        if self.effect in ("code", "later") and self.code == 0:
            raise ValueError(f"the fault of {self.call} has code 0, which is success")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The machine: by default one Tesla T4 with a driver for CUDA 13.0, whose copies take no simulated time."""

    device_name: str = "Tesla T4"
    devices: int = 1
    #: Compute capability, major and minor.
    capability: tuple[int, int] = (7, 5)
    memory_bytes: int = 16 * GIB
    #: The newest CUDA that the driver knows, 13000 for 13.0; 0: no driver is installed.
    driver_version: int = 13000
    #: CUDA of the module like cuda.bindings.runtime; needs a driver of this major version or newer.
    runtime_version: int = 13000
    #: Device time of each copy, either way.
    copy_ms: float = 0.0
    #: Host time of each launch, of a kernel or a graph.
    launch_us: float = 0.0
    faults: tuple[Fault, ...] = ()
    #: Where violations, leaks, remarks and the summary of each process go, as JSON lines; empty: nowhere.
    journal: str = ""


def read(path: Path) -> Config:
    """The configuration in a JSON file. Raises ValueError naming the file and the field."""
    return described.read(path, Config)
