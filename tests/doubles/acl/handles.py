"""Numbers that stand for objects, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from tests.doubles.acl.errors import Breach


class Thing(Protocol):
    """Anything with a handle."""

    handle: int


T = TypeVar("T", bound=Thing)


class AlreadyGone(Exception):  # noqa: N818 - a state, not a fault of this program
    """Released once before by a call that a fault made fail: the client did what it could, twice is no breach."""


class Handles(Generic[T]):
    """The objects of one kind. Kinds have ranges of their own, so a handle of another kind is never taken for one."""

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

    def get(self, handle: int, code: int) -> T:
        """The object. Raises Breach with `code` when it is gone or never was."""
        thing = self._alive.get(handle)
        if thing is not None:
            return thing
        if handle in self._gone:
            raise Breach(code, f"{self.what}-used-after-release", f"{self.what} {handle:#x} was released before")
        raise Breach(code, f"not-a-{self.what}", f"{handle:#x} is no {self.what}")

    def to_release(self, handle: int, code: int) -> T:
        """The object that a call is about to release. Raises Breach, and AlreadyGone where a fault had its hand in."""
        if self._gone.get(handle):
            raise AlreadyGone
        if handle in self._gone:
            raise Breach(code, f"{self.what}-released-twice", f"{self.what} {handle:#x} was released before")
        return self.get(handle, code)

    def release(self, thing: T, excused: bool = False) -> None:
        """Forget it; `excused` when the call that does it is going to say that it failed."""
        del self._alive[thing.handle]
        self._gone[thing.handle] = excused

    @property
    def alive(self) -> list[T]:
        """What has not been released, oldest first."""
        return list(self._alive.values())
