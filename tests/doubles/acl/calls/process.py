"""Beginning, end, and what the library is."""

from __future__ import annotations

import inspect
from pathlib import Path

from tests.doubles.acl.errors import (
    INVALID_FILE,
    REPEAT_FINALIZE,
    REPEAT_INITIALIZE,
    SUCCESS,
    UNINITIALIZED,
    Breach,
    Refused,
)
from tests.doubles.acl.handles import AlreadyGone
from tests.doubles.acl.leaks import at_finalize
from tests.doubles.acl.machine import Machine
from tests.doubles.acl.surface import RET, api


@api("init", needs="nothing")
def init(machine: Machine, config_path: str = "") -> int:
    if machine.initialised or machine.finalised:
        raise Breach(REPEAT_INITIALIZE, "init-twice", "init was called before in this process")
    if config_path and not Path(config_path).is_file():
        raise Refused(INVALID_FILE, f"the file {config_path} does not exist")
    machine.initialised = True
    return SUCCESS


@api("finalize", needs="nothing", releases=True)
def finalize(machine: Machine) -> int:
    if machine.finalised:
        if machine.finalise_excused:
            raise AlreadyGone
        raise Breach(REPEAT_FINALIZE, "finalize-twice", "finalize was called before in this process")
    if not machine.initialised:
        raise Breach(UNINITIALIZED, "before-init", "finalize before init")
    machine.expect(not _in_destructor(), "finalize-in-destructor", "finalize was called from a __del__")
    at_finalize(machine)
    machine.finalised, machine.finalise_excused = True, machine.call.excused
    return SUCCESS


@api("get_recent_err_msg", fails=None, needs="nothing")
def get_recent_err_msg(machine: Machine) -> str | None:
    return machine.take_message()


@api("get_soc_name", fails=None, needs="nothing")
def get_soc_name(machine: Machine) -> str:
    return machine.config.soc


@api("get_version", fails=(0, 0, 0, RET), needs="nothing")
def get_version(machine: Machine) -> tuple[int, int, int, int]:
    return 1, 0 if machine.config.api == "old" else 14, 0, SUCCESS


@api("get_version_str", fails=("", RET), needs="nothing", only=("new",))
def get_version_str(machine: Machine, package: str) -> tuple[str, int]:
    return f"simulated {package}", SUCCESS


@api("rt.get_run_mode", fails=(0, RET))
def get_run_mode(machine: Machine) -> tuple[int, int]:
    return machine.config.run_mode, SUCCESS


def _in_destructor() -> bool:
    """Whether some function on the stack is a destructor."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
