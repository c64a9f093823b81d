"""Executing a model."""

from __future__ import annotations

from dataclasses import dataclass

from tests.doubles.acl.calls.descriptions import inputs
from tests.doubles.acl.calls.models import check_context
from tests.doubles.acl.errors import (
    GE_BATCH_INVALID,
    GE_MODEL_ID_INVALID,
    GE_PARAM_INVALID,
    INVALID_PARAM,
    SUCCESS,
    Breach,
    Refused,
)
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.models import SHAPE_DATA, DataBuffer, Dataset, Model
from tests.doubles.acl.om_file import Tensor
from tests.doubles.acl.places import Place, locate
from tests.doubles.acl.queues import queue, resolve
from tests.doubles.acl.streams import Access, Stream, Work
from tests.doubles.acl.surface import Later, api
from tests.doubles.simulated.content import Data, Fill, Piece
from tests.doubles.simulated.memory import FRESH

#: An input that is at most so many bytes too short is accepted, and garbage is computed.
_TOLERATED = 64


@api("mdl.execute", needs="context")
def execute(machine: Machine, model_id: int, input_dataset: int, output_dataset: int) -> Later:
    plan = _plan(machine, model_id, input_dataset, output_dataset, stream=None)
    work = plan.work(machine, machine.call.entered)
    race = machine.streams.conflict(work.accesses)
    if race is not None:
        machine.violation("race-between-streams", f"mdl.execute touches what {race.work.call} is still using")
    machine.streams.blocking.append(work)

    def finish() -> int:
        machine.streams.blocking.remove(work)
        work.finish()
        return SUCCESS

    return Later(work.due, finish, holding=machine.config.execute_holds_lock)


@api("mdl.execute_async", needs="context")
def execute_async(machine: Machine, model_id: int, input_dataset: int, output_dataset: int, stream: int) -> int:
    queued_on = resolve(machine, stream)
    plan = _plan(machine, model_id, input_dataset, output_dataset, queued_on)
    queue(machine, queued_on, plan.work(machine, queued_on.starts(machine.call.entered)))
    return SUCCESS


@api("mdl.set_dynamic_batch_size", needs="context")
def set_dynamic_batch_size(machine: Machine, model_id: int, dataset: int, index: int, batch_size: int) -> int:
    model = machine.models.handles.get(model_id, GE_MODEL_ID_INVALID)
    found = machine.models.datasets.get(dataset, INVALID_PARAM)
    if not model.metadata.dynamic:
        raise Breach(GE_PARAM_INVALID, "not-dynamic", f"{model} has no dynamic batch")
    tensors = inputs(machine, model)
    if not 0 <= index < len(tensors) or tensors[index].name != SHAPE_DATA or index >= len(found.buffers):
        raise Breach(GE_PARAM_INVALID, "shape-data-index", f"input {index} of {found} is not {SHAPE_DATA}")
    if batch_size not in model.metadata.batches:
        raise Refused(GE_BATCH_INVALID, f"batch {batch_size} is none of {list(model.metadata.batches)}")
    buffer = found.buffers[index]
    size = tensors[index].size(1)
    if buffer.size < size:
        raise Breach(GE_PARAM_INVALID, "buffer-size", f"{SHAPE_DATA} takes {size} bytes, its buffer has {buffer.size}")
    place = _device_place(machine, buffer, size, SHAPE_DATA)
    race = machine.streams.conflict([Access(place.address, place.address + size, writes=True)])
    if race is not None:
        machine.violation("overwritten-in-flight", f"the batch is changed while {race.work.call} is under way")
    found.batch, found.marker = batch_size, batch_size.to_bytes(size, "little")
    place.write([Piece(size, Data(found.marker))])
    model.batch = batch_size
    return SUCCESS


@dataclass(frozen=True)
class _Plan:
    """An execution that may take place: checked, its batch known."""

    call: str
    model: Model
    batch: int
    duration_ns: int
    poisoned: bool
    sources: tuple[tuple[Place, int, int], ...]
    targets: tuple[Place, ...]
    tokens: tuple[object, ...]

    def work(self, machine: Machine, start: int) -> Work:
        """The execution as work that begins at `start`."""
        sizes = [tensor.size(self.batch) for tensor in self.model.metadata.outputs]
        reads = [Access(place.address, place.address + there, writes=False) for place, there, _ in self.sources]
        writes = [
            Access(place.address, place.address + size, writes=True)
            for place, size in zip(self.targets, sizes, strict=True)
        ]

        def finish() -> None:
            given = self.sources[: len(self.model.metadata.inputs)]
            inputs_now = [_padded(place, there, wanted) for place, there, wanted in given]
            execution = self.model.engine.execution(self.batch, inputs_now, self.poisoned)
            for place, output in zip(self.targets, execution.sources(sizes), strict=True):
                place.write([output])

        return Work(self.call, start + self.duration_ns, (*reads, *writes), finish, self.tokens)


