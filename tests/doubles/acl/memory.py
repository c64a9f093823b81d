"""Memory that the runtime hands out: of the chips, at addresses that no process has, and pinned memory of the host."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tests.doubles.acl.content import Content

#: Above every address of a process on a 64-bit machine, so that reading one on the host ends the process, as it would.
_DEVICE_SPACE, _CHIP_SPACE = 1 << 52, 1 << 44
#: What fresh memory holds: neither zero nor a number that looks right.
FRESH, FREED = 0xC7, 0xD9
_ALIGNMENT = 64
#: Freed pinned memory that is kept from being used again.
_KEPT_BYTES = 32 * 2**20


@dataclass(eq=False)
class DeviceBlock:
    """One allocation on a chip; it takes `charged` bytes of it."""

    handle: int
    size: int
    chip: int
    charged: int
    content: Content
    what: str = "device memory"

    def __str__(self) -> str:
        return f"{self.size} bytes of chip {self.chip} at {self.handle:#x}"


@dataclass(eq=False)
class PinnedBlock:
    """One allocation of the host's memory that a chip can reach."""

    handle: int
    size: int
    chip: int
    buffer: NDArray[np.uint8] = field(repr=False)
    what: str = "pinned host memory"

    def __str__(self) -> str:
        return f"{self.size} bytes of pinned host memory at {self.handle:#x}"


B = TypeVar("B", DeviceBlock, PinnedBlock)


class Blocks(Generic[B]):
    """Allocations of one kind, found by any address in them."""

    def __init__(self) -> None:
        self.alive: dict[int, B] = {}
        #: Size of each that was freed, and whether by a call that a fault made fail.
        self.freed: dict[int, tuple[int, bool]] = {}

    def at(self, address: int) -> B | None:
        """The block that holds this address."""
        for block in self.alive.values():
            if block.handle <= address < block.handle + block.size:
                return block
        return None

    def was_at(self, address: int) -> bool:
        """Whether memory that has been freed held this address."""
        return any(start <= address < start + size for start, (size, _) in self.freed.items())

    def remove(self, block: B, excused: bool) -> None:
        del self.alive[block.handle]
        self.freed[block.handle] = (block.size, excused)


class DeviceMemory(Blocks[DeviceBlock]):
    """The memory of all chips. Addresses are never used twice."""

    def __init__(self, chips: int, bytes_each: int) -> None:
        super().__init__()
        self.total = bytes_each
        self.used = [0] * chips
        self._next = [_DEVICE_SPACE + chip * _CHIP_SPACE for chip in range(chips)]

    @staticmethod
    def is_address(address: int) -> bool:
        """Whether a chip could have it."""
        return address >= _DEVICE_SPACE

    def charge(self, chip: int, size: int) -> bool:
        """Take that much of a chip; False when it is not there."""
        if self.used[chip] + size > self.total:
            return False
        self.used[chip] += size
        return True

    def allocate(self, chip: int, size: int) -> DeviceBlock | None:
        """A block of `size` bytes, or None when the chip is full."""
        charged = -(-size // 32) * 32 + 32
        if not self.charge(chip, charged):
            return None
        start = self._next[chip]
        # A gap between blocks, so that running over the end of one never lands in another.
        self._next[chip] += -(-(size + 4096) // 512) * 512
        self.alive[start] = DeviceBlock(start, size, chip, charged, Content(size, FRESH))
        return self.alive[start]

    def remove(self, block: DeviceBlock, excused: bool) -> None:
        super().remove(block, excused)
        self.used[block.chip] -= block.charged


class PinnedMemory(Blocks[PinnedBlock]):
    """Pinned memory: the process's own, aligned; freed memory is overwritten, and kept for a while."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[PinnedBlock] = []

    def allocate(self, chip: int, size: int) -> PinnedBlock:
        """A block of `size` bytes."""
        whole = np.empty(size + _ALIGNMENT, np.uint8)
        skip = -whole.ctypes.data % _ALIGNMENT
        buffer = whole[skip : skip + size]
        buffer.fill(FRESH)
        start = int(buffer.ctypes.data)
        self.freed.pop(start, None)
        self.alive[start] = PinnedBlock(start, size, chip, buffer)
        return self.alive[start]

    def remove(self, block: PinnedBlock, excused: bool) -> None:
        super().remove(block, excused)
        block.buffer.fill(FREED)
        self._kept.append(block)
        while sum(kept.size for kept in self._kept) > _KEPT_BYTES and len(self._kept) > 1:
            self.freed.pop(self._kept.pop(0).handle)

    def written_after_free(self) -> list[PinnedBlock]:
        """Freed blocks whose bytes have changed since."""
        return [block for block in self._kept if not (block.buffer == FREED).all()]


def host_bytes(address: int, length: int) -> bytes:
    """Copy out of the memory of this process."""
    return ctypes.string_at(address, length)


def to_host(address: int, data: bytes) -> None:
    """Copy into the memory of this process."""
    ctypes.memmove(address, data, len(data))


def array_at(address: int, length: int, owner: Any) -> NDArray[np.uint8]:
    """Bytes of this process as an array, which keeps `owner` alive."""
    buffer: Any = (ctypes.c_uint8 * length).from_address(address)
    buffer.owner = owner
    return np.frombuffer(buffer, np.uint8)
