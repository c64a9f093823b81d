"""Data buffers and datasets."""

from __future__ import annotations

from tests.doubles.acl.errors import INVALID_PARAM, SUCCESS, Breach
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.models import DataBuffer, Dataset
from tests.doubles.acl.surface import RET, api


@api("create_data_buffer", fails=0)
def create_data_buffer(machine: Machine, address: int, size: int) -> int:
    _check_pointer(machine, address, size)
    block = machine.device.at(address)
    chip = None if block is None else block.device
    return machine.models.buffers.add(lambda handle: DataBuffer(handle, address, size, chip)).handle


@api("update_data_buffer")
def update_data_buffer(machine: Machine, data_buffer: int, address: int, size: int) -> int:
    buffer = machine.models.buffers.get(data_buffer, INVALID_PARAM)
    _check_idle(machine, buffer, "changed")
    _check_pointer(machine, address, size)
    block = machine.device.at(address)
    buffer.address, buffer.size, buffer.chip = address, size, None if block is None else block.device
    return SUCCESS


@api("destroy_data_buffer", releases=True)
def destroy_data_buffer(machine: Machine, data_buffer: int) -> int:
    buffer = machine.models.buffers.to_release(data_buffer, INVALID_PARAM)
    _check_idle(machine, buffer, "destroyed")
    machine.models.buffers.release(buffer, machine.call.excused)
    return SUCCESS


@api("get_data_buffer_addr", fails=0)
def get_data_buffer_addr(machine: Machine, data_buffer: int) -> int:
    return machine.models.buffers.get(data_buffer, INVALID_PARAM).address


@api("get_data_buffer_size", fails=0)
def get_data_buffer_size(machine: Machine, data_buffer: int) -> int:
    return machine.models.buffers.get(data_buffer, INVALID_PARAM).size


@api("mdl.create_dataset", fails=0)
def create_dataset(machine: Machine) -> int:
    return machine.models.datasets.add(Dataset).handle


@api("mdl.destroy_dataset", releases=True)
def destroy_dataset(machine: Machine, dataset: int) -> int:
    found = machine.models.datasets.to_release(dataset, INVALID_PARAM)
    _check_idle(machine, found, "destroyed")
    machine.models.datasets.release(found, machine.call.excused)
    return SUCCESS


@api("mdl.add_dataset_buffer", fails=(0, RET))
def add_dataset_buffer(machine: Machine, dataset: int, data_buffer: int) -> tuple[int, int]:
    """Returns the dataset again, and then the code."""
    found = machine.models.datasets.get(dataset, INVALID_PARAM)
    buffer = machine.models.buffers.get(data_buffer, INVALID_PARAM)
    machine.expect(buffer not in found.buffers, "buffer-added-twice", f"{buffer} is in {found} already")
    found.buffers.append(buffer)
    return dataset, SUCCESS


@api("mdl.get_dataset_num_buffers", fails=0)
def get_dataset_num_buffers(machine: Machine, dataset: int) -> int:
    return len(machine.models.datasets.get(dataset, INVALID_PARAM).buffers)


@api("mdl.get_dataset_buffer", fails=0)
def get_dataset_buffer(machine: Machine, dataset: int, index: int) -> int:
    buffers = machine.models.datasets.get(dataset, INVALID_PARAM).buffers
    if not 0 <= index < len(buffers):
        raise Breach(INVALID_PARAM, "index", f"buffer {index} of a dataset of {len(buffers)}")
    return buffers[index].handle


def _check_pointer(machine: Machine, address: int, size: int) -> None:
    """Allowed, and never right in a benchmark: an input that is nowhere, or an output that execute allocates."""
    machine.expect(address != 0 and size > 0, "empty-buffer", f"a data buffer of {size} bytes at {address:#x}")


def _check_idle(machine: Machine, thing: DataBuffer | Dataset, what: str) -> None:
    race = machine.streams.using(thing)
    if race is not None and not race.hopeless:
        machine.violation("destroyed-in-flight", f"{thing} is {what} while {race.work.call} uses it")
