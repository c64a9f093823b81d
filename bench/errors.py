"""Exit codes, with one meaning each everywhere, and the error of a user's mistake."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to its caller."""

    DONE = 0
    #: the question was answered 'no': a regression, an inaccurate result
    NO = 1
    #: usage, unusable input or backend, nothing measured, nothing comparable
    USAGE = 2
    INCONCLUSIVE = 3
    INTERRUPTED = 130


class UsageError(Exception):
    """Something the user can mend: one line with what was wrong, where, and what to do."""
