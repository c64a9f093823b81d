"""Memory that CUDA hands out: of the devices, at addresses that no process has, and page-locked memory of the host."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tests.doubles.acl.content import Content
from tests.doubles.cuda.errors import INVALID_VALUE, Breach

#: Above every address of a process on a 64-bit machine, so that reading one on the host ends the process, as it would.
DEVICE_SPACE, _EACH_SPACE = 1 << 52, 1 << 44
#: What fresh memory holds: neither zero nor a number that looks right. And what freed memory holds.
FRESH, FREED = 0xC7, 0xD9
_DEVICE_ALIGNMENT, _HOST_ALIGNMENT = 512, 64
#: Freed pinned memory that is kept from being used again.
_KEPT_BYTES = 32 * 2**20


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
class DeviceBlock:
    """One allocation on a device; it takes `charged` bytes of it."""

    address: int
    size: int
    device: int
    charged: int
    content: Content
    label: str
    what: str = "device memory"

    def __str__(self) -> str:
        return f"{self.label} ({self.size} bytes of device {self.device} at {self.address:#x})"


@dataclass(eq=False)
class PinnedBlock:
    """One allocation of page-locked host memory."""

    address: int
    size: int
    device: int
    buffer: NDArray[np.uint8] = field(repr=False)
    what: str = "pinned memory"
    #: what was read last, and from where on
    last: tuple[int, bytes] = field(default=(0, b""), repr=False)

    def __str__(self) -> str:
        return f"{self.size} bytes of pinned memory at {self.address:#x}"

    def read(self, address: int, size: int) -> bytes:
        """The bytes that lie there now; the same object as before where they are the same, which is much quicker."""
        start, known = self.last
        if start == address and len(known) == size and _MEMCMP(address, known, size) == 0:
            return known
        self.last = address, ctypes.string_at(address, size)
        return self.last[1]

    def write(self, address: int, data: bytes) -> None:
        self.buffer[address - self.address :][: len(data)] = np.frombuffer(data, np.uint8)


B = TypeVar("B", DeviceBlock, PinnedBlock)


class Blocks(Generic[B]):
    """Allocations of one kind, found by any address in them."""

    what = ""

    def __init__(self) -> None:
        self.alive: dict[int, B] = {}
        #: Size of each that was freed, and whether by a call that a fault made fail.
        self.freed: dict[int, tuple[int, bool]] = {}

    def holding(self, wanted: Range) -> B:
        """The block that a range lies in. Raises Breach where there is none."""
        for block in self.alive.values():
            if block.address <= wanted.address < block.address + block.size:
                if wanted.stop > block.address + block.size:
                    raise Breach(INVALID_VALUE, "out-of-bounds", f"{wanted} runs over the end of {block}")
                return block
        for start, (size, _) in self.freed.items():
            if start <= wanted.address < start + size:
                raise Breach(INVALID_VALUE, "used-after-free", f"{wanted} is {self.what} that was freed")
        raise Breach(INVALID_VALUE, f"not-{self.what.replace(' ', '-')}", f"{wanted} is no {self.what}")

    def has(self, address: int) -> bool:
        """Whether memory of this kind, alive or freed, has this address."""
        spans = [(block.address, block.size) for block in self.alive.values()]
        spans += [(start, size) for start, (size, _) in self.freed.items()]
        return any(start <= address < start + size for start, size in spans)

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

    def remove(self, block: B, excused: bool) -> None:
        del self.alive[block.address]
        self.freed[block.address] = (block.size, excused)


class DeviceMemory(Blocks[DeviceBlock]):
    """The memory of all devices. Addresses are never used twice."""

    what = "device memory"

    def __init__(self, devices: int, bytes_each: int) -> None:
        super().__init__()
        self.total = bytes_each
        self.used = [0] * devices
        self._next = [DEVICE_SPACE + device * _EACH_SPACE for device in range(devices)]

    def allocate(self, device: int, size: int, label: str) -> DeviceBlock | None:
        """A block of `size` bytes, or None when the device is full."""
        charged = -(-size // _DEVICE_ALIGNMENT) * _DEVICE_ALIGNMENT
        if self.used[device] + charged > self.total:
            return None
        self.used[device] += charged
        start = self._next[device]
        # A gap between blocks, so that running over the end of one never lands in another.
        self._next[device] += charged + 8 * _DEVICE_ALIGNMENT
        self.alive[start] = DeviceBlock(start, size, device, charged, Content(size, FRESH), label)
        return self.alive[start]

    def remove(self, block: DeviceBlock, excused: bool) -> None:
        super().remove(block, excused)
        self.used[block.device] -= block.charged


class PinnedMemory(Blocks[PinnedBlock]):
    """Pinned memory: the process's own, aligned; freed memory is overwritten, and kept for a while."""

    what = "pinned memory"

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[PinnedBlock] = []

    def allocate(self, device: int, size: int) -> PinnedBlock:
        """A block of `size` bytes."""
        whole = np.empty(size + _HOST_ALIGNMENT, np.uint8)
        skip = -whole.ctypes.data % _HOST_ALIGNMENT
        buffer = whole[skip : skip + size]
        buffer.fill(FRESH)
        start = int(buffer.ctypes.data)
        self.freed.pop(start, None)
        self.alive[start] = PinnedBlock(start, size, device, buffer)
        return self.alive[start]

    def remove(self, block: PinnedBlock, excused: bool) -> None:
        super().remove(block, excused)
        block.buffer.fill(FREED)
        self._kept.append(block)
        while sum(kept.size for kept in self._kept) > _KEPT_BYTES and len(self._kept) > 1:
            self.freed.pop(self._kept.pop(0).address)

    def written_after_free(self) -> list[PinnedBlock]:
        """Freed blocks whose bytes have changed since."""
        return [block for block in self._kept if not (block.buffer == FREED).all()]


def address_of(buffer: Any, writable: bool) -> Range:
    """Where the bytes of an object with Python's buffer interface lie. Raises BufferError, TypeError."""
    view = memoryview(buffer)
    if not view.c_contiguous or (writable and view.readonly):
        raise BufferError("the buffer is not contiguous, or is read-only")
    array = np.frombuffer(view, np.uint8) if view.nbytes else np.empty(0, np.uint8)
    return Range(int(array.ctypes.data), view.nbytes)


def array_at(address: int, size: int, owner: Any) -> NDArray[np.uint8]:
    """Bytes of this process as an array that keeps `owner` alive."""
    buffer: Any = (ctypes.c_uint8 * size).from_address(address)
    buffer.owner = owner
    return np.frombuffer(buffer, np.uint8)
