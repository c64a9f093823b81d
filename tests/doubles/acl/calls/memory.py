"""Allocating and freeing, and asking how much is left."""

from __future__ import annotations

from typing import Any

from tests.doubles.acl.errors import INVALID_PARAM, OUT_OF_MEMORY, RT_PARAM_INVALID, SUCCESS, Breach, Refused
from tests.doubles.acl.handles import AlreadyGone
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.memory import DeviceBlock, PinnedBlock
from tests.doubles.acl.places import check_writable, locate
from tests.doubles.acl.streams import Access
from tests.doubles.acl.surface import RET, api
from tests.doubles.simulated.content import Fill, Piece
from tests.doubles.simulated.memory import B, Blocks


@api("rt.malloc", fails=(0, RET), needs="context")
def malloc(machine: Machine, size: int, policy: int) -> tuple[int, int]:
    _check_size(size)
    if policy not in (0, 1, 2):
        raise Breach(INVALID_PARAM, "malloc-policy", f"policy {policy}; there are 0, 1 and 2")
    chip = machine.contexts.current.chip
    block = machine.device.allocate(chip, size)
    if block is None:
        left = machine.device.total - machine.device.used[chip]
        raise Refused(OUT_OF_MEMORY, f"EL0004: chip {chip} has {left} bytes left, {size} were asked for")
    return block.address, SUCCESS


@api("rt.malloc_host", fails=(0, RET), needs="context")
def malloc_host(machine: Machine, size: int) -> tuple[int, int]:
    _check_size(size)
    return machine.pinned.allocate(machine.contexts.current.chip, size).address, SUCCESS


@api("rt.free", needs="context", releases=True)
def free(machine: Machine, address: int) -> int:
    block = _to_free(machine.device, address, "free", machine.pinned)
    _check_chip(machine, block)
    _check_idle(machine, block)
    machine.device.remove(block, machine.call.excused)
    return SUCCESS


@api("rt.free_host", needs="context", releases=True)
def free_host(machine: Machine, address: int) -> int:
    block = _to_free(machine.pinned, address, "free_host", machine.device)
    _check_idle(machine, block)
    machine.pinned.remove(block, machine.call.excused)
    return SUCCESS


@api("rt.memset", needs="context")
def memset(machine: Machine, address: int, max_count: int, value: int, count: int) -> int:
    if count <= 0 or count > max_count:
        raise Breach(RT_PARAM_INVALID, "copy-size", f"{count} bytes into a space said to be {max_count}")
    place = locate(machine, address, count, "memset")
    check_writable(machine, place)
    machine.expect(max_count <= place.available, "copy-size", f"{max_count} bytes said, {place.available} there")
    race = machine.streams.conflict([Access(address, address + count, writes=True)])
    if race is not None:
        machine.violation("overwritten-in-flight", f"memset over what {race.work.call} is still using")
    place.write([Piece(count, Fill(value & 0xFF))])
    return SUCCESS


@api("rt.get_mem_info", fails=(0, 0, RET), needs="context")
def get_mem_info(machine: Machine, attribute: int) -> tuple[int, int, int]:
    """Only DDR (0) is there on the chips that this double is about; of HBM (1) there are 0 bytes."""
    if attribute not in (0, 1):
        raise Breach(INVALID_PARAM, "mem-attribute", f"memory {attribute}; 0 is DDR, 1 is HBM")
    if attribute == 1:
        return 0, 0, SUCCESS
    total, used = machine.device.total, machine.device.used[machine.contexts.current.chip]
    return total - used, total, SUCCESS


def _check_size(size: int) -> None:
    if size <= 0:
        raise Breach(INVALID_PARAM, "malloc-size", f"{size} bytes asked for")


def _to_free(blocks: Blocks[B], address: int, function: str, others: Blocks[Any]) -> B:
    if address in blocks.alive:
        return blocks.alive[address]
    if address in blocks.freed:
        if blocks.freed[address][1]:
            raise AlreadyGone
        raise Breach(RT_PARAM_INVALID, "freed-twice", f"{blocks.what} at {address:#x} was freed before")
    if others.at(address) is not None:
        raise Breach(RT_PARAM_INVALID, "freed-as-wrong-kind", f"{others.at(address)} given to {function}")
    inside = blocks.at(address)
    text = f"{address:#x} lies inside {inside}, it is not its start" if inside else f"{address:#x} is no {blocks.what}"
    raise Breach(RT_PARAM_INVALID, "freed-unknown", text)


def _check_chip(machine: Machine, block: DeviceBlock | PinnedBlock) -> None:
    chip = machine.contexts.current.chip
    machine.expect(block.device == chip, "other-chip", f"{block} freed in a context of chip {chip}")


def _check_idle(machine: Machine, block: DeviceBlock | PinnedBlock) -> None:
    race = machine.streams.conflict([Access(block.address, block.stop, writes=True)])
    if race is not None and not race.hopeless:
        machine.violation("freed-in-flight", f"{block} is freed while {race.work.call} uses it")
