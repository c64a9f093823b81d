"""Numbers that stand for objects, and how a call fails that is given a wrong one."""

from __future__ import annotations

from tests.doubles.cuda.errors import INVALID_HANDLE, Breach
from tests.doubles.simulated import handles
from tests.doubles.simulated.handles import T


class Handles(handles.Handles[T]):
    """The objects of one kind."""

    def get(self, handle: int) -> T:
        """The object. Raises Breach when it is gone or never was."""
        thing = self.find(handle)
        if thing is not None:
            return thing
        named = self.what.replace(" ", "-")
        if self.was(handle):
            raise Breach(INVALID_HANDLE, f"{named}-used-after-destroy", f"{self.what} {handle:#x} was destroyed before")
        raise Breach(INVALID_HANDLE, f"not-a-{named}", f"{handle:#x} is no {self.what}")

    def to_release(self, handle: int) -> T | None:
        """The object that a call is about to destroy; None where a call that was made to fail did it before."""
        return None if self.excused(handle) else self.get(handle)
