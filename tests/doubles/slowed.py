"""A third-party backend whose calls really take longer: ONNX Runtime's, each drawn out by a share of its own time.

`BENCH_SLOWED_BY=0.1` makes every inference 10 % longer, on the clock of the machine, whatever the machine is doing:
a regression of known size for whoever checks the check.
"""

from __future__ import annotations

from pathlib import Path

_CODE = '''
import os, time
from backends.base import *
from backends.onnxruntime import OnnxRuntimeBackend

VARIABLE = "BENCH_SLOWED_BY"


class Slowed(OnnxRuntimeBackend):
    name = "slowed"
    title = "ONNX Runtime, slowed on purpose"
    simulated = True

    def open(self, artifact, device, options):
        return _Slowed(super().open(artifact, device, options), float(os.environ.get(VARIABLE, "0")))


class _Slowed(Session):
    """Hands everything on, and after an inference waits, busy, for a share of the time that it took."""

    def __init__(self, session, share):
        self._inner, self._share, self._began = session, share, 0
        for name in ("inputs", "outputs", "precision", "device", "fallback"):
            setattr(self, name, getattr(session, name))

    def _copy_inputs(self, feeds):
        self._inner.copy_inputs(feeds)

    def enqueue(self):
        self._began = time.perf_counter_ns()
        self._inner.enqueue()

    def synchronize(self):
        self._inner.synchronize()
        now = time.perf_counter_ns()
        until = now + (now - self._began) * self._share
        while time.perf_counter_ns() < until:
            pass

    def copy_outputs(self):
        return self._inner.copy_outputs()

    def describe(self):
        return {**self._inner.describe(), "slowed by": f"{self._share:.0%}"}

    def _close(self):
        self._inner.close()
'''


def install(folder: Path) -> Path:
    """Lay the double down in `folder`; put it on PYTHONPATH to have it found."""
    (folder / "bench_slowed.py").write_text(_CODE)
    info = folder / "bench_slowed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-slowed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bench.backends]\nslowed = bench_slowed:Slowed\n")
    return folder
