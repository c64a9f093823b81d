"""What TensorRT says: the only place where it tells why a call failed."""

from __future__ import annotations

import re
from collections import deque
from itertools import count
from typing import Any

_ERROR, _WARNING = 1, 2
_KEPT = 400
_LONGEST = 260
#: Its source's own place in front of a message, and at the end of the sentence in parentheses.
_PLACE = re.compile(r"^(?:\[?\w+\.(?:cpp|h|cu)\S*\]?:? ?(?:\d+: ?)?)+|\bI\w+::\w+: |\(?\bIn \w+ at [^\s)]+ ?")
#: What is left of that in parentheses.
_EMPTY = ((" )", ")"), ("((", "("), ("))", ")"), ("( ", "("))


class Messages:
    """The last messages, each with a number that only grows; TensorRT calls `add` from threads of its own."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._kept: deque[tuple[int, int, str]] = deque(maxlen=_KEPT)
        self._last = 0

    def add(self, severity: int, text: str) -> None:
        """Keep errors (0, 1) and warnings (2); the rest would push them out."""
        if severity <= _WARNING:
            self._last = next(self._numbers)
            self._kept.append((self._last, severity, text))

    def mark(self) -> int:
        """A point in time, for `errors` and `warnings`."""
        return self._last

    def errors(self, since: int = 0) -> list[str]:
        """Errors after a mark, one line each, none twice."""
        return self._told(since, range(_ERROR + 1))

    def warnings(self, since: int = 0) -> list[str]:
        """Warnings after a mark, one line each, none twice."""
        return self._told(since, range(_WARNING, _WARNING + 1))

    def _told(self, since: int, severities: range) -> list[str]:
        found = [
            plain(text) for number, severity, text in tuple(self._kept) if number > since and severity in severities
        ]
        return list(dict.fromkeys(filter(None, found)))


def plain(text: str) -> str:
    """A message in one line, without the places in TensorRT's own source."""
    line = " ".join(_PLACE.sub("", " ".join(text.split())).split())
    for found, better in _EMPTY:
        line = line.replace(found, better)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def make_logger(module: Any, messages: Messages) -> Any:
    """A logger as the module wants it, which keeps what it is told."""

    def made(self: Any) -> None:
        module.ILogger.__init__(self)  # the bindings demand this call by name

    def log(_self: Any, severity: Any, msg: str) -> None:
        messages.add(int(severity), msg)

    # A class statement with a base that is only known now would have no type.
    return type("Logger", (module.ILogger,), {"__init__": made, "log": log})()
