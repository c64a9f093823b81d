"""Numbers that stand for objects, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Thing(Protocol):
    """Anything with a handle."""

    handle: int


T = TypeVar("T", bound=Thing)


class Handles(Generic[T]):
    """The objects of one kind. Kinds have ranges of their own, so a handle of another kind is never taken for one.

    A double adds how a call fails whose handle is wrong.
    """

    def __init__(self, what: str, first: int, step: int = 0x40) -> None:
        self.what = what
        self._next, self._step = first, step
        self._alive: dict[int, T] = {}
        self._gone: dict[int, bool] = {}

    def add(self, make: Callable[[int], T]) -> T:
        """A new object under the next number."""
        thing = make(self._next)
        self._alive[self._next] = thing
        self._next += self._step
        return thing

    def find(self, handle: int) -> T | None:
        """The object; None when it is gone or never was."""
        return self._alive.get(handle)

    def was(self, handle: int) -> bool:
        """Whether an object that is gone had it."""
        return handle in self._gone

    def excused(self, handle: int) -> bool:
        """Whether it went by a call that a fault made fail: the client did what it could, twice is no breach."""
        return self._gone.get(handle, False)

    def release(self, thing: T, excused: bool = False) -> None:
        """Forget it; `excused` when the call that does it is going to say that it failed."""
        del self._alive[thing.handle]
        self._gone[thing.handle] = excused

    @property
    def alive(self) -> list[T]:
        """What has not been released, oldest first."""
        return list(self._alive.values())
