"""All state of one simulated machine as one process sees it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from tests.doubles.acl.config import Config
from tests.doubles.acl.contexts import Contexts
from tests.doubles.acl.host_pointers import HostPointers
from tests.doubles.acl.memory import DeviceMemory, PinnedMemory
from tests.doubles.acl.models import Models
from tests.doubles.acl.streams import Streams
from tests.doubles.simulated import machine
from tests.doubles.simulated.faults import Faults
from tests.doubles.simulated.journal import Entry
from tests.doubles.simulated.timing import Holding, Timing


@dataclass
class Call(machine.Call):
    """The call under way, and what a fault makes of it."""

    extra_ns: int = 0
    poisoned: bool = False


class Machine(machine.Machine):
    """State and journal."""

    call: Call

    def __init__(self, config: Config, timing: Timing, functions: list[str]) -> None:
        super().__init__(config.journal, timing)
        self.config = config
        self.holding = Holding() if config.execute_holds_lock else timing
        self.initialised = self.finalised = False
        #: finalize was made to say that it failed, so that once more is no breach
        self.finalise_excused = False
        self.call = Call("", 0)
        self.streams = Streams()
        self.contexts = Contexts(config.chips, self.streams)
        self.device = DeviceMemory(config.chips, config.memory_bytes)
        self.pinned = PinnedMemory()
        self.host = HostPointers()
        self.models = Models()
        self.faults = Faults(config.faults, functions)
        self._messages = threading.local()

    @property
    def leaks(self) -> list[Entry]:
        """What was never released."""
        return self.journal.of("leak")

    def leak(self, thing: Any) -> None:
        """Record that something is still there."""
        self.journal.add("leak", rule=thing.what.replace(" ", "-"), call=self.call.name, text=f"{thing} never released")

    def expect(self, holds: bool, rule: str, text: str) -> bool:
        """Record a violation unless `holds`; returns it."""
        if not holds:
            self.violation(rule, text)
        return holds

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
