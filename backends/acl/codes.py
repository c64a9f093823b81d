"""What the numbers mean that pyACL returns, and what to do about those that users meet.

Numbers and names: CANN's aclError reference and the headers acl_base_rt.h, rt_error_codes.h and ge_error_codes.h.
"""

from __future__ import annotations

from collections.abc import Mapping

#: `init` in a process that has done so already.
ALREADY_INITIALISED = 100002

_DRIVER = (
    "check that the driver is loaded and the chip healthy (npu-smi info), that CANN, driver and firmware belong"
    " together, and that you may open /dev/davinci* (group HwHiAiUser)"
)
_MEMORY = "other processes may hold memory (npu-smi info shows it); measure smaller batches, or one process at a time"
_FOREIGN = (
    "it may be for another chip or a newer CANN; convert it again with --soc-version as npu-smi info names the chip"
)
_DAMAGED = f"it may be damaged: compare its SHA-256 with the original's; or {_FOREIGN}"
_REPORT = "report this with the output of: python -m bench backends --verbose"
_CHIP = "see the chip's log in $HOME/ascend/log/, and restart the chip or the host if it happens again"

_KNOWN: Mapping[int, tuple[str, str]] = {
    100000: ("invalid parameter", _REPORT),
    100001: ("not initialised", _REPORT),
    ALREADY_INITIALISED: ("initialised twice", _REPORT),
    100003: ("invalid configuration file", "check acl.json"),
    100037: ("finalised twice", _REPORT),
    100039: ("linked against the stub library", "take the folder that ends in stub or devlib out of LD_LIBRARY_PATH"),
    107000: ("runtime: invalid parameter", _REPORT),
    107001: ("invalid device id", "name another chip with --device; npu-smi info lists them in its column Device"),
    107002: ("no context on this thread", _REPORT),
    107003: ("the stream is not of this context", _REPORT),
    107004: ("the model is not of this context", _REPORT),
    107006: ("the event has no time stamp", _REPORT),
    145000: ("invalid parameter of the model", _FOREIGN),
    145002: ("invalid model file", "check the path, or convert the model again"),
    145003: ("invalid model id", _REPORT),
    145013: ("no such batch size among the model's gears", "convert it again with this gear"),
    207000: ("not supported here", "use acl:mode=sync, or a newer CANN"),
    207001: ("out of device memory", _MEMORY),
    207008: ("no stream left on the device", "end other processes on this chip"),
    207018: ("out of device memory", _MEMORY),
    500000: ("unknown internal error", _CHIP),
    500001: ("internal error", _CHIP),
    500002: ("internal error of the graph engine", _CHIP),
    500003: ("internal error of the runtime", _CHIP),
    500004: ("internal error of the driver", _DRIVER),
    507008: ("the chip is not what the model was made for", _FOREIGN),
    507010: ("the chip's task scheduler does not answer", _CHIP),
    507011: ("the model failed while it ran", _CHIP),
    507014: ("an operator ran into the time limit of the AI core", _CHIP),
    507015: ("an operator failed on the AI core", _CHIP),
    507017: ("an operator ran into the time limit of the AI CPU", _CHIP),
    507018: ("an operator failed on the AI CPU", _CHIP),
    507033: ("the device does not start", _DRIVER),
    507046: ("waiting for the stream took too long", _CHIP),
    507899: ("internal error of the driver", _DRIVER),
    545001: ("the model could not be loaded", _DAMAGED),
}


def explain(code: int) -> tuple[str, str]:
    """What a return code means, and what to do about it, each a clause."""
    return _KNOWN.get(code, ("a code that is not documented", _REPORT))
