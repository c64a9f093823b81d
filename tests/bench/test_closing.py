"""What goes wrong after the samples costs no figures."""

from __future__ import annotations

from typing import Any

import pytest

from backends.base import DeviceError
from bench import cell


class Session:
    """Of which only the end matters."""

    def __init__(self, error: BaseException | None) -> None:
        self._error = error

    def close(self) -> None:
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, ""),
        (DeviceError("free failed with 700; start again."), "free failed with 700; start again."),
        (RuntimeError("context is destroyed"), "RuntimeError: context is destroyed"),
    ],
)
def test_a_session_that_does_not_close_is_told(error: Exception | None, told: str) -> None:
    session: Any = Session(error)
    end = cell._Closing(session)
    with end:
        pass
    assert end.failure == told


def test_ctrl_c_is_not_swallowed() -> None:
    session: Any = Session(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt), cell._Closing(session):
        pass
