"""One model at one batch size on one device, through I/O binding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends._cuda import Cuda
from backends.base import (
    Array,
    Artifact,
    BackendError,
    Device,
    DeviceError,
    DeviceEvent,
    DeviceInfo,
    Feeds,
    ModelMismatch,
    OptionValue,
    Precision,
    Session,
)
from backends.onnxruntime import loading, precision
from backends.onnxruntime.card import Card
from backends.onnxruntime.engines import EngineFolder
from backends.onnxruntime.failures import Scene, engine_is_damaged, explained, first_line
from backends.onnxruntime.memory import Bound, OwnCopies, PinnedCopies
from backends.onnxruntime.placement import placement_of
from backends.onnxruntime.providers import KINDS, Settings, Wish, check_taken, wish

#: As CUDAGraphManager::Replay in ONNX Runtime's cuda_graph.cc does.
_WITH_GRAPH = "on, captured by the first run; a run waits for the device itself"


class OrtSession(Session):
    """Inputs and outputs are OrtValues on the device, bound once at open.

    On a GPU the first run is made here: it searches for convolutions, builds engines and captures a graph, which is no
    inference. With `cuda` all is done on its stream; without, on one of ONNX Runtime's own.
    """

    _session: Any
    _bound: Any
    _copies: Any
    _binding: Any

    def __init__(
        self, ort: Any, artifact: Artifact, device: Device, options: Mapping[str, OptionValue],
        card: Card | None = None, cuda: Cuda | None = None, engines: EngineFolder | None = None,
    ) -> None:  # fmt: skip
        """Takes `cuda` over, and closes it when anything fails."""
        model = artifact.model
        self.inputs, self.outputs = model.inputs, model.outputs
        self._session = self._bound = self._copies = self._binding = None
        self._run: Callable[[Any, Any], None] = _nothing
        self._run_options: Any = None
        self._ran = self._broken = False
        with ExitStack() as stack:
            if cuda is not None:
                stack.enter_context(cuda)
            stack.callback(self._drop)
            settings = Settings.of(options, device)
            self._scene = _scene(ort, artifact, settings, device)
            stream, folder = cuda.stream if cuda else 0, engines.path if engines else None
            wanted = wish(settings, model, artifact.precision, device, stream, folder)
            with engines.alone() if engines else nullcontext():
                how = self._load(wanted, options, model, engines)
                self._check(wanted, card)
                self._bind(cuda)
                self._scene = replace(self._scene, opening=False)
                if device.kind != "cpu":
                    self.enqueue()
                    self.synchronize()
                    self._ran = False
            self._description = self._described(artifact, options, card, how)
            # ONNX Runtime executes what the file says; on the CPU that is all that it can be asked for.
            self.precision = (
                precision.executed(artifact.precision, card or Card()) if device.kind != "cpu" else model.precision
            )
            self._resources = stack.pop_all()

    def _load(
        self, wanted: Wish, options: Mapping[str, OptionValue], model: Any, engines: EngineFolder | None
    ) -> dict[str, str]:
        """Open the vendor's session; what is worth knowing of its engines."""
        scene = self._scene
        threads = loading.thread_count(options)
        sizes = loading.open_sizes(scene.path, model, scene.device)

        def attempt() -> None:
            self._session = loading.load(scene, wanted, loading.session_options(scene.ort, options, threads, sizes))

        if engines is None:
            attempt()
            return {}
        before, again = engines.engines(), ""
        try:
            attempt()
        except BackendError as error:
            if not before or not engine_is_damaged(error.__cause__ or error):
                raise
            again = f", since the one in the cache was refused: {first_line(error.__cause__ or error)}"
            engines.clear()
            before = {}
        if again:
            attempt()
        kept = before and engines.engines() == before
        return {"engines": "from the cache" if kept else f"built now{again}"}

    def _check(self, wanted: Wish, card: Card | None) -> None:
        """What is in force must be what was asked for. Raises BackendUnavailable, ModelMismatch."""
        scene, session = self._scene, self._session
        found, told = list(session.get_providers()), session.get_provider_options()
        inputs, outputs = ([node.name for node in nodes] for nodes in (session.get_inputs(), session.get_outputs()))
        self._placement = placement_of(session)
        del session  # a traceback would keep it alive longer than the stream that it works on
        loading.check_providers(scene, wanted, found)
        check_taken(wanted, told, str(scene.ort.__version__))
        self._placement.check(scene.settings)
        loading.check_names("input", self.inputs, inputs)
        loading.check_names("output", self.outputs, outputs)
        self.device = self._device_in_force()
        if card is not None and card.address:
            self.runs_on = DeviceInfo(self.device, card.name, card.address)
        self._providers = found
        self.fallback = self._placement.fallback(scene.settings) if scene.device.kind != "cpu" else ""

    def _device_in_force(self) -> Device:
        """Device of the provider that comes first, with the index that the provider itself holds."""
        provider = self._session.get_providers()[0]
        return Device(KINDS[provider], int(self._session.get_provider_options()[provider].get("device_id", 0)))

    def _bind(self, cuda: Cuda | None) -> None:
        scene = self._scene
        try:
            self._bound = Bound(scene.ort, self._session, self.inputs, self.outputs, scene.device)
        except Exception as error:
            raise explained(error, scene) from error
        if cuda is None:
            self._copies = OwnCopies(self._bound, scene.device)
        else:
            self._copies = PinnedCopies(self._bound, cuda, self.inputs, self.outputs)
            self._run_options = loading.run_options(scene.ort)
        self._binding, self._run = self._bound.binding, self._session.run_with_iobinding

    def _copy_inputs(self, feeds: Feeds) -> None:
        self._copies.to_device(feeds)

    def enqueue(self) -> None:
        try:
            self._run(self._binding, self._run_options)
        except Exception as error:
            self._broken = True
            raise explained(error, self._scene) from error
        self._copies.ran()
        self._ran = True

    def synchronize(self) -> None:
        try:
            self._copies.synchronize()
        except Exception as error:
            self._broken = True
            if isinstance(error, BackendError):
                raise
            raise explained(error, self._scene) from error

    def copy_outputs(self) -> dict[str, Array]:
        if not self._ran:
            raise DeviceError("no outputs yet: call enqueue and synchronize before copy_outputs.")
        outputs: dict[str, Array] = self._copies.to_host()
        return outputs

    def device_event(self) -> DeviceEvent | None:
        # A graph's run waits for the device itself, whatever its options say: events would tell of the host, too.
        event: DeviceEvent | None = None if self._scene.settings.graph else self._copies.event()
        return event

    def describe(self) -> dict[str, str]:
        return dict(self._description)

    def _described(
        self, artifact: Artifact, options: Mapping[str, OptionValue], card: Card | None, how: Mapping[str, str]
    ) -> dict[str, str]:
        scene, copies = self._scene, self._copies
        told = {
            "onnxruntime": str(scene.ort.__version__),
            "providers": ", ".join(self._providers),
            "nodes": self._placement.summary,
            **{name: str(options[name]).lower() for name in ("optimization", "spinning", "cpu_nodes")},
            "threads": str(loading.thread_count(options)),
        }
        if scene.device.kind == "cpu":
            return told
        settings = scene.settings
        card = card or Card()
        return {
            **told, **loading.build_facts(scene.ort), **({"card": card.name} if card.name else {}),
            **artifact.settings, **how, **precision.told(artifact.precision, settings, card), **copies.words,
            "CUDA graph": _WITH_GRAPH if settings.graph else "off",
            "use_tf32": "1" if artifact.precision is Precision.TF32 else "0",
            "cudnn_conv_algo_search": settings.conv_search,
            "first run": "while the session opened",
        }  # fmt: skip

    def _drop(self) -> None:
        """Let go of ONNX Runtime's objects; a stream that they work on must outlive them."""
        if self._copies is not None:
            self._copies.close()
        if self._bound is not None:
            self._bound.close()
        self._copies = self._bound = self._binding = self._session = self._run_options = None
        self._run = _nothing

    def _close(self) -> None:
        # What failed while it ran was told then, and would come again with every release.
        with suppress(DeviceError) if self._broken else nullcontext():
            self._resources.close()


def _path(artifact: Artifact) -> Path:
    if artifact.path is None:
        raise ModelMismatch("the artifact has no .onnx file; prepare it with this backend.")
    return artifact.path


def _scene(ort: Any, artifact: Artifact, settings: Settings, device: Device) -> Scene:
    path, source = _path(artifact), artifact.model.onnx
    made_from = source.name if source is not None and source != path else ""
    return Scene(ort, settings, path, device, artifact.model.batch, made_from=made_from)


def _nothing(_binding: Any, _options: Any) -> None:
    """Stands for the run where there is no session."""
