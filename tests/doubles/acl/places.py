"""What an address is: memory of a chip, pinned memory, or plain memory of the process; and reading and writing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.doubles.acl.errors import DRIVER_INTERNAL, RT_PARAM_INVALID, Breach
from tests.doubles.acl.host_pointers import HostPointer, is_mapped
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.memory import DeviceBlock, PinnedBlock, host_bytes, to_host
from tests.doubles.simulated.content import Data, Piece, join


@dataclass(frozen=True)
class Place:
    """Memory from `address` on, of which `available` bytes belong to the same allocation."""

    kind: Literal["device", "pinned", "host"]
    address: int
    available: int
    block: DeviceBlock | PinnedBlock | HostPointer | None = None

    @property
    def on_host(self) -> bool:
        """Whether the host can read it."""
        return self.kind != "device"

    def pieces(self, length: int) -> list[Piece]:
        """What is there now."""
        if isinstance(self.block, DeviceBlock):
            return self.block.content.slice(self.address - self.block.address, length)
        return [Piece(length, Data(host_bytes(self.address, length)))]

    def write(self, pieces: list[Piece]) -> None:
        """Put bytes there."""
        if not isinstance(self.block, DeviceBlock):
            to_host(self.address, join(pieces))
        elif len(pieces) == 1 and isinstance(pieces[0].source, Data):
            self.block.content.write_bytes(self.address - self.block.address, pieces[0].read())
        else:
            self.block.content.write(self.address - self.block.address, pieces)


def locate(machine: Machine, address: int, length: int, role: str) -> Place:
    """The memory at `address`, with `length` bytes there. Raises Breach where that is not so."""
    for kind, blocks in (("device", machine.device), ("pinned", machine.pinned)):
        block = blocks.at(address)
        if block is not None:
            available = block.stop - address
            if length > available:
                raise Breach(DRIVER_INTERNAL, "out-of-bounds", f"{role}: {length} bytes where {block} has {available}")
            return Place("device" if kind == "device" else "pinned", address, available, block)
        if blocks.was_at(address):
            raise Breach(DRIVER_INTERNAL, "used-after-free", f"{role}: {kind} memory at {address:#x} has been freed")
    if machine.device.is_address(address):
        raise Breach(DRIVER_INTERNAL, "out-of-bounds", f"{role}: nothing is allocated at {address:#x} of a chip")
    return _host(machine, address, length, role)


def _host(machine: Machine, address: int, length: int, role: str) -> Place:
    given = machine.host.at(address)
    if given is None:
        if not is_mapped(address, max(length, 1)):
            raise Breach(RT_PARAM_INVALID, "wild-pointer", f"{role}: {address:#x} is no address of this process")
        machine.remark("unknown-host-pointer", f"{role}: {address:#x} came from elsewhere than acl.util: not watched")
        return Place("host", address, length)
    available = given.start + given.size - address
    if given.dropped:
        machine.violation(
            "dangling-host-pointer",
            f"{role}: the object whose memory is at {address:#x} has been let go of; keep it in a variable",
        )
    if length > available:
        raise Breach(DRIVER_INTERNAL, "out-of-bounds", f"{role}: {length} bytes of an object that has {available}")
    return Place("host", address, available, given)


def check_writable(machine: Machine, place: Place) -> None:
    """Record a violation where the memory belongs to an object that must not change."""
    if isinstance(place.block, HostPointer) and not place.block.writable:
        machine.violation("written-to-constant", f"{place.address:#x} belongs to a bytes object or a read-only array")
