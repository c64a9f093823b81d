"""Checks that any backend's session must pass; for our own backends and for third parties' tests.

Each check raises ConformanceError with what was broken and what it does to a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from backends.base import Array, Feeds, ModelMismatch, Session, SessionClosed

#: A session with a forgotten synchronize takes about 1 / CALLS of what it should.
CALLS = 8
TOLERANCE = 0.25


class ConformanceError(AssertionError):
    """A session breaks the protocol of backends.base."""


def infer(session: Session, feeds: Feeds) -> dict[str, Array]:
    """One whole inference."""
    session.copy_inputs(feeds)
    session.enqueue()
    session.synchronize()
    return session.copy_outputs()


def check_waits(session: Session, feeds: Feeds, clock: Callable[[], int]) -> None:
    """CALLS × enqueue + one synchronize must take CALLS times as long as one, within TOLERANCE.

    Needs a session whose inference takes well over the clock's resolution, and a quiet machine or a virtual clock.
    """
    session.copy_inputs(feeds)
    session.enqueue()
    session.synchronize()
    one = _time(session, clock, calls=1)
    many = _time(session, clock, calls=CALLS)
    if not (1 - TOLERANCE) * CALLS * one <= many <= (1 + TOLERANCE) * CALLS * one:
        raise ConformanceError(
            f"{CALLS} inferences took {many} ns, one took {one} ns: synchronize returns before the work is done,"
            " or work is left over from call to call."
        )
    begin = clock()
    session.synchronize()
    idle = clock() - begin
    if idle > TOLERANCE * one:
        raise ConformanceError(f"synchronize took {idle} ns with nothing enqueued; it must only wait for work.")


def check_device_time(session: Session, feeds: Feeds, clock: Callable[[], int], device_time_ns: int) -> None:
    """An inference cannot be shorter than the device needs. Raises when synchronize does not wait."""
    session.copy_inputs(feeds)
    took = _time(session, clock, calls=1)
    if took < device_time_ns:
        raise ConformanceError(
            f"an inference of {device_time_ns} ns was over after {took} ns: synchronize does not wait for the device."
        )


def _time(session: Session, clock: Callable[[], int], calls: int) -> int:
    begin = clock()
    for _ in range(calls):
        session.enqueue()
    session.synchronize()
    return clock() - begin


def check_inputs_matter(session: Session, first: Feeds, second: Feeds) -> None:
    """Other inputs must give other outputs, and the first inputs the first outputs again."""
    before = infer(session, first)
    kept = {name: array.copy() for name, array in before.items()}
    other = {name: array.copy() for name, array in infer(session, second).items()}
    for name, array in before.items():
        if not np.array_equal(array, kept[name], equal_nan=True):
            raise ConformanceError(f"output {name!r} changed after it was handed out: copy_outputs must return copies.")
    if all(np.array_equal(kept[name], other[name]) for name in kept):
        raise ConformanceError("other inputs gave the same outputs: results are cached, or outputs are stale.")
    for name, array in infer(session, first).items():
        if not np.allclose(kept[name], array, rtol=1e-3, atol=1e-5, equal_nan=True):
            raise ConformanceError(f"equal inputs gave another output {name!r}: state is carried between inferences.")


def check_outputs(session: Session, feeds: Feeds, reference: Mapping[str, Array], tolerance: float) -> None:
    """Names, shapes, dtypes as declared, and values within `tolerance` (absolute) of the reference."""
    outputs = infer(session, feeds)
    declared = {spec.name: spec for spec in session.outputs}
    if set(outputs) != set(declared):
        raise ConformanceError(f"outputs are {sorted(outputs)}, declared are {sorted(declared)}.")
    for name, array in outputs.items():
        spec = declared[name]
        if array.shape != spec.shape or array.dtype != spec.dtype:
            raise ConformanceError(f"output {spec} came as {array.shape} {array.dtype}.")
        difference = float(np.abs(array.astype(np.float64) - reference[name]).max(initial=0.0))
        if not difference <= tolerance:
            raise ConformanceError(f"output {name!r} differs from the reference by {difference:.3g} > {tolerance:g}.")


def check_refuses(session: Session, feeds: Feeds) -> None:
    """A wrong name, shape or dtype must raise ModelMismatch."""
    name, array = next(iter(feeds.items()))
    rest = {other: value for other, value in feeds.items() if other != name}
    for what, wrong in (
        ("a missing input", rest),
        ("an unknown input", {**feeds, "no such input": array}),
        ("another shape", {**feeds, name: np.concatenate([array, array])}),
        ("another dtype", {**feeds, name: array.astype(np.float64 if array.dtype != np.float64 else np.float32)}),
    ):
        try:
            session.copy_inputs(wrong)
        except ModelMismatch:
            continue
        raise ConformanceError(f"{what} was accepted; derive the session from backends.base.Session, which checks.")


def check_closes(session: Session, feeds: Feeds) -> None:
    """close() must be idempotent, and every later call raise SessionClosed. Closes the session."""
    session.close()
    session.close()
    calls: tuple[Callable[[], object], ...] = (
        session.enqueue, session.synchronize, session.copy_outputs, lambda: session.copy_inputs(feeds),
    )  # fmt: skip
    for call in calls:
        try:
            call()
        except SessionClosed:
            continue
        raise ConformanceError("a closed session still answers; derive it from backends.base.Session.")
