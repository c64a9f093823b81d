"""What is known against a client: rules that it broke, things that it never released, and remarks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

Kind = Literal["start", "violation", "leak", "remark", "exit"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal. `rule` is a short fixed name, `call` the function that it was noticed in.

    `start` and `exit` frame a process; `exit` counts the calls of each function, so that a reader can tell
    a clean run from one that did nothing.
    """

    kind: Kind
    rule: str = ""
    call: str = ""
    text: str = ""
    pid: int = 0
    thread: str = ""
    calls: dict[str, int] = {}


class Journal:
    """Entries of this process, and of all processes in the file.

    Each entry is one write to a file opened for appending, so that processes may share it and one that is killed
    loses nothing that it had noticed.
    """

    def __init__(self, path: str = "") -> None:
        self.entries: list[Entry] = []
        self._path = path

    def add(self, kind: Kind, **fields: Any) -> None:
        """Keep one entry and write it at once."""
        entry = Entry(kind=kind, pid=os.getpid(), thread=threading.current_thread().name, **fields)
        self.entries.append(entry)
        if self._path:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(handle, msgspec.json.encode(entry) + b"\n")
            finally:
                os.close(handle)

    def of(self, kind: Kind) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in self.entries if entry.kind == kind]


def read(path: Path) -> list[Entry]:
    """All entries that any process wrote; none where no process began."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=Entry) for line in path.read_bytes().splitlines()]


def faults_found(entries: Iterable[Entry]) -> list[str]:
    """Violations and leaks as lines for a failing test: empty for a careful client."""
    return [
        f"{entry.kind} {entry.rule} in {entry.call} (process {entry.pid}, {entry.thread}): {entry.text}"
        for entry in entries
        if entry.kind in ("violation", "leak")
    ]
