"""The child process: one task from standard input, events as JSON lines on the file descriptor named in argv.

A crash, an abort or a hang of a vendor's runtime ends here and costs one cell. Whatever runtimes print goes to this
process's stdout and stderr, which the parent keeps for its error messages.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import msgspec

from backends import registry
from backends.base import BackendError, Device
from bench.cell import run_cell
from bench.errors import UsageError
from bench.lane import run_lane
from bench.messages import (
    Advanced,
    Diagnosed,
    DiagnoseTask,
    Event,
    Failed,
    LaneTask,
    Measured,
    MeasureTask,
    NoiseTask,
    Phase,
    Prepared,
    PrepareTask,
    Progress,
    Ran,
    Ready,
    Result,
    Task,
    Translated,
    TranslateTask,
)
from bench.noise import invocation
from bench.translation.work import translate
from bench.workloads import load as load_workload
from bench.workloads.base import CACHE_VERSION, CONVERTED
from datasets.errors import DatasetError
from reports.statistics import Interval

#: Progress is told at most this often, so that neither process spends time on it.
_PROGRESS_EVERY_S = 1.0
_MESSAGE_LIMIT = 600


class _Channel:
    """Writes events to the parent."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._encoder = msgspec.json.Encoder()
        self._last_progress = 0.0

    def send(self, event: Event) -> None:
        line = self._encoder.encode(event) + b"\n"
        while line:
            line = line[self._file.write(line) :]

    def phase(self, name: str) -> None:
        self.send(Phase(name))

    def progress(self, phase: str, samples: int, latency_ns: float, median: Interval | None) -> None:
        if phase == "turn":
            self.send(Progress(phase, samples, latency_ns, None))
            self.send(Ready())
            sys.stdin.buffer.readline()
            return
        now = time.monotonic()
        if now - self._last_progress >= _PROGRESS_EVERY_S:
            self._last_progress = now
            self.send(Progress(phase, samples, latency_ns, median.relative_half_width if median else None))


def main() -> int:
    """Run one task; the exit status is 0 whenever a last event was sent."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    channel = _Channel(int(sys.argv[1]))
    try:
        line = sys.stdin.buffer.readline()
        channel.send(_run(msgspec.json.decode(line, type=Task), channel))
    except (BackendError, UsageError, DatasetError) as error:
        channel.send(Failed(_one_line(str(error)), expected=True))
    except Exception as error:  # the last frame before the process boundary: the parent reports it
        traceback.print_exc()
        channel.send(Failed(_one_line(f"{type(error).__name__}: {error}"), expected=False))
    return 0


def _run(task: Task, channel: _Channel) -> Result:
    match task:
        case PrepareTask():
            channel.phase("prepare")
            workload = load_workload(task.workload.name)
            cache = Path(task.cache) / CACHE_VERSION
            materials = workload.materialise(task.workload, task.batches, cache, channel.phase)
            return Prepared(msgspec.structs.replace(materials, cache=str(cache / CONVERTED)))
        case MeasureTask():
            return Measured(run_cell(task, channel.phase, channel.progress))
        case DiagnoseTask():
            channel.phase("diagnose")
            return Diagnosed(registry.load(task.backend).diagnose(Device.parse(task.device)))
        case TranslateTask():
            return Translated(translate(task, channel.phase, lambda done, total: channel.send(Advanced(done, total))))
        case LaneTask():

            def line_up() -> int:
                channel.phase("line up")
                channel.send(Ready())
                begin = int(sys.stdin.buffer.readline())
                channel.phase("measure")
                return begin

            stamps, remarks = run_lane(task, channel.phase, line_up)
        case NoiseTask():
            channel.phase("measure")
            stamps, remarks = invocation(task.samples), []
    return Ran(stamps.starts[: stamps.count], stamps.ends[: stamps.count], remarks)


def _one_line(text: str) -> str:
    """An error message as reports can hold it; some runtimes put whole graphs into theirs."""
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_LIMIT else f"{line[:_MESSAGE_LIMIT]} … ({len(line)} characters)"


def _die_with_parent() -> None:
    """On Linux, have the kernel kill this process when its parent dies, so that no orphan keeps a device busy."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
