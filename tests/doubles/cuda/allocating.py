"""Calls for memory."""

from __future__ import annotations

from typing import Any

from tests.doubles.cuda.base import Machine
from tests.doubles.cuda.errors import CAPTURE_UNSUPPORTED, INVALID_VALUE, MEMORY_ALLOCATION, Breach, CudaFailure
from tests.doubles.cuda.memory import Found, Range
from tests.doubles.cuda.streams import using
from tests.doubles.cuda.surface import call
from tests.doubles.simulated.memory import B, array_at


class Allocating(Machine):
    """Memory of the current device, and of the host."""

    @call("cudaMalloc")
    def malloc(self, size: int, what: str = "device memory") -> int:
        """Address of `size` new bytes on the current device. `what` names them. Raises CudaFailure: full, a fault."""
        self._not_in_capture()
        if size <= 0:
            raise Breach(INVALID_VALUE, "empty-allocation", f"{size} bytes of device memory")
        block = self.device_memory.allocate(self.contexts.current().device, size, what)
        if block is None:
            raise CudaFailure(MEMORY_ALLOCATION)
        return block.address

    @call("cudaFree", releases=True)
    def free(self, address: int) -> None:
        """Give device memory back; address 0 is none. Raises CudaFailure."""
        self._free(self.device_memory, address)

    @call("cudaHostAlloc")
    def host_alloc(self, size: int) -> int:
        """Address of `size` new bytes of pinned memory. Raises CudaFailure."""
        self._not_in_capture()
        if size <= 0:
            raise Breach(INVALID_VALUE, "empty-allocation", f"{size} bytes of pinned memory")
        return self.pinned.allocate(self.contexts.current().device, size).address

    @call("cudaFreeHost", releases=True)
    def host_free(self, address: int) -> None:
        """Give pinned memory back; address 0 is none. Raises CudaFailure."""
        self._free(self.pinned, address)

    def host_array(self, address: int) -> Any:
        """The pinned allocation at `address` as numpy's uint8, which lives as long as the memory in the double."""
        block = self.pinned.alive[address]
        return array_at(block.address, block.size, block.buffer)

    @call("cudaMemGetInfo")
    def memory_info(self) -> tuple[int, int]:
        """Free and total bytes of the current device."""
        used = self.device_memory.used[self.contexts.current().device]
        return self.device_memory.total - used, self.device_memory.total

    def peek(self, address: int, size: int) -> bytes:
        """For tests: device memory as it is after all that somebody has waited for. Raises CudaFailure."""
        wanted = Range(address, size)
        block = self.device_memory.holding(wanted)
        return block.content.read(wanted.address - block.address, size)

    def poke(self, address: int, data: bytes) -> None:
        """For tests, and for doubles that fill memory of their own: write device memory now. Raises CudaFailure."""
        block = self.device_memory.holding(Range(address, len(data)))
        block.content.write_bytes(address - block.address, data)

    def _free(self, blocks: Found[B], address: int) -> None:
        """Free a block; recorded where unfinished work uses it."""
        self._not_in_capture()
        block = blocks.to_free(address) if address else None
        if block is None:
            return
        met = using(self.all_streams(), touched=Range(block.address, block.size))
        if met is not None and not met[1].failed and not self.lost:
            self.violation("freed-in-flight", f"{block} is freed while {met[0].node.call} in {met[1]} uses it")
        blocks.remove(block, self.call.excused)

    def _not_in_capture(self) -> None:
        """Raise Breach, and spoil the capture, where this thread may not do what could wait for the device."""
        stream = self.restricting_capture()
        if stream is not None:
            assert stream.capture is not None
            stream.capture.broken = f"{self.call.name} during the capture"
            raise Breach(CAPTURE_UNSUPPORTED, "call-in-capture", f"{self.call.name} while {stream} is capturing")
