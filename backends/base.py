"""The contract between the harness and a runtime: Backend, Session, and the types and errors they speak in.

A backend never reads a clock. The harness composes what is timed out of `copy_inputs`, `enqueue`,
`synchronize` and `copy_outputs`, so no backend can time something else than its neighbours do.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, NoReturn, Protocol, Self, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Feeds = Mapping[str, Array]
OptionValue = str | int | bool


class BackendError(Exception):
    """Base of all errors of this package; one line that ends with what to do."""


class BackendUnavailable(BackendError):  # noqa: N818 - the terms of the design, read as states
    """The runtime, its driver or its device cannot be used on this machine."""


class ConversionError(BackendError):
    """A model could not be turned into what the runtime loads; carries the tool's own first error line."""


class DeviceError(BackendError):
    """A call into the runtime failed: which call, which code, what it means."""


class ModelMismatch(BackendError):  # noqa: N818
    """The model or its inputs are not what was expected: which one, expected and given."""


class SessionClosed(BackendError):  # noqa: N818
    """A session was used after `close()`."""


class Precision(StrEnum):
    """Arithmetic that an engine executes (not what it was asked for)."""

    FP32 = "fp32"
    TF32 = "tf32"
    FP16 = "fp16"
    BF16 = "bf16"
    INT8 = "int8"


class Scope(StrEnum):
    """What a sample covers: `compute` from enqueue to synchronize, `end-to-end` with both copies."""

    COMPUTE = "compute"
    END_TO_END = "end-to-end"


@dataclass(frozen=True, slots=True)
class Device:
    """One chip as a runtime addresses it: `cpu`, `cuda:0`, `npu:3`."""

    kind: str
    index: int = 0

    @classmethod
    def parse(cls, text: str) -> Device:
        """Read `cpu`, `cuda`, `cuda:1`, `npu:0`, or any other KIND:N. Raises ValueError with the accepted forms."""
        match = re.fullmatch(r"([a-z][a-z0-9_]*)(?::(\d+))?", text)
        if match is None:
            raise ValueError(f"device {text!r} is not of the form KIND or KIND:N; write cpu, cuda:0, npu:0 or the like")
        return cls(match[1], int(match[2] or 0))

    def __str__(self) -> str:
        return "cpu" if self == Device("cpu") else f"{self.kind}:{self.index}"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device that a probe found, and the card that carries it.

    `address` is the PCI address, or another name that is the same for every process of the machine; "" if unknown.
    `board` is the same for all chips of one card and for no others; "" if that is not known.
    """

    device: Device
    card: str
    address: str = ""
    board: str = ""


@dataclass(frozen=True, slots=True)
class Availability:
    """Answer of `Backend.probe()`.

    `reason` is empty when usable, else one line: why not and what to do. `devices[0]` is the one used
    when the user names none.
    """

    usable: bool
    reason: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[DeviceInfo, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do on one kind of device. What is not declared is refused, never approximated."""

    precisions: frozenset[Precision]
    #: what is taken when the user names none
    default_precision: Precision = Precision.FP32
    scopes: frozenset[Scope] = frozenset(Scope)
    asynchronous: bool = False
    dynamic_batch: bool = False
    #: sessions can have a `device_event`: the device's own time of a call is then told beside the host's
    device_events: bool = False
    #: Several sessions of one process run concurrently on the device, each on a stream of its own.
    streams: bool = False


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One setting of a backend, given on the command line as `NAME:KEY=VALUE`."""

    key: str
    default: OptionValue
    help: str
    choices: tuple[str, ...] = ()
    #: of text without `choices`: a regular expression that all of it must match, as its default does
    pattern: str = ""

    def parse(self, text: str) -> OptionValue:
        """Turn the text of the command line into the type of the default. Raises ValueError."""
        if isinstance(self.default, bool):
            if text.lower() not in ("true", "false", "1", "0", "on", "off"):
                raise ValueError(f"{self.key}={text!r}: write true or false")
            return text.lower() in ("true", "1", "on")
        if self.choices and text not in self.choices:
            raise ValueError(f"{self.key}={text!r}: write one of {', '.join(filter(None, self.choices))}")
        if isinstance(self.default, int):
            if not (text.isascii() and text.isdecimal()):
                raise ValueError(f"{self.key}={text!r}: write a whole number of 0 or more")
            return int(text)
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise ValueError(f"{self.key}={text!r}: write it in the form {self.default} ({self.help})")
        return text


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, fixed shape (batch included) and numpy dtype of an input or output."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.name} {'x'.join(map(str, self.shape)) or 'scalar'} {self.dtype}"


@dataclass(frozen=True, slots=True)
class Model:
    """A model for one batch size, in the forms that its workload can offer.

    `onnx` is a file with the same weights as `torch_module()` returns. `sha256` identifies the weights
    and the graph. The shapes of `inputs` and `outputs` include the batch. `precision` is the arithmetic that
    the graph itself prescribes: fp32, or fp16 or int8 (Q/DQ) for a file that was converted before. `compiled` is a
    file that the user compiled for one vendor's runtime, or a folder with one a batch size; `cache` a folder in which
    a backend may keep what it builds.
    """

    name: str
    sha256: str
    batch: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    onnx: Path | None = None
    torch_module: Callable[[], Any] | None = None
    precision: Precision = Precision.FP32
    compiled: Path | None = None
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """What `prepare` made for `open`: a file, or the model itself where nothing needs building."""

    model: Model
    precision: Precision
    path: Path | None = None
    sha256: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


class DeviceEvent(Protocol):
    """A point on a session's stream, where the device notes its own time. Recorded as often as one likes."""

    def record(self) -> None:
        """After all that was enqueued until now."""

    def elapsed_ms(self, since: DeviceEvent) -> float:
        """Milliseconds on the device's clock between two events of one session, both recorded and synchronized."""


