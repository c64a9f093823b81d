"""What the backends on simulated machines have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from backends.base import Artifact, Backend, Device, Model, OptionValue, Precision, Session


class Simulated:
    """A backend on a double of its runtime, with every option at its default unless given."""

    DEVICE: ClassVar[Device] = Device("cuda", 0)
    PRECISION: ClassVar[Precision] = Precision.FP32

    backend: Backend
    module: Any

    @property
    def world(self) -> Any:
        """The machine behind the runtime."""
        return self.module.state.world

    def options(self, **given: OptionValue) -> dict[str, OptionValue]:
        return {spec.key: spec.default for spec in self.backend.options} | given

    # Positional only: what is named is an option.
    def prepare(
        self, model: Model, precision: Precision | None = None, device: Device | None = None, /, **given: OptionValue
    ) -> Artifact:
        options = self.options(**given)
        return self.backend.prepare(model, precision or self.PRECISION, device or self.DEVICE, options)

    def open(
        self, model: Model, precision: Precision | None = None, device: Device | None = None, /, **given: OptionValue
    ) -> Session:
        artifact = self.prepare(model, precision, device, **given)
        return self.backend.open(artifact, device or self.DEVICE, self.options(**given))