def _plan(machine: Machine, model_id: int, input_dataset: int, output_dataset: int, stream: Stream | None) -> _Plan:
    model = machine.models.handles.get(model_id, GE_MODEL_ID_INVALID)
    check_context(machine, model)
    given = machine.models.datasets.get(input_dataset, INVALID_PARAM)
    results = machine.models.datasets.get(output_dataset, INVALID_PARAM)
    race = machine.streams.using(model)
    if race is not None and (stream is None or race.stream is not stream):
        machine.violation("model-busy", f"{model} is executed while it is being executed elsewhere")
    batch = _batch(machine, model, given)
    tensors = inputs(machine, model)
    for dataset, count, what in ((given, len(tensors), "inputs"), (results, len(model.metadata.outputs), "outputs")):
        if len(dataset.buffers) != count:
            raise Breach(GE_PARAM_INVALID, "buffer-count", f"{len(dataset.buffers)} {what} given, {model} has {count}")
    sources = []
    for tensor, buffer in zip(tensors, given.buffers, strict=True):
        there = _input_size(machine, tensor, buffer, batch)
        sources.append((_device_place(machine, buffer, there, tensor.name), there, tensor.size(batch)))
    _check_marker(machine, tensors, given, sources)
    targets = []
    for tensor, buffer in zip(model.metadata.outputs, results.buffers, strict=True):
        wanted = tensor.size(batch)
        if buffer.size < wanted:
            raise Breach(GE_PARAM_INVALID, "buffer-size", f"{tensor.name} takes {wanted} bytes, {buffer} has fewer")
        targets.append(_device_place(machine, buffer, wanted, tensor.name))
    return _Plan(
        machine.call.name,
        model,
        batch,
        machine.duration_ns(batch),
        machine.call.poisoned,
        tuple(sources),
        tuple(targets),
        (model, given, results, *given.buffers, *results.buffers),
    )


def _batch(machine: Machine, model: Model, given: Dataset) -> int:
    if not model.metadata.dynamic:
        return model.metadata.largest
    if given.batch is None:
        raise Breach(GE_PARAM_INVALID, "batch-not-set", f"{model} executed before set_dynamic_batch_size for {given}")
    return given.batch


def _input_size(machine: Machine, tensor: Tensor, buffer: DataBuffer, batch: int) -> int:
    """Bytes of the buffer that are read. Raises Breach when it is much too short."""
    wanted = tensor.size(batch)
    if buffer.size >= wanted:
        if buffer.size > wanted and tensor.dims[:1] != (-1,):
            machine.remark("buffer-size", f"{tensor.name} takes {wanted} bytes, {buffer} has more")
        return wanted
    text = f"{tensor.name} takes {wanted} bytes, {buffer} has {wanted - buffer.size} fewer"
    if wanted - buffer.size > _TOLERATED:
        raise Breach(GE_PARAM_INVALID, "buffer-size", f"E13025: {text}")
    machine.violation("buffer-size", f"{text}: garbage is computed")
    return buffer.size


def _device_place(machine: Machine, buffer: DataBuffer, length: int, name: str) -> Place:
    """Where a buffer is. Raises Breach unless that is living memory of the thread's chip, and its size true."""
    if buffer not in machine.models.buffers.alive:
        raise Breach(GE_PARAM_INVALID, "data-buffer-used-after-release", f"{name}: {buffer} was destroyed")
    place = locate(machine, buffer.address, max(length, 1), name)
    if place.kind != "device":
        raise Breach(GE_PARAM_INVALID, "host-pointer-on-device", f"{name}: {buffer} is memory of the host")
    chip = machine.contexts.current.chip
    if buffer.size > place.available:
        machine.violation("buffer-size", f"{name}: {buffer}, where only {place.available} bytes are allocated")
    machine.expect(buffer.chip == chip, "other-chip", f"{name}: {buffer} is not on chip {chip}")
    return place


def _check_marker(
    machine: Machine, tensors: tuple[Tensor, ...], given: Dataset, sources: list[tuple[Place, int, int]]
) -> None:
    """What set_dynamic_batch_size wrote must still be there."""
    for tensor, (place, there, _) in zip(tensors, sources, strict=True):
        if tensor.name == SHAPE_DATA and b"".join(piece.read() for piece in place.pieces(there)) != given.marker:
            machine.violation("shape-data-overwritten", f"{SHAPE_DATA} is the runtime's to write, and was written to")


def _padded(place: Place, there: int, wanted: int) -> list[Piece]:
    """What an execution reads, with garbage in the place of what is missing."""
    pieces = place.pieces(there)
    return pieces if there == wanted else [*pieces, Piece(wanted - there, Fill(FRESH))]
