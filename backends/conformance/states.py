"""Does a session refuse what it must, say what and where it is, and stay closed?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from backends.base import Device, Feeds, ModelMismatch, Session, SessionClosed
from backends.conformance.errors import ConformanceError


def check_refuses(session: Session, feeds: Feeds) -> None:
    """A wrong name, shape or dtype must raise ModelMismatch."""
    for what, wrong in _wrong_feeds(feeds):
        try:
            session.copy_inputs(wrong)
        except ModelMismatch:
            continue
        raise ConformanceError(f"{what} was accepted; derive the session from backends.base.Session, which checks.")


def _wrong_feeds(feeds: Feeds) -> Iterator[tuple[str, Feeds]]:
    for name, array in feeds.items():
        yield "a missing input", {other: value for other, value in feeds.items() if other != name}
        yield "an unknown input", {**feeds, "no such input": array}
        yield "another shape", {**feeds, name: np.stack([array, array])}
        yield "another shape of the same size", {**feeds, name: array[None]}
        yield "another dtype", {**feeds, name: array.astype(np.float64 if array.dtype != np.float64 else np.float32)}
        raw = np.dtype((np.void, array.dtype.itemsize))
        yield "another dtype of the same size", {**feeds, name: np.zeros(array.shape, raw)}


def check_device(session: Session, asked: Device, allow_fallback: bool = False) -> None:
    """The session must run on the device that was asked for, and all of it unless the user allowed otherwise."""
    device: Device | None = getattr(session, "device", None)
    if device is None:
        raise ConformanceError("the session has no device; set self.device to where it really runs.")
    if device != asked:
        raise ConformanceError(
            f"{asked} was asked for and the session runs on {device}: its figures would carry another card's name;"
            " raise BackendUnavailable instead."
        )
    if session.fallback and not allow_fallback:
        raise ConformanceError(
            f"not all runs on {asked} ({session.fallback}) and no option allowed that; refuse it unless one does."
        )


def check_describes(session: Session) -> None:
    """describe() must give names and values in words: a reader repeats the measurement by them."""
    description: Mapping[Any, Any] = session.describe()
    if not description:
        raise ConformanceError("describe() is empty; give at least the version of the runtime.")
    for key, value in description.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ConformanceError(f"describe() has {key!r}: {value!r}; keys and values must be strings.")
        if not key or not value:
            raise ConformanceError(f"describe() has {key!r}: {value!r}; leave out what is not known.")


def check_closes(session: Session, feeds: Feeds) -> None:
    """close() must be idempotent, and every later call raise SessionClosed. Closes the session."""
    session.close()
    session.close()
    calls: dict[str, Callable[[], object]] = {
        "enqueue": session.enqueue,
        "synchronize": session.synchronize,
        "copy_outputs": session.copy_outputs,
        "copy_inputs": lambda: session.copy_inputs(feeds),
        "describe": session.describe,
    }
    for name, call in calls.items():
        try:
            call()
        except SessionClosed:
            continue
        raise ConformanceError(f"a closed session still answers to {name}; derive it from backends.base.Session.")
