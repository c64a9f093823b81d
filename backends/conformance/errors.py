"""What a check raises."""

from __future__ import annotations


class ConformanceError(AssertionError):
    """A session breaks the protocol of backends.base; one line: what was broken, what it does to a measurement."""
