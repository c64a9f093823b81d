"""What is still alive where it must be gone: before a context is destroyed, a device reset, the library finalised."""

from __future__ import annotations

from typing import Any

from tests.doubles.acl.contexts import Context
from tests.doubles.acl.machine import Machine


def at_destroy_context(machine: Machine, context: Context) -> None:
    """Streams, events and models of a context come before it."""
    for thing in _of_context(machine, context):
        machine.violation("release-order", f"{context} is destroyed before {thing}")
    idle = not context.own_stream.works or context.own_stream.failed
    machine.expect(idle, "destroyed-in-flight", f"{context} has unfinished work in stream 0")


def at_reset(machine: Machine, chip: int) -> None:
    """Everything of a chip is gone by its last reset_device; what is not is a leak, and goes now."""
    for context in machine.contexts.handles.alive:
        if context.chip != chip:
            continue
        for thing in _of_context(machine, context):
            _lose(machine, thing)
        if not context.default:
            machine.leak(context)
            machine.contexts.destroy(context, excused=False)
    blocks: list[Any] = [*machine.device.alive.values(), *machine.pinned.alive.values()]
    for block in blocks:
        if block.device == chip:
            _lose(machine, block)
    for dataset in machine.models.datasets.alive:
        if any(buffer.chip == chip for buffer in dataset.buffers):
            _lose(machine, dataset)
    for buffer in machine.models.buffers.alive:
        if buffer.chip == chip:
            _lose(machine, buffer)
    for description in machine.models.descriptions.alive:
        if description.model is not None and description.model.context.chip == chip:
            _lose(machine, description)


def at_finalize(machine: Machine) -> None:
    """Every device has been reset, and nothing at all is left."""
    for chip, times in machine.contexts.set_times.items():
        if times:
            machine.violation("finalize-before-reset", f"set_device({chip}) has {times} reset_device outstanding")
            at_reset(machine, chip)
            machine.contexts.close_device(chip)
    for thing in everything(machine):
        _lose(machine, thing)
    for block in machine.pinned.written_after_free():
        machine.violation("written-after-free", f"{block} was written to after free_host")


def at_exit(machine: Machine) -> None:
    """The process ends."""
    machine.call.name = "exit"
    if machine.initialised and not machine.finalised:
        machine.violation("exit-without-finalize", "the process ends without finalize")
        for thing in everything(machine):
            machine.leak(thing)
    machine.journal.add("exit", calls=dict(machine.calls))


def everything(machine: Machine) -> list[Any]:
    """All that a client can release and has not."""
    return [
        *machine.models.datasets.alive,
        *machine.models.buffers.alive,
        *machine.models.descriptions.alive,
        *machine.models.handles.alive,
        *machine.streams.events.alive,
        *machine.streams.handles.alive,
        *machine.device.alive.values(),
        *machine.pinned.alive.values(),
        *(context for context in machine.contexts.handles.alive if not context.default),
    ]


def _of_context(machine: Machine, context: Context) -> list[Any]:
    owned: list[Any] = [*machine.models.handles.alive, *machine.streams.events.alive, *machine.streams.handles.alive]
    return [thing for thing in owned if thing.context is context]


def _lose(machine: Machine, thing: Any) -> None:
    """Record a leak, and let go of the thing: the runtime has."""
    machine.leak(thing)
    stores: dict[str, Any] = {
        "dataset": machine.models.datasets,
        "data buffer": machine.models.buffers,
        "description": machine.models.descriptions,
        "model": machine.models.handles,
        "event": machine.streams.events,
        "stream": machine.streams.handles,
        "context": machine.contexts.handles,
    }
    if thing.what in stores:
        stores[thing.what].release(thing)
        if thing.what == "model":
            machine.device.used[thing.context.chip] -= thing.charged
    else:
        store = machine.device if thing.what == "device memory" else machine.pinned
        store.remove(thing, excused=False)
