"""Numbers that stand for objects, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from tests.doubles.cuda.errors import INVALID_HANDLE, Breach


class Thing(Protocol):
    """Anything with a handle."""

    handle: int


T = TypeVar("T", bound=Thing)


class Handles(Generic[T]):
    """The objects of one kind. Kinds have ranges of their own, so a handle of another kind is never taken for one."""

    def __init__(self, what: str, first: int) -> None:
        self.what = what
        self._next = first
        self._alive: dict[int, T] = {}
        self._gone: dict[int, bool] = {}

    def add(self, make: Callable[[int], T]) -> T:
        """A new object under the next number."""
        thing = make(self._next)
        self._alive[self._next] = thing
        self._next += 0x40
        return thing

    def get(self, handle: int) -> T:
        """The object. Raises Breach when it is gone or never was."""
        thing = self._alive.get(handle)
        if thing is not None:
            return thing
        named = self.what.replace(" ", "-")
        if handle in self._gone:
            raise Breach(INVALID_HANDLE, f"{named}-used-after-destroy", f"{self.what} {handle:#x} was destroyed before")
        raise Breach(INVALID_HANDLE, f"not-a-{named}", f"{handle:#x} is no {self.what}")

    def to_release(self, handle: int) -> T | None:
        """The object that a call is about to destroy; None where a call that was made to fail did it before."""
        if self._gone.get(handle):
            return None
        return self.get(handle)

    def release(self, thing: T, excused: bool) -> None:
        """Forget it; `excused` when the call that does it is going to say that it failed."""
        del self._alive[thing.handle]
        self._gone[thing.handle] = excused

    @property
    def alive(self) -> list[T]:
        """What has not been destroyed, oldest first."""
        return list(self._alive.values())
