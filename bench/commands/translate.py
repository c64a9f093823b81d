"""`bench translate`: inference over whole sets of pictures with any backend; outputs as files, and picture grids."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backends.base import Device, Precision
from bench.commands.options import cache_folder, existing_compiled
from bench.errors import ExitCode, UsageError
from bench.phases import PhaseLimits
from bench.progress import WorkDisplay
from bench.selection import BackendRequest, check_compiled, takes_compiled
from bench.translation.inputs import InputPlan, plan_data, plan_pairs
from bench.translation.parent import TranslationRequest, run_translation, verdict
from datasets.celeba import DEFAULT_ATTRIBUTES
from datasets.errors import DatasetError
from datasets.prepared import TARGETS
from datasets.tensors import TensorFormat
from reports.records import variant_label
from reports.translation import TranslationRecord

#: The published pre-processing's.
DEFAULT_BATCH = 16


@dataclass(frozen=True, slots=True)
class InputOptions:
    """Which pictures, in what batches; `data` None: the bundled sample, unless `bins` is given."""

    data: Path | None
    bins: Path | None
    attributes: tuple[str, ...]
    batch: int | None
    limit: int | None
    drop_last: bool

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> InputOptions:
        return cls(
            data=given.data, bins=getattr(given, "bins", None),
            attributes=tuple(given.attributes or DEFAULT_ATTRIBUTES), batch=given.bs, limit=given.limit,
            drop_last=given.drop_last,
        )  # fmt: skip

    def plan(self) -> InputPlan:
        """Look through the files. Raises UsageError."""
        try:
            if self.bins is None:
                return plan_data(
                    self.data, self.attributes, self.batch or DEFAULT_BATCH, self.limit, drop_last=self.drop_last
                )
            if self.data is not None:
                raise UsageError("--data and --bins contradict each other; give one of them.")
            return plan_pairs(self.bins, self.batch, self.limit, drop_last=self.drop_last)
        except DatasetError as error:
            raise UsageError(f"{error}.") from None


@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """The options of `translate`, as far as they can be checked without touching a runtime."""

    backends: tuple[str, ...]
    inputs: InputOptions
    weights: Path | None
    compiled: str | None
    #: None for each backend's default
    precision: str | None
    device: str | None
    output_format: TensorFormat
    picture_format: str
    out: Path
    cache: Path
    phase_limits: PhaseLimits
    lock_timeout_s: float

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> TranslateOptions:
        return cls(
            backends=tuple(given.backend), inputs=InputOptions.from_namespace(given), weights=given.weights,
            compiled=existing_compiled(given.compiled), precision=given.precision, device=given.device,
            output_format=given.format, picture_format=picture_format(given), out=given.out,
            cache=cache_folder(given.cache),
            phase_limits=PhaseLimits().changed(dict(given.phase_limit)), lock_timeout_s=given.lock_timeout,
        )  # fmt: skip

    def request(self, backend: str, plan: InputPlan, folder: Path) -> TranslationRequest:
        """One backend's translation. Raises UsageError for an unknown backend or a bad device."""
        try:
            device = Device.parse(self.device) if self.device else None
        except ValueError as error:
            raise UsageError(f"--device: {error}.") from None
        return TranslationRequest(
            backend=BackendRequest.parse(backend), precision=Precision(self.precision) if self.precision else None,
            device=device, weights=self.weights, compiled=self.compiled, inputs=plan, folder=folder,
            output_format=self.output_format, picture_format=self.picture_format, cache=self.cache,
            phase_limits=self.phase_limits,
            lock_timeout_s=self.lock_timeout_s,
        )  # fmt: skip


def picture_format(given: argparse.Namespace) -> str:
    """`--pictures none` as the records write it."""
    return "" if given.pictures == "none" else str(given.pictures)


def translate(options: TranslateOptions) -> int:
    """Translate with every backend that was named; the exit status: 2 when one of them could not.

    Raises UsageError.
    """
    plan = options.inputs.plan()
    tell_padding(plan)
    requests = [options.request(name, plan, options.out) for name in options.backends]
    check_compiled(options.compiled, [request.backend.name for request in requests])
    requests = [each if takes_compiled(each.backend.name) else replace(each, compiled=None) for each in requests]
    if len(requests) > 1:
        labels = [variant_label(request.backend.name, request.backend.options) for request in requests]
        if len(set(labels)) < len(labels):
            raise UsageError("--backend names a backend twice with the same options; name it once.")
        requests = [
            replace(request, folder=options.out / label.replace(":", "-").replace(",", "-"))
            for request, label in zip(requests, labels, strict=True)
        ]
    done: list[TranslationRecord] = []
    folders: list[Path] = []
    failures = 0
    for request in requests:
        label = variant_label(request.backend.name, request.backend.options)
        try:
            with WorkDisplay(f"translating with {label}") as display:
                done.append(run_translation(request, display))
            folders.append(request.folder)
        except UsageError as error:  # one backend's crash costs the others nothing
            if len(requests) == 1:
                raise
            failures += 1
            print(f"bench: {error}", file=sys.stderr)
        except OSError as error:
            raise UsageError(
                f"cannot write in {request.folder}: {error.strerror or error}; name another --out."
            ) from None
    show(done, folders)
    return ExitCode.USAGE if failures else max(verdict(record) for record in done)


def tell_padding(plan: InputPlan) -> None:
    """Say so when the last batch had to be filled up."""
    if plan.padding:
        print(
            f"bench: the last batch has {plan.batch - plan.padding} images of {plan.batch}; it is filled up with"
            f" {plan.padding} copies of the last one, which nothing counts (--drop-last leaves that batch out).",
            file=sys.stderr,
        )


def show(records: list[TranslationRecord], folders: list[Path]) -> None:
    """What was translated, on standard output."""
    if not records:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("backend", overflow="fold")
    table.add_column("precision")
    for heading in ("translations", "a second, with files", "engine busy", "check"):
        table.add_column(heading, justify="right")
    for record in records:
        speed = record.speed
        rate = f"{speed.images / speed.wall_s:.4g}" if speed and speed.images else "-"
        busy = f"{speed.infer_s / speed.wall_s:.0%}" if speed and speed.images else "-"
        table.add_row(
            escape(record.source.label()), record.precision or "-", str(record.images * TARGETS), rate, busy,
            "[red]wrong[/]" if _problem(record) else "passed",
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    for text in dict.fromkeys(f"{record.model}; {record.inputs}" for record in records):
        console.print(escape(text), soft_wrap=True)
    for record in records:
        name = escape(record.source.label())
        if problem := _problem(record):
            console.print(f"[red]wrong[/]: {name}: {escape(problem)}", soft_wrap=True)
        if record.provenance == "simulated":
            console.print(f"SIMULATED: {name} is a test double.")
    for folder in folders:
        print(f"outputs: {folder}")


def _problem(record: TranslationRecord) -> str:
    """Why the outputs are known to be wrong, empty if they are not."""
    if record.nonfinite:
        return f"{record.nonfinite} values are NaN or infinite"
    return next((output.reason for output in record.check if not output.passed), "")
