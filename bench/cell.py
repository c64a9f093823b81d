"""One cell, start to end: build, open, prove right, measure, prove right again, and put it all in a record."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from types import TracebackType
from typing import TypeVar

from msgspec.structs import replace

from backends import cards
from backends.base import BackendError, Device, DeviceError, Precision, Scope, Session
from bench.clock import PERF_CLOCK
from bench.device_time import device_times
from bench.measure import Progress, take_samples
from bench.messages import MeasureTask
from bench.overhead import MAX_OVERHEAD_SHARE
from bench.plan import CellTask
from bench.subject import Subject
from bench.watch import Watch, open_watch
from reports.device_time import clocks_agree
from reports.records import (
    ArtifactInfo,
    CellIdentity,
    CellRecord,
    DeviceTimes,
    Failure,
    Flags,
    LatencySummary,
    OutputAccuracy,
    Samples,
)
from reports.roofline import CardLimits, impossible, in_words, share_of_peak
from reports.summary import derived_fps_per_card, summarise

_T = TypeVar("_T")


def identity_of(task: CellTask, executed: Precision | None = None) -> CellIdentity:
    """The task's identity, with the executed precision once it is known."""
    return CellIdentity(
        workload=task.workload.name,
        model_sha256=task.model_sha256,
        inputs_sha256=task.inputs_sha256,
        backend=task.backend,
        options=task.options,
        card=task.card,
        device=task.device,
        precision=(executed or task.precision).value,
        batch=task.batch,
        scope=task.scope.value,
    )


def failed_cell(task: CellTask, failure: Failure, started: str) -> CellRecord:
    """The record of a cell that gave no figures."""
    return CellRecord(
        id=task.id, invocation=task.invocation, identity=identity_of(task), asked_precision=task.precision.value,
        status="failed",
        provenance="simulated" if task.simulated else "measured", clock="host", chips=task.chips, started=started,
        failure=failure,
    )  # fmt: skip


def run_cell(order: MeasureTask, phase: Callable[[str], None], progress: Progress) -> CellRecord:
    """Measure one cell in this process. Raises the errors of backends.base and of the vendor's runtime."""
    phase("build")
    task = order.cell
    subject = Subject.of_cell(task, order.materials)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with closing(open_watch(subject.device, task.address)) as watch:
        watch.look("before")
        artifact, build_s = _timed(lambda: subject.prepare(task.precision))
        phase("load")
        session, load_s = _timed(lambda: subject.open(artifact))
        end = _Closing(session)
        with end:
            phase("check")
            subject.check_card(session, task.card, task.address)
            feeds = subject.fed(session)
            session.copy_inputs(feeds[0])
            _, first_call_s = _timed(lambda: subject.infer_check_batch(session))
            outputs = session.copy_outputs()
            record = CellRecord(
                id=task.id,
                invocation=task.invocation,
                identity=identity_of(task, session.precision),
                asked_precision=task.precision.value,
                status="wrong",
                provenance="simulated" if task.simulated else "measured",
                clock="host",
                chips=task.chips,
                started=started,
                accuracy=subject.judge(outputs, session.precision),
                pictures=subject.pictures(outputs),
                artifact=ArtifactInfo(
                    sha256=artifact.sha256,
                    build_s=build_s,
                    load_s=load_s,
                    first_call_s=first_call_s,
                    settings=dict(artifact.settings),
                ),
                session={str(key): str(value) for key, value in session.describe().items()},
            )
            if not _passed(record.accuracy):
                return record
            phase("measure")
            samples = take_samples(session, task.scope, feeds, task.limits, PERF_CLOCK, progress, watch)
            watch.look("after")
            by_device = _by_device(task, subject, session, phase)
            # A session that answers from memory, or breaks while it runs, is right before the loop and wrong after it.
            phase("recheck")
            session.copy_inputs(feeds[0])
            subject.infer_check_batch(session)
            outputs = session.copy_outputs()
            record = replace(
                record, accuracy=subject.judge(outputs, session.precision), pictures=subject.pictures(outputs)
            )
            placement = session.fallback or _elsewhere(subject.device, session.device)
        if end.failure:
            record = replace(record, session={**record.session, "after the measurement": end.failure})
        record = replace(record, device_times=by_device)
        return _judged(task, record, samples, watch, placement, order.materials.info.flop_per_image)


