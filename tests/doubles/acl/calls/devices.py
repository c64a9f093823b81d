"""Devices and contexts."""

from __future__ import annotations

from tests.doubles.acl.errors import FEATURE_NOT_SUPPORTED, RT_PARAM_INVALID, SUCCESS, Breach, Refused
from tests.doubles.acl.leaks import at_destroy_context, at_reset
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.surface import RET, api


@api("rt.get_device_count", fails=(0, RET))
def get_device_count(machine: Machine) -> tuple[int, int]:
    return machine.config.chips, SUCCESS


@api("rt.set_device")
def set_device(machine: Machine, device_id: int) -> int:
    machine.contexts.check_chip(device_id)
    machine.contexts.excused.discard(device_id)
    machine.contexts.set_device(device_id)
    return SUCCESS


@api("rt.reset_device", releases=True)
def reset_device(machine: Machine, device_id: int) -> int:
    machine.contexts.check_chip(device_id)
    last = machine.contexts.reset(device_id)
    if machine.call.excused:
        machine.contexts.excused.add(device_id)
    if last:
        at_reset(machine, device_id)
        machine.contexts.close_device(device_id)
    else:
        machine.remark("reset-counted", "older CANN may not count set_device calls and close the device at once")
    return SUCCESS


@api("rt.get_device", fails=(0, RET), needs="context")
def get_device(machine: Machine) -> tuple[int, int]:
    return machine.contexts.current.chip, SUCCESS


@api("rt.create_context", fails=(0, RET))
def create_context(machine: Machine, device_id: int) -> tuple[int, int]:
    machine.contexts.check_chip(device_id)
    if not machine.contexts.set_times.get(device_id):
        machine.remark("context-without-device", f"create_context({device_id}) without set_device: nothing resets it")
    return machine.contexts.create(device_id).handle, SUCCESS


@api("rt.set_context")
def set_context(machine: Machine, context: int) -> int:
    machine.contexts.make_current(machine.contexts.handles.get(context, RT_PARAM_INVALID))
    return SUCCESS


@api("rt.get_context", fails=(0, RET), needs="context")
def get_context(machine: Machine) -> tuple[int, int]:
    return machine.contexts.current.handle, SUCCESS


@api("rt.destroy_context", releases=True)
def destroy_context(machine: Machine, context: int) -> int:
    found = machine.contexts.handles.to_release(context, RT_PARAM_INVALID)
    if found.default:
        raise Breach(RT_PARAM_INVALID, "default-context-destroyed", f"{found} goes with reset_device, not before")
    at_destroy_context(machine, found)
    machine.contexts.destroy(found, machine.call.excused)
    return SUCCESS


@api("rt.get_device_utilization_rate", fails=({}, RET), only=("both", "new"))
def get_device_utilization_rate(machine: Machine, device_id: int) -> tuple[dict[str, int], int]:
    machine.contexts.check_chip(device_id)
    raise Refused(FEATURE_NOT_SUPPORTED, "the names in its dict are not established, so this double has none")
