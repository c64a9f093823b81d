"""Memory of the devices, and page-locked memory of the host, as CUDA hands them out."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.doubles.cuda.errors import INVALID_VALUE, Breach
from tests.doubles.simulated import memory
from tests.doubles.simulated.content import Content
from tests.doubles.simulated.memory import FRESH, B, Blocks, round_up

_DEVICE_ALIGNMENT = 512

_MEMCMP = ctypes.CDLL(None).memcmp
_MEMCMP.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)


@dataclass(frozen=True, slots=True)
class Range:
    """Some bytes of memory, on a device or on the host."""

    address: int
    size: int

    @property
    def stop(self) -> int:
        return self.address + self.size

    def meets(self, other: Range) -> bool:
        """Whether they have a byte in common."""
        return self.address < other.stop and other.address < self.stop

    def __str__(self) -> str:
        return f"{self.size} bytes at {self.address:#x}"


@dataclass(eq=False)
class DeviceBlock(memory.DeviceBlock):
    """One allocation on a device."""

    label: str

    def __str__(self) -> str:
        return f"{self.label} ({self.size} bytes of device {self.device} at {self.address:#x})"


@dataclass(eq=False)
class PinnedBlock(memory.PinnedBlock):
    """One allocation of page-locked host memory."""

    #: what was read last, and from where on
    last: tuple[int, bytes] = field(default=(0, b""), repr=False)

    def read(self, address: int, size: int) -> bytes:
        """The bytes that lie there now; the same object as before where they are the same, which is much quicker."""
        start, known = self.last
        if start == address and len(known) == size and _MEMCMP(address, known, size) == 0:
            return known
        self.last = address, ctypes.string_at(address, size)
        return self.last[1]

    def write(self, address: int, data: bytes) -> None:
        self.buffer[address - self.address :][: len(data)] = np.frombuffer(data, np.uint8)


class Found(Blocks[B]):
    """Allocations of one kind, and how a call fails that is given a wrong address."""

    def holding(self, wanted: Range) -> B:
        """The block that a range lies in. Raises Breach where there is none."""
        block = self.at(wanted.address)
        if block is not None:
            if wanted.stop > block.stop:
                raise Breach(INVALID_VALUE, "out-of-bounds", f"{wanted} runs over the end of {block}")
            return block
        if self.was_at(wanted.address):
            raise Breach(INVALID_VALUE, "used-after-free", f"{wanted} is {self.what} that was freed")
        raise Breach(INVALID_VALUE, f"not-{self.what.replace(' ', '-')}", f"{wanted} is no {self.what}")

    def has(self, address: int) -> bool:
        """Whether memory of this kind, alive or freed, has this address."""
        return self.at(address) is not None or self.was_at(address)

    def to_free(self, address: int) -> B | None:
        """The block that a call is about to free; None where a call that was made to fail has freed it before.

        Raises Breach where it was freed already, or never was.
        """
        if address in self.alive:
            return self.alive[address]
        if address in self.freed:
            if self.freed[address][1]:
                return None
            raise Breach(INVALID_VALUE, "freed-twice", f"{self.what} at {address:#x} was freed before")
        raise Breach(INVALID_VALUE, f"not-{self.what.replace(' ', '-')}", f"{address:#x} is no start of {self.what}")


class DeviceMemory(Found[DeviceBlock], memory.DeviceMemory[DeviceBlock]):
    """The memory of all devices."""

    def allocate(self, device: int, size: int, label: str) -> DeviceBlock | None:
        """A block of `size` bytes, or None when the device is full."""
        charged = round_up(size, _DEVICE_ALIGNMENT)
        if not self.charge(device, charged):
            return None
        start = self.reserve(device, charged + 8 * _DEVICE_ALIGNMENT)
        return self.add(DeviceBlock(start, size, device, charged, Content(size, FRESH), label))


class PinnedMemory(Found[PinnedBlock], memory.PinnedMemory[PinnedBlock]):
    """The host's page-locked memory."""

    def __init__(self) -> None:
        super().__init__(PinnedBlock)


def address_of(buffer: Any, writable: bool) -> Range:
    """Where the bytes of an object with Python's buffer interface lie. Raises BufferError, TypeError."""
    view = memoryview(buffer)
    if not view.c_contiguous or (writable and view.readonly):
        raise BufferError("the buffer is not contiguous, or is read-only")
    array = np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)
    return Range(int(array.ctypes.data), view.nbytes)
