"""Codes that the calls return, and the two ways in which a call ends early."""

from __future__ import annotations

SUCCESS = 0
INVALID_PARAM = 100000
UNINITIALIZED = 100001
REPEAT_INITIALIZE = 100002
INVALID_FILE = 100003
REPEAT_FINALIZE = 100037
RT_PARAM_INVALID = 107000
RT_DEVICE_INVALID = 107001
RT_CONTEXT_NULL = 107002
RT_STREAM_CONTEXT = 107003
RT_MODEL_CONTEXT = 107004
RT_EVENT_TIMESTAMP = 107006
GE_PARAM_INVALID = 145000
GE_PATH_INVALID = 145002
GE_MODEL_ID_INVALID = 145003
GE_BATCH_INVALID = 145013
FEATURE_NOT_SUPPORTED = 207000
OUT_OF_MEMORY = 207001
INTERNAL = 500000
SYNC_TIMEOUT = 507046
DRIVER_INTERNAL = 507899
GE_LOAD_FAILED = 545001


class Refused(Exception):  # noqa: N818 - a state of a call, not a fault of this program
    """The call does nothing and returns `code`; the user's misfortune (a bad file, no memory), not a broken rule."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Breach(Refused):
    """The call does nothing and returns `code` since the client broke `rule`."""

    def __init__(self, code: int, rule: str, text: str) -> None:
        super().__init__(code, text)
        self.rule = rule
