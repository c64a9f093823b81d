"""Memory that a runtime hands out: of its devices, at addresses that no process has, and pinned memory of the host."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tests.doubles.simulated.content import Content

#: Above every address of a process on a 64-bit machine, so that reading one on the host ends the process, as it would.
DEVICE_SPACE, _EACH_SPACE = 1 << 52, 1 << 44
#: What fresh memory holds: neither zero nor a number that looks right. And what freed memory holds.
FRESH, FREED = 0xC7, 0xD9
_HOST_ALIGNMENT = 64
#: Freed pinned memory that is kept from being used again.
_KEPT_BYTES = 32 * 2**20


@dataclass(eq=False)
class Block:
    """One allocation, made for a device or on it."""

    what: ClassVar[str] = "memory"
    address: int
    size: int
    device: int

    @property
    def stop(self) -> int:
        """Where it ends."""
        return self.address + self.size


@dataclass(eq=False)
class DeviceBlock(Block):
    """One allocation on a device; it takes `charged` bytes of it."""

    what: ClassVar[str] = "device memory"
    charged: int
    content: Content


@dataclass(eq=False)
class PinnedBlock(Block):
    """One allocation of the host's memory that a device can reach."""

    what: ClassVar[str] = "pinned memory"
    buffer: NDArray[np.uint8] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.size} bytes of {self.what} at {self.address:#x}"


B = TypeVar("B", bound=Block)
D = TypeVar("D", bound=DeviceBlock)
P = TypeVar("P", bound=PinnedBlock)


class Blocks(Generic[B]):
    """Allocations of one kind, found by any address in them."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.alive: dict[int, B] = {}
        #: Size of each that was freed, and whether by a call that a fault made fail.
        self.freed: dict[int, tuple[int, bool]] = {}

    def at(self, address: int) -> B | None:
        """The block that holds this address."""
        for block in self.alive.values():
            if block.address <= address < block.address + block.size:
                return block
        return None

    def was_at(self, address: int) -> bool:
        """Whether memory that has been freed held this address."""
        return any(start <= address < start + size for start, (size, _) in self.freed.items())

    def add(self, block: B) -> B:
        """Keep a new block."""
        self.freed.pop(block.address, None)
        self.alive[block.address] = block
        return block

    def remove(self, block: B, excused: bool) -> None:
        """Forget it; `excused` when the call that does it is going to say that it failed."""
        del self.alive[block.address]
        self.freed[block.address] = (block.size, excused)


class DeviceMemory(Blocks[D]):
    """The memory of all devices. Addresses are never used twice. How much an allocation takes is the vendor's."""

    def __init__(self, devices: int, bytes_each: int) -> None:
        super().__init__(DeviceBlock.what)
        self.total = bytes_each
        self.used = [0] * devices
        self._next = [DEVICE_SPACE + device * _EACH_SPACE for device in range(devices)]

    def charge(self, device: int, size: int) -> bool:
        """Take that much of a device; False when it is not there."""
        if self.used[device] + size > self.total:
            return False
        self.used[device] += size
        return True

    def reserve(self, device: int, span: int) -> int:
        """An address with `span` bytes behind it that are nobody's.

        Make it more than the block: running over the end of one must never land in another.
        """
        start = self._next[device]
        self._next[device] += span
        return start

    def remove(self, block: D, excused: bool) -> None:
        super().remove(block, excused)
        self.used[block.device] -= block.charged


class PinnedMemory(Blocks[P]):
    """Pinned memory: the process's own, aligned; freed memory is overwritten, and kept for a while."""

    def __init__(self, kind: type[P]) -> None:
        super().__init__(kind.what)
        self._kind = kind
        self._kept: list[P] = []

    def allocate(self, device: int, size: int) -> P:
        """A block of `size` bytes."""
        whole = np.empty(size + _HOST_ALIGNMENT, np.uint8)
        skip = -whole.ctypes.data % _HOST_ALIGNMENT
        buffer = whole[skip : skip + size]
        buffer.fill(FRESH)
        return self.add(self._kind(int(buffer.ctypes.data), size, device, buffer))

    def remove(self, block: P, excused: bool) -> None:
        super().remove(block, excused)
        block.buffer.fill(FREED)
        self._kept.append(block)
        while sum(kept.size for kept in self._kept) > _KEPT_BYTES and len(self._kept) > 1:
            self.freed.pop(self._kept.pop(0).address)

    def written_after_free(self) -> list[P]:
        """Freed blocks whose bytes have changed since."""
        return [block for block in self._kept if not (block.buffer == FREED).all()]


def round_up(size: int, unit: int) -> int:
    """The next multiple of `unit`."""
    return -(-size // unit) * unit


def array_at(address: int, size: int, owner: Any) -> NDArray[np.uint8]:
    """Bytes of this process as an array that keeps `owner` alive."""
    buffer: Any = (ctypes.c_uint8 * size).from_address(address)
    buffer.owner = owner
    return np.frombuffer(buffer, np.uint8)
