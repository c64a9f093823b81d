"""All state of one simulated machine as one process sees it."""

from __future__ import annotations

import os
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.doubles.acl.config import Config
from tests.doubles.acl.contexts import Contexts
from tests.doubles.acl.faults import Faults
from tests.doubles.acl.host_pointers import HostPointers
from tests.doubles.acl.journal import Entry, Journal
from tests.doubles.acl.memory import DeviceMemory, PinnedMemory
from tests.doubles.acl.models import Models
from tests.doubles.acl.streams import Streams
from tests.doubles.acl.timing import Holding, Timing


@dataclass
class Call:
    """The call under way: when it was entered and what a fault makes of it."""

    name: str
    entered: int
    extra_ns: int = 0
    poisoned: bool = False
    #: it releases, and then says that it failed
    excused: bool = False


class Machine:
    """State and journal. `lock` is held by a call while it looks at or changes anything here, never while it waits."""

    def __init__(self, config: Config, timing: Timing, functions: list[str]) -> None:
        self.config = config
        self.timing = timing
        self.holding = Holding() if config.execute_holds_lock else timing
        self.journal = Journal(config.journal)
        self.lock = threading.RLock()
        self.pid = os.getpid()
        self.initialised = self.finalised = False
        #: finalize was made to say that it failed, so that once more is no breach
        self.finalise_excused = False
        self.calls: Counter[str] = Counter()
        self.call = Call("", 0)
        self.streams = Streams()
        self.contexts = Contexts(config.chips, self.streams)
        self.device = DeviceMemory(config.chips, config.memory_bytes)
        self.pinned = PinnedMemory()
        self.host = HostPointers()
        self.models = Models()
        self.faults = Faults(config.faults, functions)
        self._messages = threading.local()
        self._forked = False

    @property
    def violations(self) -> list[Entry]:
        """Rules that the client broke."""
        return self.journal.of("violation")

    @property
    def leaks(self) -> list[Entry]:
        """What it never released."""
        return self.journal.of("leak")

    @property
    def remarks(self) -> list[Entry]:
        """What is allowed and yet worth a look."""
        return self.journal.of("remark")

    def violation(self, rule: str, text: str) -> None:
        """Record that the client broke a rule."""
        self.journal.add("violation", rule=rule, call=self.call.name, text=text)

    def leak(self, thing: Any) -> None:
        """Record that something is still there."""
        self.journal.add("leak", rule=thing.what.replace(" ", "-"), call=self.call.name, text=f"{thing} never released")

    def remark(self, rule: str, text: str) -> None:
        """Record what is allowed but worth a look."""
        self.journal.add("remark", rule=rule, call=self.call.name, text=text)

    def expect(self, holds: bool, rule: str, text: str) -> bool:
        """Record a violation unless `holds`; returns it."""
        if not holds:
            self.violation(rule, text)
        return holds

    def note_fork(self) -> None:
        """Record, once, that a process uses what its parent began."""
        if os.getpid() != self.pid and not self._forked:
            self._forked = True
            if self.initialised:
                self.violation("fork", f"process {os.getpid()} uses what process {self.pid} initialised")

    def say(self, text: str) -> None:
        """What get_recent_err_msg on this thread returns next, laid out as CANN does."""
        self._messages.text = text and (
            f"EE9999: [PID: {self.pid}] {text}\n        TraceBack (most recent call last):\n"
            f"        [Call][acl.{self.call.name}]the call failed[FUNC:Report][FILE:error_message.cc]\n"
        )

    def take_message(self) -> str | None:
        """The text of this thread's last failure, only once."""
        text: str | None = getattr(self._messages, "text", None)
        self._messages.text = None
        return text or None

    @property
    def chip(self) -> int | None:
        """The chip that this thread works on."""
        context = self.contexts.current_or_none
        return None if context is None else context.chip

    def duration_ns(self, batch: int) -> int:
        """How long one execution takes."""
        return round((self.config.base_ms + self.config.image_ms * batch) * 1e6) + self.call.extra_ns

    @property
    def copy_ns(self) -> int:
        """How long one copy takes."""
        return round(self.config.copy_ms * 1e6)
