"""The chip's own time stamps on a stream."""

from __future__ import annotations

from collections.abc import Callable

from backends.acl.library import Library
from backends.acl.releases import Releases
from backends.base import DeviceEvent

#: ACL_EVENT_TIME_LINE: the event carries a time stamp.
_TIME_LINE = 8


class AclEvent(DeviceEvent):
    """Made in the current context, destroyed with `stack`; `enter` makes the context the calling thread's."""

    @staticmethod
    def there(library: Library) -> bool:
        """Whether this pyACL has what it takes."""
        makes = library.has("rt.create_event_with_flag") or library.has("rt.create_event")
        return makes and all(
            library.has(name) for name in ("rt.record_event", "rt.event_elapsed_time", "rt.destroy_event")
        )

    def __init__(self, library: Library, stream: int, stack: Releases, enter: Callable[[], None]) -> None:
        """Raises DeviceError."""
        self._library, self._stream, self._enter = library, stream, enter
        if library.has("rt.create_event_with_flag"):
            self.handle: int = library.get("rt.create_event_with_flag", _TIME_LINE)
        else:
            self.handle = library.get("rt.create_event")
        stack.callback(library.do, "rt.destroy_event", self.handle)
        self._record = library.function("rt.record_event")

    def record(self) -> None:
        self._enter()
        code = self._record(self.handle, self._stream)
        if code:
            self._library.fail("rt.record_event", code)

    def elapsed_ms(self, since: DeviceEvent) -> float:
        if not isinstance(since, AclEvent):
            raise TypeError("both events must be of pyACL")
        self._enter()
        elapsed: float = self._library.get("rt.event_elapsed_time", since.handle, self.handle)
        return elapsed
