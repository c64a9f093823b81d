"""One simulated machine with NVIDIA cards, and doubles of the two Python modules that reach it.

`World` is the machine; its module says how a double of another library stands on it. What is computed is computed by
whoever launches a kernel, and how long it takes is set: nothing here says anything about a real card. The rules are
those of CUDA's documentation. Each breach is a violation: kept, and written to the journal at once.
"""

from __future__ import annotations

from tests.doubles.cuda.config import Config, Fault, read
from tests.doubles.cuda.errors import Breach, CudaFailure
from tests.doubles.cuda.memory import Range
from tests.doubles.cuda.world import World
from tests.doubles.simulated.described import write
from tests.doubles.simulated.journal import Entry, faults_found
from tests.doubles.simulated.journal import read as read_journal
from tests.doubles.simulated.timing import Timing, Virtual

__all__ = [
    "Breach",
    "Config",
    "CudaFailure",
    "Entry",
    "Fault",
    "Range",
    "Timing",
    "Virtual",
    "World",
    "faults_found",
    "read",
    "read_journal",
    "write",
]
