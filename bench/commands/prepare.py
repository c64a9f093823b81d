"""`bench prepare`: CelebA -> the .bin pairs that msame and ais_bench read, and the baseline by PyTorch."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from backends.base import Device, Precision
from backends.host import usable_cpus
from bench.commands.options import cache_folder
from bench.commands.translate import InputOptions, picture_format, show, tell_padding
from bench.errors import ExitCode, UsageError
from bench.phases import PhaseLimits
from bench.progress import WorkDisplay
from bench.selection import BackendRequest
from bench.translation.inputs import InputPlan, plan_pairs
from bench.translation.pairs import write_pairs
from bench.translation.parent import TranslationRequest, check_usable, run_translation, verdict
from datasets.errors import DatasetError

BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """The options of `prepare`; `picture_format` "" makes no pictures."""

    inputs: InputOptions
    weights: Path | None
    baseline: bool
    picture_format: str
    out: Path
    cache: Path
    phase_limits: PhaseLimits
    lock_timeout_s: float

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> PrepareOptions:
        return cls(
            inputs=InputOptions.from_namespace(given), weights=given.weights, baseline=not given.no_baseline,
            picture_format=picture_format(given), out=given.out, cache=cache_folder(given.cache),
            phase_limits=PhaseLimits().changed(dict(given.phase_limit)), lock_timeout_s=given.lock_timeout,
        )  # fmt: skip


def prepare(options: PrepareOptions) -> int:
    """Write what is missing; the exit status. Raises UsageError."""
    plan = options.inputs.plan()
    tell_padding(plan)
    request = _baseline(options, plan)
    if options.baseline:
        check_usable(request)
    try:
        with WorkDisplay("input batches") as display:
            new = write_pairs(plan, options.out, len(usable_cpus()), display.advance)
    except DatasetError as error:
        raise UsageError(f"{error}.") from None
    print(
        f"inputs: {options.out / 'bin'}: {plan.pairs} pairs of {plan.batch} images, {plan.images} images;"
        f" {new} of {plan.batches} batches were made now"
    )
    if not options.baseline:
        return ExitCode.DONE
    with WorkDisplay("baseline by PyTorch") as display:
        record = run_translation(_baseline(options, plan_pairs(options.out, plan.batch)), display)
    show([record], [request.folder])
    return verdict(record)


def _baseline(options: PrepareOptions, plan: InputPlan) -> TranslationRequest:
    """What everything else is compared with: PyTorch in fp32 on the CPU."""
    return TranslationRequest(
        backend=BackendRequest("pytorch", {}), precision=Precision.FP32, device=Device("cpu"), weights=options.weights,
        compiled=None, inputs=plan, folder=options.out / BASELINE, output_format="bin",
        picture_format=options.picture_format, cache=options.cache, phase_limits=options.phase_limits,
        lock_timeout_s=options.lock_timeout_s,
    )  # fmt: skip
