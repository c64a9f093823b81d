"""Memory of the chips, and pinned memory of the host, as CANN hands them out."""

from __future__ import annotations

import ctypes
from typing import ClassVar

from tests.doubles.simulated import memory
from tests.doubles.simulated.content import Content
from tests.doubles.simulated.memory import DEVICE_SPACE, FRESH, round_up


class DeviceBlock(memory.DeviceBlock):
    """One allocation on a chip, whose number is `device`."""

    def __str__(self) -> str:
        return f"{self.size} bytes of chip {self.device} at {self.address:#x}"


class PinnedBlock(memory.PinnedBlock):
    """One allocation of the host's memory that a chip can reach."""

    what: ClassVar[str] = "pinned host memory"


class DeviceMemory(memory.DeviceMemory[DeviceBlock]):
    """The memory of all chips."""

    @staticmethod
    def is_address(address: int) -> bool:
        """Whether a chip could have it."""
        return address >= DEVICE_SPACE

    def allocate(self, chip: int, size: int) -> DeviceBlock | None:
        """A block of `size` bytes, or None when the chip is full."""
        charged = round_up(size, 32) + 32
        if not self.charge(chip, charged):
            return None
        start = self.reserve(chip, round_up(size + 4096, 512))
        return self.add(DeviceBlock(start, size, chip, charged, Content(size, FRESH)))


class PinnedMemory(memory.PinnedMemory[PinnedBlock]):
    """The host's memory that chips can reach."""

    def __init__(self) -> None:
        super().__init__(PinnedBlock)


def host_bytes(address: int, length: int) -> bytes:
    """Copy out of the memory of this process."""
    return ctypes.string_at(address, length)


def to_host(address: int, data: bytes) -> None:
    """Copy into the memory of this process."""
    ctypes.memmove(address, data, len(data))
