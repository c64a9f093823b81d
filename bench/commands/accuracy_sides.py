"""`bench accuracy` from its options: a side is a folder of outputs, or a backend that translates into one first."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.commands.accuracy import CANDIDATE, REFERENCE, AccuracyOptions, compare_folders
from bench.commands.folders import fresh_folder
from bench.commands.options import cache_folder, existing_compiled
from bench.commands.translate import InputOptions, TranslateOptions, tell_padding
from bench.errors import UsageError
from bench.phases import PhaseLimits
from bench.progress import WorkDisplay
from bench.selection import check_compiled
from bench.translation.inputs import InputPlan
from bench.translation.parent import TranslationRequest, check_usable, run_translation


@dataclass(frozen=True, slots=True)
class SidesOptions:
    """The options of `accuracy`; both sides as the user wrote them."""

    reference: str
    candidate: str
    folders: AccuracyOptions
    translate: TranslateOptions

    @classmethod
    def from_namespace(cls, given: argparse.Namespace, command: Sequence[str]) -> SidesOptions:
        inputs = InputOptions.from_namespace(given)
        return cls(
            reference=given.reference,
            candidate=given.candidate,
            folders=AccuracyOptions(
                reference=Path(given.reference), candidate=Path(given.candidate), batch=given.bs,
                precision=given.precision, dtype=given.dtype, images=given.limit, out=given.out, command=tuple(command),
            ),
            translate=TranslateOptions(
                backends=(), inputs=inputs, weights=given.weights, compiled=existing_compiled(given.compiled),
                precision=given.precision, device=given.device, output_format="bin", picture_format="", out=Path(),
                cache=cache_folder(given.cache), phase_limits=PhaseLimits().changed(dict(given.phase_limit)),
                lock_timeout_s=given.lock_timeout,
            ),
        )  # fmt: skip


def accuracy(options: SidesOptions) -> int:
    """Translate with the sides that are backends, then compare; the exit status. Raises UsageError."""
    named = {
        role: side
        for role, side in ((REFERENCE, options.reference), (CANDIDATE, options.candidate))
        if not Path(side).is_dir()
    }
    if not named:
        return compare_folders(options.folders)
    folders = options.folders
    with fresh_folder(folders.out, "accuracy-", (REFERENCE, CANDIDATE)) as out:
        plan = options.translate.inputs.plan()
        requests = {role: _request(options, role, side, plan, out / role) for role, side in named.items()}
        tell_padding(plan)
        folders = replace(
            folders,
            reference=out / REFERENCE if REFERENCE in named else folders.reference,
            candidate=out / CANDIDATE if CANDIDATE in named else folders.candidate,
        )
        for role, request in requests.items():
            with WorkDisplay(f"{role}: translating with {named[role]}") as display:
                run_translation(request, display)
        # What was translated just now tells its batches itself, and what it was executed in.
        precision = None if CANDIDATE in named else folders.precision
        return compare_folders(replace(folders, batch=None, images=None, precision=precision, out=out))


def _request(options: SidesOptions, role: str, side: str, plan: InputPlan, folder: Path) -> TranslationRequest:
    # The reference is what is right, so it is always fp32.
    settings = (
        options.translate
        if role == CANDIDATE
        else replace(options.translate, precision="fp32", device=None, compiled=None)
    )
    try:
        request = settings.request(side, plan, folder)
    except UsageError as error:
        raise UsageError(f"--{role} {side}: no such folder, and no backend either: {error}") from None
    check_compiled(request.compiled, [request.backend.name])
    check_usable(request)
    return request
