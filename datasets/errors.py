"""The one error this package raises for bad input."""

from __future__ import annotations


class DatasetError(ValueError):
    """Input that cannot be used: one line saying what is wrong, where, and what to do next."""

    def __init__(self, message: str) -> None:
        # Messages quote foreign text (member names, Pillow's own messages); a line break there must not
        # break the promise of one line.
        super().__init__(" ".join(message.split()))
