"""Copies between host and device, in order with a stream or not."""

from __future__ import annotations

from tests.doubles.acl.errors import FEATURE_NOT_SUPPORTED, RT_PARAM_INVALID, SUCCESS, Breach
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.memory import DeviceBlock
from tests.doubles.acl.places import Place, check_writable, locate
from tests.doubles.acl.queues import queue, resolve
from tests.doubles.acl.streams import Access, Work
from tests.doubles.acl.surface import Later, api
from tests.doubles.simulated.content import join

_HOST_TO_HOST, _DEFAULT_KIND = 0, 4
_KINDS = {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}
_NAMES = ("host to host", "host to device", "device to host", "device to device", "default")
_ALIGNMENT = 64


@api("rt.memcpy", needs="context")
def memcpy(machine: Machine, destination: int, dest_max: int, source: int, count: int, kind: int) -> int | Later:
    origin, target = _ends(machine, destination, dest_max, source, count, kind)
    for race in (machine.streams.conflict([access]) for access in _accesses(origin, target, count)):
        if race is not None and race.writes:
            machine.violation("read-before-synchronise", f"the copy touches what {race.work.call} is still writing")
        elif race is not None:
            machine.violation("overwritten-in-flight", f"the copy overwrites what {race.work.call} is still reading")
    pieces = origin.pieces(count)
    until = machine.call.entered + machine.copy_ns
    if not target.on_host:
        target.write(pieces)
        return Later(until, lambda: SUCCESS)

    def finish() -> int:
        target.write(pieces)
        return SUCCESS

    # Results are computed by whoever first brings them to the host; other threads go on meanwhile.
    return Later(until, finish, prepare=lambda: join(pieces))


@api("rt.memcpy_async", needs="context")
def memcpy_async(
    machine: Machine, destination: int, dest_max: int, source: int, count: int, kind: int, stream: int
) -> int | Later:
    queued_on = resolve(machine, stream)
    if kind == _HOST_TO_HOST:
        raise Breach(FEATURE_NOT_SUPPORTED, "copy-kind", "memcpy_async from host to host is not supported")
    origin, target = _ends(machine, destination, dest_max, source, count, kind)
    for role, place in (("source", origin), ("destination", target)):
        aligned = place.address % _ALIGNMENT == 0
        machine.expect(aligned, "unaligned", f"the {role} {place.address:#x} is not aligned to {_ALIGNMENT} bytes")
    before = join(origin.pieces(count)) if origin.kind == "pinned" else b""

    def finish() -> None:
        pieces = origin.pieces(count)
        if before and join(pieces) != before:
            machine.violation("overwritten-in-flight", "the source of a memcpy_async was changed before it was done")
        target.write(pieces)

    work = Work(
        "rt.memcpy_async",
        queued_on.starts(machine.call.entered) + machine.copy_ns,
        tuple(_accesses(origin, target, count)),
        finish,
    )
    queue(machine, queued_on, work)
    if "host" not in (origin.kind, target.kind):
        return SUCCESS
    machine.remark("copy-not-asynchronous", "memcpy_async of memory that is not from malloc_host waits for the copy")
    works = list(queued_on.works)

    def wait() -> int:
        queued_on.retire(works)
        return SUCCESS

    return Later(work.due, wait)


def _ends(machine: Machine, destination: int, dest_max: int, source: int, count: int, kind: int) -> tuple[Place, Place]:
    """Source and target, checked. Raises Breach where nothing can be copied."""
    if count <= 0 or count > dest_max:
        raise Breach(RT_PARAM_INVALID, "copy-size", f"{count} bytes into a space said to be {dest_max}")
    origin = locate(machine, source, count, "source")
    target = locate(machine, destination, count, "destination")
    if dest_max > target.available:
        machine.violation("copy-size", f"the destination was said to be {dest_max} bytes, it has {target.available}")
    check_writable(machine, target)
    for place in (origin, target):
        if isinstance(place.block, DeviceBlock):
            chip = machine.contexts.current.chip
            machine.expect(
                place.block.device == chip, "other-chip", f"{place.block} copied in a context of chip {chip}"
            )
    _check_kind(machine, kind, _KINDS[origin.on_host, target.on_host])
    return origin, target


def _check_kind(machine: Machine, kind: int, real: int) -> None:
    old = machine.config.api == "old"
    if not 0 <= kind <= (3 if old else _DEFAULT_KIND):
        raise Breach(RT_PARAM_INVALID, "copy-kind", f"kind {kind} does not exist")
    if kind in (real, _DEFAULT_KIND):
        return
    text = f"kind {kind} ({_NAMES[kind]}) for a copy from {_NAMES[real]}"
    if old:
        raise Breach(RT_PARAM_INVALID, "copy-kind", text)
    machine.violation("copy-kind", text)


def _accesses(origin: Place, target: Place, count: int) -> list[Access]:
    return [
        Access(origin.address, origin.address + count, writes=False),
        Access(target.address, target.address + count, writes=True),
    ]
