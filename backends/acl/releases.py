"""Giving things back in order: each call that fails is noted, and the others are made all the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from backends.base import DeviceError


class Releases:
    """Calls to be made in reverse order. On a chip that was lost all of them fail, which says nothing new."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._failed: list[DeviceError] = []

    def callback(self, release: Callable[..., object], *arguments: object) -> None:
        """Call `release(*arguments)` later."""
        self._stack.callback(self._try, release, *arguments)

    def run(self) -> DeviceError | None:
        """Make the calls; the first failure."""
        self._stack.close()
        return self._failed[0] if self._failed else None

    def _try(self, release: Callable[..., object], *arguments: object) -> None:
        try:
            release(*arguments)
        except DeviceError as error:
            self._failed.append(error)
