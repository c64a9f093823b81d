"""A translation seen from the command: find the backend, claim the folder, run the worker."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from backends.base import Device, Precision, Scope
from bench.compiled import digest
from bench.errors import ExitCode, UsageError
from bench.locks import hold
from bench.messages import Advanced, Event, Phase, Translated, TranslateTask
from bench.phases import PhaseLimits
from bench.placement import lock_names
from bench.plan import Variant, WorkloadSpec
from bench.process import run_worker, take_charge
from bench.runner import prepare
from bench.selection import BackendRequest, Wanted, select
from bench.translation.folder import TranslationFolder, claim
from bench.translation.inputs import InputPlan
from datasets.tensors import TensorFormat
from reports.translation import SCHEMA, TranslationRecord, TranslationSource


class Display(Protocol):
    """Shows how far a translation is."""

    def preparing(self, what: str) -> None: ...

    def note(self, text: str) -> None: ...

    def advance(self, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class TranslationRequest:
    """What to translate, with what, and where to; `picture_format` "" for no pictures."""

    backend: BackendRequest
    #: None for the backend's default
    precision: Precision | None
    device: Device | None
    weights: Path | None
    #: what the backend loads, where it was made before
    compiled: str | None
    inputs: InputPlan
    folder: Path
    output_format: TensorFormat
    picture_format: str
    cache: Path
    phase_limits: PhaseLimits
    lock_timeout_s: float


def run_translation(request: TranslationRequest, display: Display) -> TranslationRecord:
    """Translate what is not finished in the folder, in a worker process; the record that lies in it then.

    Raises UsageError for a backend that cannot be used, a folder of something else, or a worker that failed, and
    KeyboardInterrupt: finished batches are kept.
    """
    variant = _variant(request)
    spec = WorkloadSpec(
        name="stargan", weights=str(request.weights) if request.weights else None, compiled=request.compiled
    )
    take_charge()
    with hold(lock_names([variant]), request.lock_timeout_s, display.note):
        materials = prepare(spec, [request.inputs.batch], request.cache, request.phase_limits, display.preparing)
        plan = request.inputs
        folder = TranslationFolder(request.folder, plan, request.output_format, request.picture_format)
        record = claim(
            folder,
            TranslationRecord(
                schema=SCHEMA,
                source=_source(request, variant, materials.info.model_sha256),
                images=plan.images,
                pairs=plan.pairs,
                provenance="simulated" if variant.simulated else "measured",
                model=materials.info.model,
                inputs=plan.text,
            ),
        )
        if record.complete and not folder.unfinished():
            return record
        task = TranslateTask(
            workload=spec, materials=materials, precision=variant.precisions[0], inputs=plan,
            folder=str(request.folder), output_format=request.output_format, record=record,
        )  # fmt: skip
        return _run(task, request.phase_limits, display)


def check_usable(request: TranslationRequest) -> None:
    """Raise UsageError when the backend cannot be used here."""
    _variant(request)


def verdict(record: TranslationRecord) -> ExitCode:
    """1 when outputs are known to be wrong, else 0."""
    right = record.nonfinite == 0 and all(output.passed for output in record.check)
    return ExitCode.DONE if right else ExitCode.NO


def _run(task: TranslateTask, limits: PhaseLimits, display: Display) -> TranslationRecord:
    def on_event(event: Event) -> None:
        if isinstance(event, Phase):
            display.preparing(event.name)
        elif isinstance(event, Advanced):
            display.advance(event.done, event.total)

    outcome = run_worker(task, on_event, limits)
    try:
        return outcome.demand(Translated, task.record.source.label()).record
    except UsageError as error:
        if outcome.expected:
            raise
        raise UsageError(f"{error} What was finished is kept; the same command goes on with the rest.") from None


def _variant(request: TranslationRequest) -> Variant:
    """The one column of a report that this would be. Raises UsageError."""
    wanted = Wanted(request.device, [request.precision] if request.precision else [], [Scope.END_TO_END])
    selection = select([request.backend], wanted)
    if not selection.variants:
        raise UsageError(f"{request.backend.name} is not usable here: {selection.skipped[0].reason}")
    return selection.variants[0]


def _source(request: TranslationRequest, variant: Variant, model_sha256: str) -> TranslationSource:
    return TranslationSource(
        backend=variant.backend,
        options=variant.options,
        asked_precision=variant.precisions[0].value,
        device=variant.device,
        card=variant.card,
        model_sha256=model_sha256,
        inputs_sha256=request.inputs.sha256,
        batch=request.inputs.batch,
        attributes=request.inputs.attributes,
        output_format=request.output_format,
        picture_format=request.picture_format,
        compiled_sha256=digest(request.compiled),
    )