class _Closing:
    """Closes a session. What goes wrong only then is told, and costs no figures that were taken before."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.failure = ""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._session.close()
        except BackendError as failed:
            self.failure = str(failed)
        except Exception as failed:  # what a vendor's object raises when it goes
            self.failure = f"{type(failed).__name__}: {failed}"


def _by_device(task: CellTask, subject: Subject, session: Session, phase: Callable[[str], None]) -> DeviceTimes | None:
    """The device's own times of what was measured, where it has events and the copies are no part of it."""
    turns = task.limits.turn_s is not None  # then another process has the device by turns
    if task.scope is not Scope.COMPUTE or turns or not subject.backend.capabilities(subject.device).device_events:
        return None
    phase("device time")
    try:
        return device_times(session, PERF_CLOCK)
    except DeviceError:  # no part of the measurement; what is broken shows in the check that follows
        return None


def _judged(
    task: CellTask, record: CellRecord, samples: Samples, watch: Watch, placement: str, flop_per_image: float | None
) -> CellRecord:
    """The record with its figures and the verdicts on them; figures of FPS only where the outputs are right."""
    right = _passed(record.accuracy)
    latency = summarise(samples, task.limits.half_width)
    telemetry = watch.telemetry(task.batch)
    flags = _flags(samples, latency, record.device_times, watch, placement, right) if latency else None
    record = replace(record, samples=samples, latency=latency, telemetry=telemetry, flags=flags)
    if latency is None or flags is None or not right:
        return record

    def fps(mean_ms: float | None) -> float | None:
        return derived_fps_per_card(task.chips, task.batch, mean_ms) if mean_ms else None

    flags = _held_to_the_peak(flags, record.identity, fps(latency.mean_ms), flop_per_image)
    # The slowest mean of the interval is the lowest rate.
    low, high = fps(latency.mean_high_ms), fps(latency.mean_low_ms)
    return replace(record, status="ok", flags=flags, fps_per_card=fps(latency.mean_ms), fps_low=low, fps_high=high)


def _held_to_the_peak(
    flags: Flags, identity: CellIdentity, fps_per_card: float | None, flop_per_image: float | None
) -> Flags:
    """With the verdict on whether that card can do so much: below its floor a time is a measuring error."""
    card = cards.find(identity.card)
    limits = CardLimits(peak_flops=card.peak_flops)
    share = share_of_peak(fps_per_card, flop_per_image, limits, identity.precision)
    if share is None:
        return flags
    reason = in_words(share, card.name, limits, identity.precision) if impossible(share) else ""
    return replace(flags, within_peak=not impossible(share), peak_reason=reason)


def _elsewhere(asked: Device, executed: Device) -> str:
    return "" if asked == executed else f"it ran on {executed}, not on {asked}"


def _flags(
    samples: Samples,
    latency: LatencySummary,
    by_device: DeviceTimes | None,
    watch: Watch,
    placement: str,
    right: bool,
) -> Flags:
    throttled, reason = watch.throttling()
    if samples.clock_stayed_low:
        throttled, reason = True, "its clock stayed under 75 % of the nominal one"
    return Flags(
        steady=latency.steady,
        converged=latency.converged,
        throttled=throttled,
        overhead_ok=(samples.overhead_ns or 0.0) <= MAX_OVERHEAD_SHARE * latency.median_ms * 1e6,
        placement_ok=not placement,
        accuracy=right,
        clocks_agree=clocks_agree(by_device, latency.median_ms),
        throttle_reason=reason,
        placement_reason=placement,
    )


def _passed(accuracy: list[OutputAccuracy]) -> bool:
    return all(output.passed for output in accuracy)


def _timed(action: Callable[[], _T]) -> tuple[_T, float]:
    begin = time.perf_counter()
    result = action()
    return result, time.perf_counter() - begin
