"""One worker process: start it, listen to it, limit it, and say in one line how it ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import msgspec

from bench.worker import Event, Failed, Measured, Phase, Prepared, Progress, Task

#: Seconds without any event after which a worker counts as hung. Building and loading may take a compiler's time;
#: a measuring worker speaks after every block.
SILENCE_LIMIT_S = 900.0
_TAIL_LINES = 8
_TAIL_BYTES = 8192

_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Phase | Progress | Measured | Prepared | Failed)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a worker ended: its last event, or why there is none. `phase` is the last one it entered."""

    result: Measured | Prepared | None
    phase: str = ""
    message: str = ""
    expected: bool = False
    output_tail: tuple[str, ...] = ()


def run_worker(task: Task, on_event: Callable[[Event], None], silence_limit_s: float = SILENCE_LIMIT_S) -> Outcome:
    """Run a task in a fresh process and wait for it, asleep.

    The worker has its own process group, which is killed as a whole in the end, whatever happens here (Ctrl-C
    included), so nothing that a runtime started outlives its cell.
    """
    read_end, write_end = os.pipe()
    with tempfile.TemporaryFile() as output, os.fdopen(read_end, "rb", buffering=0) as events:
        try:
            child = subprocess.Popen(
                [sys.executable, "-m", "bench.worker", str(write_end)],
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                pass_fds=(write_end,), start_new_session=True,
                # Numbers devices as the probe did, unless the user has an order of their own.
                env={"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **os.environ},
            )  # fmt: skip
        finally:
            os.close(write_end)
        listener = _Listener(events, on_event, silence_limit_s)
        try:
            with contextlib.suppress(BrokenPipeError), child.stdin as stdin:  # type: ignore[union-attr]
                stdin.write(msgspec.json.encode(task))
            last = listener.listen()
            child.wait(timeout=30 if last else 5)
        except subprocess.TimeoutExpired:
            pass  # it has said its last word and hangs in its runtime's own clean-up: killed below
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        return _outcome(last, listener, child.returncode, _tail(output))


class _Listener:
    """Reads events until the last one, the end of the pipe, or the silence limit."""

    def __init__(self, events: IO[bytes], on_event: Callable[[Event], None], silence_limit_s: float) -> None:
        self._events = events
        self._on_event = on_event
        self._silence_limit_s = silence_limit_s
        self.phase = "start"
        self.hung = False
        self.garbage = False

    def listen(self) -> Measured | Prepared | Failed | None:
        pending = b""
        deadline = time.monotonic() + self._silence_limit_s
        while True:
            ready, _, _ = select.select([self._events], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.hung = True
                return None
            chunk = self._events.read(1 << 20)
            if not chunk:
                return None
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                try:
                    event = _DECODER.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    self.garbage = True
                    return None
                deadline = time.monotonic() + self._silence_limit_s
                if isinstance(event, Phase):
                    self.phase = event.name
                if isinstance(event, Measured | Prepared | Failed):
                    return event
                self._on_event(event)


def _outcome(
    last: Measured | Prepared | Failed | None, listener: _Listener, code: int, tail: tuple[str, ...]
) -> Outcome:
    if isinstance(last, Measured | Prepared):
        return Outcome(last, listener.phase)
    if isinstance(last, Failed):
        return Outcome(None, listener.phase, last.message, last.expected, () if last.expected else tail)
    if listener.hung:
        message = f"the worker gave no sign of life for {listener._silence_limit_s:g} s and was killed"
    elif listener.garbage:
        message = "the worker's event pipe carried something else than events; a runtime wrote to a foreign descriptor"
    elif code < 0:
        known = {int(each): each.name for each in signal.Signals}
        message = f"the worker died of {known.get(-code, f'signal {-code}')}"
        if -code == signal.SIGKILL:
            message += " (killed from outside, most often for lack of memory: try a smaller --bs)"
    else:
        message = f"the worker ended with exit status {code} without a result"
    return Outcome(None, listener.phase, f"{message}.", False, tail)


def _tail(output: IO[bytes]) -> tuple[str, ...]:
    """The last lines that the worker and its runtimes printed."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _TAIL_BYTES))
    lines = output.read().decode("utf-8", errors="replace").splitlines()
    return tuple(line for line in lines if line.strip())[-_TAIL_LINES:]
