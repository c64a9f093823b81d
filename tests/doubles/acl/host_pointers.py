"""Plain host memory whose address a client asked for: whose it is, how far it reaches, and whether it still lives."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: How many exposed objects whose owner let go of them are remembered, in number and in bytes.
_KEPT, _KEPT_BYTES = 64, 64 * 2**20


class Owner:
    """An object of the client, held here."""

    # One reference is the field, the other the argument of getrefcount.
    _OURS = 2

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    @property
    def dropped(self) -> bool:
        """Whether the client has let go of it: in real life its memory is gone."""
        return sys.getrefcount(self.thing) <= self._OURS


@dataclass(frozen=True, eq=False)
class HostPointer:
    """`size` bytes at `start` of some object's memory; bytes objects must not be written to, nor some arrays."""

    start: int
    size: int
    owner: Owner = field(repr=False)
    writable: bool

    @property
    def dropped(self) -> bool:
        """Whether the memory is gone."""
        return self.owner.dropped


class HostPointers:
    """All pointers that the functions of `acl.util` gave out, the newest first.

    The objects are kept from being freed, so that a dangling pointer is noticed instead of followed.
    """

    def __init__(self) -> None:
        self._given: list[HostPointer] = []
        self._owners: dict[int, Owner] = {}

    def of_bytes(self, data: bytes) -> int:
        """The address of the bytes."""
        start = int(np.frombuffer(data, np.uint8).ctypes.data) if data else id(data)
        return self._give(HostPointer(start, len(data), self._owner(data), writable=False))

    def of_array(self, array: NDArray[Any]) -> int:
        """The address of the first element."""
        start, size = int(array.ctypes.data), array.nbytes
        return self._give(HostPointer(start, size, self._owner(_memory_of(array)), bool(array.flags.writeable)))

    def at(self, address: int) -> HostPointer | None:
        """The pointer that is exactly this address, or else one to memory that holds it."""
        holding = [given for given in self._given if given.start <= address < given.start + max(given.size, 1)]
        exact = [given for given in holding if given.start == address]
        alive = [given for given in exact or holding if not given.dropped]
        return next(iter(alive or exact or holding), None)

    def _owner(self, thing: Any) -> Owner:
        return self._owners.setdefault(id(thing), Owner(thing))

    def _give(self, pointer: HostPointer) -> int:
        self._given = [given for given in self._given if (given.start, given.owner) != (pointer.start, pointer.owner)]
        self._given.insert(0, pointer)
        self._forget()
        return pointer.start

    def _forget(self) -> None:
        """Let go of the oldest objects that nobody else holds."""
        dropped = [given for given in self._given if given.dropped]
        excess, held = len(dropped) - _KEPT, sum(given.size for given in dropped)
        for given in reversed(dropped):
            if excess <= 0 and held <= _KEPT_BYTES:
                break
            self._given.remove(given)
            excess, held = excess - 1, held - given.size
        needed = {id(given.owner.thing) for given in self._given}
        self._owners = {key: owner for key, owner in self._owners.items() if key in needed}


def _memory_of(array: NDArray[Any]) -> Any:
    """The object whose memory an array shows: itself, or what it is a view of."""
    found: Any = array
    while isinstance(found, np.ndarray) and found.base is not None:
        found = found.base
    while isinstance(found, memoryview) and found.obj is not None:
        found = found.obj
    return found


def is_mapped(address: int, length: int) -> bool:
    """Whether this process has memory there; True where the system does not tell."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return True
    position = address
    for start, stop in _ranges(maps):
        if start <= position < stop:
            position = stop
        if position >= address + length:
            return True
    return False


def _ranges(maps: Path) -> Iterator[tuple[int, int]]:
    for line in maps.read_text().splitlines():
        start, _, stop = line.split()[0].partition("-")
        if line.split()[1].startswith("r"):
            yield int(start, 16), int(stop, 16)
