"""Numbers that stand for objects, and how a call fails that is given a wrong one."""

from __future__ import annotations

from tests.doubles.acl.errors import Breach
from tests.doubles.simulated import handles
from tests.doubles.simulated.handles import T


class AlreadyGone(Exception):  # noqa: N818 - a state, not a fault of this program
    """Released once before by a call that a fault made fail: the client did what it could, twice is no breach."""


class Handles(handles.Handles[T]):
    """The objects of one kind. Which code a wrong number gives depends on the call."""

    def get(self, handle: int, code: int) -> T:
        """The object. Raises Breach with `code` when it is gone or never was."""
        thing = self.find(handle)
        if thing is not None:
            return thing
        if self.was(handle):
            raise Breach(code, f"{self.what}-used-after-release", f"{self.what} {handle:#x} was released before")
        raise Breach(code, f"not-a-{self.what}", f"{handle:#x} is no {self.what}")

    def to_release(self, handle: int, code: int) -> T:
        """The object that a call is about to release. Raises Breach, and AlreadyGone where a fault had its hand in."""
        if self.excused(handle):
            raise AlreadyGone
        if self.was(handle):
            raise Breach(code, f"{self.what}-released-twice", f"{self.what} {handle:#x} was released before")
        return self.get(handle, code)
