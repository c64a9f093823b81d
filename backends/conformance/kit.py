"""All checks for one backend on one device, each in a session of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from backends.base import (
    Artifact,
    Backend,
    BackendUnavailable,
    Device,
    Feeds,
    ModelMismatch,
    OptionValue,
    Precision,
    Session,
)
from backends.casting import cast_feeds
from backends.conformance.case import Case
from backends.conformance.errors import ConformanceError
from backends.conformance.events import check_device_events
from backends.conformance.leaks import check_leaks
from backends.conformance.results import (
    check_host_memory,
    check_inputs_matter,
    check_outputs,
    check_precision,
)
from backends.conformance.states import check_closes, check_describes, check_device, check_refuses
from backends.conformance.timing import check_computes, check_waits

#: Largest error of an output, relative to the largest value of the reference: right in any precision, `check_precision`
#: asks in which.
VALUE_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Outcome of one check; `message` is one line: the fault, or what is worth knowing of a check that passed."""

    name: str
    passed: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of one backend. `run` raises ConformanceError, or whatever the backend raises, and returns a note."""

    name: str
    run: Callable[[], str]

    def result(self) -> CheckResult:
        """Run it, with anything that it raises turned into a failed result."""
        try:
            return CheckResult(self.name, True, self.run())
        except ConformanceError as error:
            return CheckResult(self.name, False, str(error))
        except Exception as error:  # a backend may fail in any way, and must only cost this check
            return CheckResult(self.name, False, " ".join(f"{type(error).__name__}: {error}".split()))


def check_backend(
    backend: Backend,
    case: Case,
    device: Device,
    options: Mapping[str, OptionValue] | None = None,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> list[CheckResult]:
    """Hold a backend to the whole kit.

    `options` replace the backend's defaults; with any given, a session may say that part of it runs elsewhere.
    `clock` returns nanoseconds.
    """
    return [check.result() for check in checks(backend, case, device, options, clock)]


def checks(
    backend: Backend,
    case: Case,
    device: Device,
    options: Mapping[str, OptionValue] | None = None,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> list[Check]:
    """What `check_backend` would run, for a test runner that runs each by itself. Nothing is opened yet."""
    given = dict(options or {})
    declared = backend.capabilities(device)
    precisions = [precision for precision in Precision if precision in declared.precisions]
    subject = _Subject(backend, case, device, {spec.key: spec.default for spec in backend.options} | given)
    if not precisions:
        return [Check("capabilities", partial(_no_precision, device))]
    main = precisions[0]

    def on_session(name: str, check: Callable[[Session], None]) -> Check:
        def run() -> str:
            with subject.open(main) as session:
                check(session)
            return ""

        return Check(name, run)

    def fed(session: Session, seed: int) -> Feeds:
        return cast_feeds(case.feeds(seed), session.inputs)

    def events() -> str:
        with subject.open(main) as session:
            return check_device_events(session, fed(session, 1), clock, declared.device_events)

    def leaks() -> str:
        with subject.open(main) as session:
            feeds = fed(session, 1)
        check_leaks(partial(subject.open, main), feeds)
        return ""

    return [
        on_session("device", lambda s: check_device(s, device, allow_fallback=bool(given))),
        on_session("describes", check_describes),
        on_session("outputs", partial(_outputs, case)),
        *(Check(f"precision {p}", partial(_precision, subject, p, main)) for p in precisions),
        on_session("inputs_matter", lambda s: check_inputs_matter(s, fed(s, 1), fed(s, 2))),
        on_session("host_memory", lambda s: check_host_memory(s, fed(s, 1), fed(s, 2))),
        on_session("waits", lambda s: check_waits(s, fed(s, 1), clock)),
        on_session("computes", lambda s: check_computes(s, partial(fed, s), clock)),
        Check("device_events", events),
        on_session("refuses", lambda s: check_refuses(s, fed(s, 1))),
        on_session("closes", lambda s: check_closes(s, fed(s, 1))),
        Check("leaks", leaks),
    ]


class _Subject:
    """The backend under test, with its artifact of each precision built once."""

    def __init__(self, backend: Backend, case: Case, device: Device, options: Mapping[str, OptionValue]) -> None:
        self._backend, self.case, self._device, self._options = backend, case, device, options
        self.prepare = cache(self._prepare)

    def _prepare(self, precision: Precision) -> Artifact:
        return self._backend.prepare(self.case.model, precision, self._device, self._options)

    def open(self, precision: Precision) -> Session:
        return self._backend.open(self.prepare(precision), self._device, self._options)


def _no_precision(device: Device) -> str:
    raise ConformanceError(f"the backend declares no precision on {device}, so nothing can be asked of it.")


def _outputs(case: Case, session: Session) -> None:
    feeds = case.feeds(1)
    reference = case.reference(feeds)
    largest = max(float(np.abs(array).max(initial=0.0)) for array in reference.values())
    check_outputs(session, cast_feeds(feeds, session.inputs), reference, VALUE_TOLERANCE * largest)


def _precision(subject: _Subject, asked: Precision, main: Precision) -> str:
    feeds = subject.case.feeds(1)
    try:
        subject.prepare(asked)
    except (BackendUnavailable, ModelMismatch) as error:
        if asked is main:
            raise
        return f"refused: {error}"  # rather than executed in another one
    with subject.open(asked) as session:
        check_precision(session, cast_feeds(feeds, session.inputs), subject.case.reference(feeds))
        return "" if session.precision is asked else f"asked for {asked}, executed {session.precision}"
