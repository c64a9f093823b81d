"""What is run: one workload's model at one batch size, on one backend and device, and the proof that it is right."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from backends import registry
from backends.base import Array, Artifact, Backend, Device, DeviceError, Feeds, OptionValue, Precision, Session
from backends.casting import cast_feeds
from backends.nvidia import same_card
from bench.plan import CellTask, WorkloadSpec
from bench.samples import sample_strip
from bench.workloads import load as load_workload
from bench.workloads.base import Materials, Workload
from reports.accuracy import compare_outputs
from reports.records import OutputAccuracy


@dataclass(frozen=True)
class Subject:
    """What cells, lanes and translations have in common: how to build it, open it, and see that it is right."""

    workload: Workload
    spec: WorkloadSpec
    materials: Materials
    backend: Backend
    options: Mapping[str, OptionValue]
    device: Device
    batch: int

    @classmethod
    def load(
        cls, spec: WorkloadSpec, materials: Materials, backend: str, options: Mapping[str, str], device: str, batch: int
    ) -> Self:
        """From names, as tasks hold them. Raises the errors of the registry."""
        loaded = registry.load(backend)
        return cls(
            workload=load_workload(spec.name), spec=spec, materials=materials, backend=loaded,
            options=registry.parse_options(loaded, options), device=Device.parse(device), batch=batch,
        )  # fmt: skip

    @classmethod
    def of_cell(cls, task: CellTask, materials: Materials, device: str | None = None) -> Self:
        """A cell's, or the same on another device."""
        return cls.load(task.workload, materials, task.backend, task.options, device or task.device, task.batch)

    def prepare(self, precision: Precision) -> Artifact:
        """Build what the backend loads. Raises the errors of backends.base."""
        model = dataclasses.replace(
            self.workload.model(self.spec, self.materials, self.batch),
            compiled=Path(self.spec.compiled) if self.spec.compiled else None,
            cache=Path(self.materials.cache) if self.materials.cache else None,
        )
        return self.backend.prepare(model, precision, self.device, self.options)

    def open(self, artifact: Artifact) -> Session:
        """Load it on the device. Raises the errors of backends.base."""
        return self.backend.open(artifact, self.device, self.options)

    def check_card(self, session: Session, card: str, address: str) -> None:
        """Raise DeviceError where the runtime itself tells of another card than the one that was planned.

        By the address where both sides know one, else by the name.
        """
        found = session.runs_on
        if found is None:
            return
        if found.address and address:
            if found.address == address:
                return
        elif not found.card or same_card(card, found.card):
            return
        shown, planned = _named(found.card, found.address), _named(card, address)
        hint = "; leave CUDA_DEVICE_ORDER unset, and name cards by number in CUDA_VISIBLE_DEVICES"
        raise DeviceError(
            f"{self.device} turns out to be {shown}, and was taken for {planned}"
            f"{hint if self.device.kind == 'cuda' else '; ask the author of its backend'}."
        )

    @cached_property
    def feeds(self) -> list[Feeds]:
        """Different host batches; the reference outputs are those of the first."""
        return self.workload.host_batches(self.spec, self.materials, self.batch)

    def fed(self, session: Session) -> list[Feeds]:
        """The host batches in the dtypes that this session takes. Raises ModelMismatch."""
        return [cast_feeds(feeds, session.inputs) for feeds in self.feeds]

    @cached_property
    def reference(self) -> dict[str, Array]:
        """What the first host batch must give."""
        return self.workload.reference(self.materials, self.batch)

    def infer_check_batch(self, session: Session) -> None:
        """One inference of the first host batch, which must have been copied to the device."""
        session.enqueue()
        session.synchronize()

    def compare(self, session: Session) -> list[OutputAccuracy]:
        """The outputs that lie on the device against the reference of the first host batch."""
        return self.judge(session.copy_outputs(), session.precision)

    def judge(self, outputs: Mapping[str, Array], executed: Precision) -> list[OutputAccuracy]:
        """Outputs of the first host batch against its reference."""
        return compare_outputs(self.reference, outputs, executed.value, self.workload.picture_outputs)

    def pictures(self, outputs: Mapping[str, Array]) -> bytes | None:
        """The first of the output pictures for people to look at, where there are such and they have the right shape.

        See `CellRecord.pictures`.
        """
        for name in sorted(self.workload.picture_outputs & outputs.keys()):
            if outputs[name].shape == self.reference[name].shape:
                return sample_strip(outputs[name])
        return None

    def check(self, session: Session) -> list[OutputAccuracy]:
        """Copy the first host batch, infer, compare."""
        session.copy_inputs(cast_feeds(self.feeds[0], session.inputs))
        self.infer_check_batch(session)
        return self.compare(session)


def _named(card: str, address: str) -> str:
    return f"{card} ({address})" if address else card