class Session(ABC):
    """One device's resources for one model at one batch size; every buffer is allocated at construction.

    Subclasses set `inputs`, `outputs`, `precision` (as executed) and `device`, and implement the underscored
    methods, `enqueue` and `synchronize`. `enqueue` may return before the work is done, and may be called again
    before it is; `synchronize` returns only when all enqueued work is done. Neither may copy between host and device.
    The dtypes of `inputs` and `outputs` are those of what was loaded, which may differ from the model's where its
    compiler changed them (`backends.casting`).
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    precision: Precision
    #: Where it really runs, as read back from the runtime where that can be had.
    device: Device
    #: The same with the card and the address that the runtime itself tells; None where it tells neither.
    runs_on: DeviceInfo | None = None
    #: What of the model runs elsewhere than on `device`, in words; empty if nothing does.
    fallback: str = ""

    @final
    def copy_inputs(self, feeds: Feeds) -> None:
        """Bring one batch to the device, finished on return or ordered before the next `enqueue`.

        The arrays are read before it returns: what the caller does to them later changes no result.
        Raises ModelMismatch on a wrong name, shape or dtype, before the device is touched.
        """
        check_feeds(self.inputs, feeds)
        self._copy_inputs(feeds)

    @abstractmethod
    def enqueue(self) -> None:
        """Start one inference on the inputs that lie on the device."""

    @abstractmethod
    def synchronize(self) -> None:
        """Return when all enqueued work is done. Raises DeviceError if it failed."""

    @abstractmethod
    def copy_outputs(self) -> dict[str, Array]:
        """Outputs of the last synchronized inference, as new arrays in the dtypes of `outputs`."""

    def device_event(self) -> DeviceEvent | None:
        """A new event on this session's stream, released with the session; None where it has none.

        Only backends that declare `device_events` have any, and not under all of their options.
        """
        return None

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Engine versions, where the nodes ran, options in force: what a reader needs to repeat this."""

    @abstractmethod
    def _copy_inputs(self, feeds: Feeds) -> None: ...

    @abstractmethod
    def _close(self) -> None:
        """Release everything in the runtime's own order; called once."""

    @final
    def close(self) -> None:
        """Release the device's resources. Idempotent; afterwards every other call raises SessionClosed."""
        if self.__dict__.get("_closed", False):
            return
        self.__dict__["_closed"] = True
        try:
            self._close()
        finally:
            # Shadowing the methods costs the timed loop nothing; a test of a flag in `enqueue` would.
            for name in ("copy_inputs", "enqueue", "synchronize", "copy_outputs", "device_event", "describe"):
                setattr(self, name, _raise_closed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BackendError:
            if error is None:  # else that is what is told: closing what has failed often fails too
                raise


class Backend(ABC):
    """How models run on one vendor's runtime. Stateless; nothing of the vendor is imported before `prepare`."""

    name: ClassVar[str]
    title: ClassVar[str]
    options: ClassVar[tuple[OptionSpec, ...]] = ()
    #: True for test doubles: their figures carry provenance `simulated` and never meet measured ones.
    simulated: ClassVar[bool] = False
    #: Whether `prepare` looks at `Model.compiled`.
    takes_compiled: ClassVar[bool] = False

    @abstractmethod
    def probe(self) -> Availability:
        """Say whether this machine can run the backend. Never raises, opens no device.

        Every command that names no backend asks all of them: within a second, if the vendor's own tool lets it.
        """

    @abstractmethod
    def capabilities(self, device: Device) -> Capabilities:
        """What can be asked for on that kind of device; static."""

    def diagnose(self, device: Device) -> list[str]:
        """What someone who is not at this machine would ask first when the backend fails there, a line each.

        Called in a process of its own, for which opening the device, and crashing, is allowed.
        """
        return []

    @abstractmethod
    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        """Build what must exist before loading (engine, .om). Raises ConversionError, BackendUnavailable,
        ModelMismatch (the workload has no form of the model that this backend can load)."""

    @abstractmethod
    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        """Load the artifact on the device. Raises BackendUnavailable, DeviceError, ModelMismatch."""


def check_feeds(specs: tuple[TensorSpec, ...], feeds: Feeds) -> None:
    """Raise ModelMismatch unless `feeds` has exactly the named inputs, each with its exact shape and dtype."""
    for spec in specs:
        array = feeds.get(spec.name)
        if array is None:
            given = ", ".join(feeds) or "none"
            raise ModelMismatch(f"input {spec.name!r} is missing (given: {given}); feed every input by its name.")
        if array.shape != spec.shape or array.dtype != spec.dtype:
            got = TensorSpec(spec.name, array.shape, array.dtype)
            raise ModelMismatch(f"input {spec.name!r}: expected {spec}, given {got}; convert it before feeding.")
    if len(feeds) != len(specs):
        unknown = sorted(set(feeds) - {spec.name for spec in specs})
        raise ModelMismatch(
            f"the model has no input {unknown[0]!r}; its inputs are {', '.join(s.name for s in specs)}."
        )


def require_onnx(model: Model, backend: str) -> Path:
    """The model's .onnx file. Raises ModelMismatch when the workload offers none."""
    if model.onnx is None:
        raise ModelMismatch(
            f"backend {backend!r} needs an .onnx file and {model.name} has none; name one with --model."
        )
    return model.onnx


def _raise_closed(*_args: object) -> NoReturn:
    raise SessionClosed("this session is closed; open a new one with Backend.open().")
