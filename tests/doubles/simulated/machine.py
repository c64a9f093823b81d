"""What every simulated machine keeps, and what happens to a call of one that has to wait."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.doubles.simulated.journal import Entry, Journal
from tests.doubles.simulated.timing import Timing


@dataclass
class Call:
    """The call under way, and when it was entered."""

    name: str
    entered: int
    #: it releases, and then says that it failed
    excused: bool = False


@dataclass(frozen=True)
class Later:
    """The call returns at `until`, and what `finish` then says; `finish` runs just before."""

    until: int
    finish: Callable[[], Any]


class Machine:
    """One machine as one process sees it.

    `lock` is held by a call while it looks at or changes anything here, never while it waits.
    """

    call: Any

    def __init__(self, journal: str, timing: Timing) -> None:
        self.timing = timing
        self.journal = Journal(journal)
        self.lock = threading.RLock()
        self.pid = os.getpid()
        self.calls: Counter[str] = Counter()
        self._forked = False

    @property
    def violations(self) -> list[Entry]:
        """Rules that the client broke."""
        return self.journal.of("violation")

    @property
    def remarks(self) -> list[Entry]:
        """What is allowed and yet worth a look."""
        return self.journal.of("remark")

    def violation(self, rule: str, text: str, call: str = "") -> None:
        """Record that a rule was broken, by its short fixed name; in `call`, or in the call under way."""
        self.journal.add("violation", rule=rule, call=call or self.call.name, text=text)

    def remark(self, rule: str, text: str) -> None:
        """Record what is allowed but worth a look."""
        self.journal.add("remark", rule=rule, call=self.call.name, text=text)

    def note_fork(self, begun: bool = True) -> bool:
        """Whether this process was forked off; recorded once, where the parent had `begun` to use the machine."""
        if os.getpid() == self.pid:
            return False
        if not self._forked:
            self._forked = True
            if begun:
                self.violation("fork", f"process {os.getpid()} uses what process {self.pid} began")
        return True

    def complete(self, call: Call, later: Later, timing: Timing | None = None) -> Any:
        """Wait as a call has to, and end it. What raises in the end raises at once."""
        timing = timing or self.timing
        timing.approach(later.until)
        with self.lock:
            self.call = call
            result = later.finish()
        timing.reach(later.until)
        return result
