"""CANN's module `acl` behind one rule: no return code goes unread."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, NoReturn

from backends.acl.codes import explain
from backends.base import BackendUnavailable, DeviceError
from backends.convert.atc_errors import advice as advice_on

#: Texts of CANN can be whole traces; their first lines say what happened.
_LONGEST = 300
#: What any pyACL has; another package named `acl` has not.
_PARTS = ("init", "finalize", "rt", "mdl")

NO_CANN = (
    "CANN's Python module acl was not found: CANN is not installed, or its set_env.sh was not sourced; run"
    " 'source <CANN>/set_env.sh' (PyPI's package pyacl is an unrelated library and does not help)."
)


def load_module() -> ModuleType:
    """CANN's `acl`. Raises BackendUnavailable when it is not there, does not load, or is something else."""
    try:
        module = importlib.import_module("acl")
    except ModuleNotFoundError:
        raise BackendUnavailable(NO_CANN) from None
    except (ImportError, OSError) as error:  # a library of CANN's or of the driver's that does not load
        reason = " ".join(str(error).split())
        raise BackendUnavailable(
            f"CANN's module acl does not load ({reason}); source CANN's set_env.sh, and check that the driver is"
            " installed (its libraries lie in /usr/local/Ascend/driver/lib64)."
        ) from None
    missing = [name for name in _PARTS if not hasattr(module, name)]
    if missing:
        where = getattr(module, "__file__", None) or "an unknown place"
        raise BackendUnavailable(
            f"'import acl' gives {where}, which is not CANN's (it has no {missing[0]}); uninstall the package that it"
            " comes from (PyPI's pyacl or pylibacl), then source CANN's set_env.sh."
        )
    return module


class Library:
    """pyACL's functions by their dotted names, `rt.malloc` for `acl.rt.malloc`.

    They return a code, a value and a code, or a value alone: `do`, `get` and `ask`. Raises DeviceError where a code is
    not 0, where this pyACL lacks the function, or where it answers in another form than is documented.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def function(self, name: str) -> Any:
        """The bare function, for the timed loop; its caller checks what it returns."""
        found = self._find(name)
        if found is None:
            raise DeviceError(f"this CANN's pyACL has no acl.{name}; use a newer CANN.")
        return found

    def has(self, name: str) -> bool:
        return self._find(name) is not None

    def _find(self, name: str) -> Any:
        found: Any = self.module
        for part in name.split("."):
            found = getattr(found, part, None)
        return found

    def do(self, name: str, *arguments: object) -> None:
        """Call what returns a code alone."""
        code = self.function(name)(*arguments)
        if code != 0:
            self.fail(name, code)

    def get(self, name: str, *arguments: object) -> Any:
        """The value of what returns one and a code."""
        answer = self.function(name)(*arguments)
        if not isinstance(answer, tuple) or len(answer) != 2:
            self._unexpected(name, answer)
        value, code = answer
        if code != 0:
            self.fail(name, code)
        return value

    def ask(self, name: str, *arguments: object) -> Any:
        """The value of what returns nothing else."""
        return self.function(name)(*arguments)

    def handle(self, name: str, *arguments: object) -> int:
        """The handle of what returns nothing else; 0 and None mean that there is none."""
        found = self.ask(name, *arguments)
        if not isinstance(found, int) or found == 0:
            text = self.recent_message()
            raise DeviceError(f"acl.{name} gave no handle{f' ({text})' if text else ''}; {explain(207001)[1]}.")
        return found

    def text(self, name: str, *arguments: object) -> str:
        """The text of what returns nothing else; an empty one means that it failed."""
        found = self.ask(name, *arguments)
        if not isinstance(found, str) or not found:
            said = self.recent_message()
            raise DeviceError(f"acl.{name} gave no name{f' ({said})' if said else ''}; {explain(-1)[1]}.")
        return found

    def fail(self, name: str, code: object) -> NoReturn:
        """Raise DeviceError for a code that is not 0: the call, the code, its meaning, CANN's own words, advice."""
        if not isinstance(code, int):
            self._unexpected(name, code)
        meaning, general = explain(code)
        text = self.recent_message()
        # The graph engine's own codes (E13025) in the text say more than the number.
        advice = advice_on(text).rstrip(".") or general
        raise DeviceError(f"acl.{name} failed with {code} ({meaning}){f': {text}' if text else ''}; {advice}.")

    def soc_name(self) -> str:
        """The chip's exact name; "" where this pyACL does not tell."""
        return str(self.ask("get_soc_name") or "") if self.has("get_soc_name") else ""

    def recent_message(self) -> str:
        """CANN's text on this thread's last failure, in one line; "" if it has none. Old pyACL cannot tell."""
        if not self.has("get_recent_err_msg"):
            return ""
        text = " ".join(str(self.ask("get_recent_err_msg") or "").split())
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

    def _unexpected(self, name: str, answer: object) -> NoReturn:
        raise DeviceError(f"acl.{name} answered {answer!r}, which its documentation does not know; {explain(-1)[1]}.")
