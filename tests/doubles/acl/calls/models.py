"""Loading models, and what can be asked about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.doubles.acl.errors import (
    GE_LOAD_FAILED,
    GE_MODEL_ID_INVALID,
    GE_PATH_INVALID,
    INVALID_PARAM,
    OUT_OF_MEMORY,
    RT_MODEL_CONTEXT,
    SUCCESS,
    Breach,
    Refused,
)
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.memory import host_bytes
from tests.doubles.acl.models import Description, Model
from tests.doubles.acl.om_file import BadOm
from tests.doubles.acl.places import locate
from tests.doubles.acl.surface import RET, api


@api("mdl.load_from_file", fails=(0, RET), needs="context")
def load_from_file(machine: Machine, path: str) -> tuple[int, int]:
    return _load(machine, _content(path)), SUCCESS


@api("mdl.load_from_mem", fails=(0, RET), needs="context")
def load_from_mem(machine: Machine, address: int, size: int) -> tuple[int, int]:
    place = locate(machine, address, size, "model")
    if not place.on_host:
        raise Breach(INVALID_PARAM, "device-pointer-on-host", "load_from_mem reads memory of the host")
    return _load(machine, host_bytes(address, size)), SUCCESS


@api("mdl.query_size", fails=(0, 0, RET))
def query_size(machine: Machine, path: str) -> tuple[int, int, int]:
    try:
        engine = machine.models.engine(_content(path))
    except BadOm as error:
        raise Refused(GE_LOAD_FAILED, str(error)) from error
    return engine.metadata.work_size, engine.weight_size, SUCCESS


@api("mdl.unload", needs="context", releases=True)
def unload(machine: Machine, model_id: int) -> int:
    model = machine.models.handles.to_release(model_id, GE_MODEL_ID_INVALID)
    check_context(machine, model)
    race = machine.streams.using(model)
    if race is not None and not race.hopeless:
        machine.violation("unloaded-in-flight", f"{model} is unloaded while {race.work.call} runs it")
    machine.device.used[model.context.chip] -= model.charged
    machine.models.handles.release(model, machine.call.excused)
    return SUCCESS


@api("mdl.create_desc", fails=0)
def create_desc(machine: Machine) -> int:
    return machine.models.descriptions.add(Description).handle


@api("mdl.get_desc")
def get_desc(machine: Machine, description: int, model_id: int) -> int:
    found = machine.models.descriptions.get(description, INVALID_PARAM)
    found.model = machine.models.handles.get(model_id, GE_MODEL_ID_INVALID)
    return SUCCESS


@api("mdl.destroy_desc", releases=True)
def destroy_desc(machine: Machine, description: int) -> int:
    found = machine.models.descriptions.to_release(description, INVALID_PARAM)
    machine.models.descriptions.release(found, machine.call.excused)
    return SUCCESS


@api("mdl.get_dynamic_batch", fails=({}, RET))
def get_dynamic_batch(machine: Machine, description: int) -> tuple[dict[str, Any], int]:
    """Count 0: not dynamic."""
    metadata = described(machine, description).metadata
    gears = list(metadata.batches) if metadata.dynamic else []
    return {"batchCount": len(gears), "batch": gears}, SUCCESS


def described(machine: Machine, description: int) -> Model:
    """The model of a description. Raises Breach when get_desc did not fill it."""
    found = machine.models.descriptions.get(description, INVALID_PARAM)
    if found.model is None:
        raise Breach(INVALID_PARAM, "empty-description", f"{found}: get_desc has not filled it")
    return found.model


def check_context(machine: Machine, model: Model) -> None:
    """Raise Breach unless the model was loaded in the thread's context."""
    if model.context is not machine.contexts.current:
        raise Breach(RT_MODEL_CONTEXT, "model-context", f"{model} was loaded in another context than this thread's")


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Refused(GE_PATH_INVALID, f"E10001: the model file {path} cannot be read: {error.strerror}") from error


def _load(machine: Machine, content: bytes) -> int:
    try:
        engine = machine.models.engine(content)
    except BadOm as error:
        raise Refused(GE_LOAD_FAILED, str(error)) from error
    metadata, context = engine.metadata, machine.contexts.current
    if metadata.soc != machine.config.soc:
        text = f"the model was made for {metadata.soc}, the device is {machine.config.soc}"
        raise Refused(machine.config.foreign_soc_code, text)
    needed = metadata.work_size + engine.weight_size
    if not machine.device.charge(context.chip, needed):
        left = machine.device.total - machine.device.used[context.chip]
        raise Refused(OUT_OF_MEMORY, f"EL0004: the model needs {needed} bytes of chip {context.chip}, {left} are left")
    return machine.models.handles.add(lambda handle: Model(handle, context, engine, needed)).handle
