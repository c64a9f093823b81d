"""The environment's word on TF32, which NVIDIA's libraries put above what a program asks of them."""

from __future__ import annotations

import os

from backends.base import BackendUnavailable

#: NVIDIA's libraries read it once in a process, and heed it whatever a program asks.
OVERRIDE = "NVIDIA_TF32_OVERRIDE"


def override() -> str:
    """Its value, "" where it is not set: 0 turns TF32 off everywhere; what others do is not documented."""
    return os.environ.get(OVERRIDE, "").strip()


def check_not_forced(has_tf32: bool | None) -> None:
    """For what must be fp32: raises BackendUnavailable where the environment may make it TF32."""
    value = override()
    if value and value != "0" and has_tf32 is not False:
        raise BackendUnavailable(
            f"{OVERRIDE}={value} may turn TF32 on whatever is asked, so this may not be fp32; unset it."
        )
