"""Worker processes: start them, listen to them, limit them, and say in one line how each ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from bench.errors import UsageError
from bench.interpreter import Interpreter
from bench.messages import Event, Failed, Phase, Result, Task
from bench.phases import PhaseLimits

_T = TypeVar("_T")

_TAIL_LINES = 8
_TAIL_BYTES = 8192
#: How long a worker that has said its last word may take to clean up.
_FAREWELL_S = 30.0
#: The longest sleep between two looks at whether a silent worker still lives.
_LOOK_S = 1.0

_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a worker ended: its last event, or why there is none. `phase` is the last one it entered."""

    result: Result | None
    phase: str = ""
    message: str = ""
    expected: bool = False
    output_tail: tuple[str, ...] = ()
    #: how the process ended badly after it had given its result, empty if it did not
    aftermath: str = ""
    #: Ctrl-C came when the result was there already. Whoever asks for an outcome must keep that result and then stop.
    interrupted: bool = False

    def demand(self, kind: type[_T], what: str) -> _T:
        """The result, where nothing can go on without it. Raises UsageError with the worker's reason.

        KeyboardInterrupt when Ctrl-C came with it: what the worker wrote is kept, and that is all there is to keep.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        if isinstance(self.result, kind):
            return self.result
        if self.expected:
            raise UsageError(self.message)
        detail = " | ".join(self.output_tail[-3:])
        raise UsageError(f"{what} failed in phase '{self.phase}': {self.message} {detail}".strip())


def run_worker(
    task: Task,
    on_event: Callable[[Event], None],
    limits: PhaseLimits | None = None,
    interpreter: Interpreter | None = None,
) -> Outcome:
    """Run a task in a fresh process and wait for it, asleep."""
    with Worker(task, limits or PhaseLimits(), interpreter=interpreter) as worker:
        attend([worker], lambda _, event: on_event(event))
    return worker.outcome()


def attend(workers: Sequence[Worker], on_event: Callable[[int, Event], None]) -> None:
    """Listen to the workers, asleep in between, until each has said its last word or is lost.

    `on_event` gets the worker's index and every event but the last one. When one of several is lost or has failed,
    the others are stopped too: what they measure would not be what was asked for.
    """
    while waiting := [worker for worker in workers if not worker.ended]:
        now = time.monotonic()
        sleep = max(0.0, min(_LOOK_S, *(worker.deadline - now for worker in waiting)))
        ready, _, _ = select.select(waiting, [], [], sleep)
        for worker in ready:
            for event in worker.read():
                on_event(workers.index(worker), event)
        for worker in waiting:
            worker.look()
        if any(worker.ended and not worker.succeeded for worker in workers):
            for worker in workers:
                worker.abandon()


class Worker:
    """A worker process; as a context manager it and whatever it started are dead on exit, Ctrl-C included."""

    def __init__(
        self, task: Task, limits: PhaseLimits, cpus: Collection[int] = (), interpreter: Interpreter | None = None
    ) -> None:
        self._limits = limits
        python = interpreter or Interpreter()
        self._phase = "start"
        self._pending = b""
        self._last: Result | Failed | None = None
        self._lost = ""
        self.abandoned = False
        self._aftermath = ""
        self._interrupted = False
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._pipe, write_end = os.pipe()
        try:
            with _on_cpus(cpus):
                self._child = subprocess.Popen(
                    [*python.command, "-m", "bench.worker", str(write_end)],
                    stdin=subprocess.PIPE, stdout=self._output, stderr=subprocess.STDOUT,
                    pass_fds=(write_end,), start_new_session=True, bufsize=0, env=python.variables(),
                )  # fmt: skip
        finally:
            os.close(write_end)
        _orphans.expect(self._child.pid)
        self._sentinel = _sentinel(self._child.pid)
        self.deadline = time.monotonic() + limits.of(self._phase)
        self._tell(msgspec.json.encode(task))

    def _tell(self, line: bytes) -> None:
        """One line to the worker; if it is dead already, `look` finds out."""
        with contextlib.suppress(BrokenPipeError):
            rest = memoryview(line + b"\n")
            while rest:
                rest = rest[self._child.stdin.write(rest) :]  # type: ignore[union-attr]

    def start_at(self, clock_ns: int) -> None:
        """Tell a worker that is Ready when to begin, by the machine's monotonic clock."""
        self._tell(str(clock_ns).encode())

    def pause(self) -> None:
        """Stop a worker that waits for its turn, with all its threads: some runtimes' spin while they wait."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGSTOP)

    def take_turn(self) -> None:
        """Let a worker that is paused go on; its time limit begins anew."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGCONT)
        self.deadline = time.monotonic() + self._limits.of(self._phase)
        self._tell(b"")

    def fileno(self) -> int:
        return self._pipe

    @property
    def ended(self) -> bool:
        return self._last is not None or bool(self._lost)

    @property
    def succeeded(self) -> bool:
        return self._last is not None and not isinstance(self._last, Failed)

    def read(self) -> list[Event]:
        """The events that have come in; the last one is kept for `outcome`."""
        chunk = os.read(self._pipe, 1 << 20)
        if not chunk:
            self._lose(self._how_it_died(wait_s=5))
            return []
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        events: list[Event] = []
        for line in lines:
            try:
                event = _DECODER.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._lose("the worker's event pipe carried something else than events; a runtime wrote to a foreign"
                           " descriptor")  # fmt: skip
                return events
            if isinstance(event, Phase):
                self._phase = event.name
            self.deadline = time.monotonic() + self._limits.of(self._phase)
            if isinstance(event, Result | Failed):
                self._last = event
                return events
            events.append(event)
        return events

    def look(self) -> None:
        """Notice a worker that is silent for too long, or dead though a child of its holds the pipe open."""
        if self.ended:
            return
        if time.monotonic() >= self.deadline:
            limit, name = self._limits.of(self._phase), self._limits.name_of(self._phase)
            self._lose(
                f"the worker gave no sign of life for {limit:g} s and was killed (if it only needs longer:"
                f" --phase-limit {name}=SECONDS)"
            )
        elif self._exit_status(wait_s=0) is not None and not select.select([self._pipe], [], [], 0)[0]:
            self._lose(self._how_it_died(wait_s=0))

    def abandon(self) -> None:
        """Stop a worker whose fellow was lost."""
        if not self.ended:
            self.abandoned = True
            self._lose("stopped, since another worker of this measurement was lost")

    def _lose(self, message: str) -> None:
        self._lost = message

    def _how_it_died(self, wait_s: float) -> str:
        code = self._exit_status(wait_s)
        if code is None:
            return "the worker closed its event pipe without a result"
        if code >= 0:
            return f"the worker ended with exit status {code} without a result"
        known = {int(each): each.name for each in signal.Signals}
        message = f"the worker died of {known.get(-code, f'signal {-code}')}"
        if -code == signal.SIGKILL:
            message += " (killed from outside, most often for lack of memory: try a smaller --bs)"
        return message

    def _exit_status(self, wait_s: float) -> int | None:
        """The exit status, negative for a signal; None while it runs.

        The process is left a zombie, so that its number, and that of its group, stays its own until `__exit__`.
        """
        deadline = time.monotonic() + wait_s
        while True:
            ended = os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._last is not None and error is None:
                self._see_off()
        except KeyboardInterrupt:
            self._interrupted = True
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
            for process in (self._sentinel, self._child):
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in a driver: the kernel keeps it
                    process.wait(timeout=_FAREWELL_S)
                with contextlib.suppress(OSError):
                    process.stdin.close()  # type: ignore[union-attr]
            _orphans.end()
            os.close(self._pipe)
            self._tail = self._read_tail()
            self._output.close()

    def _see_off(self) -> None:
        """Let a worker that has said its last word end by itself, and note when it does not end well."""
        code = self._exit_status(_FAREWELL_S)
        if code is None:
            self._aftermath = f"the worker did not end within {_FAREWELL_S:g} s after its result and was killed"
        elif code != 0:
            self._aftermath = self._how_it_died(wait_s=0).replace(" without a result", "") + " after its result"

    def outcome(self) -> Outcome:
        """How it ended; to be asked after the context was left."""
        if isinstance(self._last, Failed):
            tail = () if self._last.expected else self._tail
            return Outcome(
                None, self._phase, self._last.message, self._last.expected, tail, interrupted=self._interrupted
            )
        if self._last is not None:
            return Outcome(self._last, self._phase, aftermath=self._aftermath, interrupted=self._interrupted)
        return Outcome(None, self._phase, f"{self._lost}.", False, self._tail)

    def _read_tail(self) -> tuple[str, ...]:
        """The last lines that the worker and its runtimes printed."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _TAIL_BYTES))
        lines = self._output.read().decode("utf-8", errors="replace").splitlines()
        return tuple(line for line in lines if line.strip())[-_TAIL_LINES:]


def _sentinel(group: int) -> subprocess.Popen[bytes]:
    """A process that kills a process group when this process is gone, however it went: its standard input then ends.

    The kernel kills the worker itself with its parent, but not what the worker has forked.
    """
    code = "import os, sys; sys.stdin.read(); os.killpg(int(sys.argv[1]), 9)"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code, str(group)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    _orphans.expect(process.pid)
    return process


@contextlib.contextmanager
def _on_cpus(cpus: Collection[int]) -> Iterator[None]:
    """Children started in the block run on these CPUs only, from their first instruction on.

    Set on this thread and taken back, since thread pools of runtimes are sized while modules are imported.
    """
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class _Orphans:
    """Processes that workers leave behind in a session of their own; they would disturb the next cell."""

    def __init__(self) -> None:
        self._ours: set[int] | None = None

    def adopt(self) -> None:
        """Have the kernel give them to this process from now on (Linux only)."""
        if sys.platform != "linux" or self._ours is not None:
            return
        pr_set_child_subreaper = 36
        with contextlib.suppress(OSError, AttributeError):
            if ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1) == 0:
                self._ours = _children()

    def expect(self, pid: int) -> None:
        """This child is no orphan."""
        if self._ours is not None:
            self._ours.add(pid)

    def end(self) -> None:
        """End those that have been adopted, and what these leave behind in turn."""
        while self._ours is not None and (orphans := _children() - self._ours):
            for pid in orphans:
                self._ours.add(pid)  # whatever comes of it, it is tried once
                with contextlib.suppress(ProcessLookupError, ChildProcessError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
                    _reap(pid)


def _reap(pid: int) -> None:
    """Wait for a killed process, but not for one that is stuck in a driver."""
    deadline = time.monotonic() + 5
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)


def _children() -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process().children()}


_orphans = _Orphans()


def take_charge() -> None:
    """To be called by a program whose only children from now on are workers: it answers for all that they start.

    A cancelled CI job or a closed terminal ends it as Ctrl-C does: workers stopped, what was finished kept.
    """
    _orphans.adopt()
    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) is signal.SIG_DFL:  # nohup means what it says
            signal.signal(name, signal.default_int_handler)
