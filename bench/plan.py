"""A run as a list of cells: self-contained tasks that any worker process can execute."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from backends.base import Precision, Scope
from bench.stopping import Limits
from reports.records import variant_label


class WorkloadSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Which workload, and the files and settings it is made of, as the user named them."""

    name: str
    weights: str | None = None
    model: str | None = None
    #: for one vendor's runtime, already: a file, or a folder with one a batch size
    compiled: str | None = None
    data: str | None = None
    attributes: list[str] | None = None
    #: input name -> shape without unknown dimensions, for .onnx files that leave some open
    shapes: dict[str, list[int]] = {}


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's part of a throughput measurement."""

    device: str
    #: the device's own address, empty if unknown
    address: str
    #: logical CPUs that it may run on; empty for all
    cpus: list[int]
    #: requests that it keeps in flight on the device
    streams: int


class CellTask(msgspec.Struct, frozen=True, kw_only=True, tag="cell"):
    """Everything a worker needs to measure one cell."""

    id: str
    #: repetition of the cell, in a process of its own, from 0 on
    invocation: int = 0
    workload: WorkloadSpec
    model_sha256: str
    inputs_sha256: str
    backend: str
    #: only the options that the user set
    options: dict[str, str]
    device: str
    #: the device's own address, empty if unknown
    address: str
    card: str
    chips: int
    #: workers that are to run at once, after the one that measures the latency; empty: throughput is not measured
    lanes: list[Lane]
    #: a test double's: its figures must never look measured
    simulated: bool
    precision: Precision
    batch: int
    scope: Scope
    limits: Limits

    def title(self) -> str:
        """What progress displays and messages call this cell."""
        suffix = "" if self.scope is Scope.COMPUTE else f" {self.scope}"
        again = f", invocation {self.invocation + 1}" if self.invocation else ""
        return f"{variant_label(self.backend, self.options)} bs{self.batch} {self.precision}{suffix}{again}"


class _Cell(Protocol):
    """A CellTask, or the record of one."""

    @property
    def id(self) -> str: ...

    @property
    def invocation(self) -> int: ...


def key_of(cell: _Cell) -> tuple[str, int]:
    """What is unique in a run."""
    return cell.id, cell.invocation


@dataclass(frozen=True, slots=True)
class Variant:
    """A backend with the options, device and card that one column of the report stands for."""

    backend: str
    options: dict[str, str]
    device: str
    address: str
    card: str
    chips: int
    lanes: tuple[Lane, ...]
    simulated: bool
    #: those of the asked ones that it offers on that device, or its default
    precisions: tuple[Precision, ...]

    def label(self) -> str:
        """As reports name it: the backend with the options that were set."""
        return variant_label(self.backend, self.options)


def make_cells(
    workload: WorkloadSpec,
    content: tuple[str, str],
    variants: Sequence[Variant],
    batches: Sequence[int],
    precisions: Sequence[Precision],
    scopes: Sequence[Scope],
    limits: Limits,
    invocations: int = 1,
) -> list[CellTask]:
    """The cells in the order they are measured; `content` is the SHA-256 of the model and of the inputs.

    Without `precisions` every variant has those that it holds. Neighbours in time are the backends of one batch size,
    so that a machine whose speed drifts does less harm to the ratios between them. Invocations of a cell are a whole
    round apart, for the same reason.
    """
    return [
        CellTask(
            id=_cell_id(workload, content, variant, batch, precision, scope),
            invocation=invocation,
            workload=workload,
            model_sha256=content[0],
            inputs_sha256=content[1],
            backend=variant.backend,
            options=variant.options,
            device=variant.device,
            address=variant.address,
            lanes=list(variant.lanes),
            card=variant.card,
            chips=variant.chips,
            simulated=variant.simulated,
            precision=precision,
            batch=batch,
            scope=scope,
            limits=limits,
        )
        for invocation in range(invocations)
        for scope in scopes
        for precision in precisions or dict.fromkeys(each for variant in variants for each in variant.precisions)
        for batch in batches
        for variant in variants
        if precision in variant.precisions
    ]


def _cell_id(
    workload: WorkloadSpec,
    content: tuple[str, str],
    variant: Variant,
    batch: int,
    precision: Precision,
    scope: Scope,
) -> str:
    """Readable and stable: equal models, inputs and settings give an equal id on every machine with that card."""
    identity = msgspec.json.encode(
        [*content, sorted(variant.options.items()), variant.device, variant.card, *variant.lanes]
    )
    digest = hashlib.sha256(identity).hexdigest()[:8]
    return f"{workload.name}-{variant.backend}-{precision}-bs{batch}-{scope}-{digest}"
