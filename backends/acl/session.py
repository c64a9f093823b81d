"""One model on one chip: a context, a stream, the loaded .om and its buffers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from backends.acl.events import AclEvent
from backends.acl.library import Library
from backends.acl.memory import Buffers
from backends.acl.releases import Releases
from backends.acl.runtime import Runtime
from backends.acl.tensors import GEAR_INPUT, Layout, layout_of, specs
from backends.base import Array, Artifact, Device, DeviceError, DeviceEvent, Feeds, Model, ModelMismatch, Session


class AclSession(Session):
    """`enqueue` is execute_async, `synchronize` is synchronize_stream; with `blocking` enqueue is execute, as msame's.

    Everything is made here and released by `close`, in CANN's order; nothing is left to destructors.
    """

    def __init__(
        self, library: Library, runtime: Runtime, artifact: Artifact, device: Device, blocking: bool, dynamic: bool
    ) -> None:
        """Raises DeviceError, ModelMismatch; then nothing is left behind."""
        self._library, self._runtime = library, runtime
        self._facts = artifact.settings
        path = artifact.path
        assert path is not None
        self.precision = artifact.precision
        self._ran = self._in_flight = False
        stack = self._releases = Releases()
        try:
            runtime.acquire(device.index)
            stack.callback(runtime.release, device.index)
            self._context = runtime.create_context(device.index)
            stack.callback(runtime.destroy_context, self._context)
            self._stream: int = library.get("rt.create_stream")
            stack.callback(library.do, "rt.destroy_stream", self._stream)
            self._model: int = library.get("mdl.load_from_file", str(path))
            stack.callback(library.do, "mdl.unload", self._model)
            self._layout = self._described(artifact.model, path, dynamic)
            self.inputs = specs(self._layout.inputs)
            # In the order that the original has them, which is what callers count on.
            order = {spec.name: place for place, spec in enumerate(artifact.model.outputs)}
            self.outputs = tuple(sorted(specs(self._layout.outputs), key=lambda spec: order[spec.name]))
            self._inputs = Buffers(library, self._layout.inputs, stack)
            self._outputs = Buffers(library, self._layout.outputs, stack)
            if self._layout.gears:
                self._set_gear(artifact.model.batch)
            self.device = Device(device.kind, library.get("rt.get_device"))
            self._bind(blocking)
        except BaseException:
            stack.run()  # what is told is the first error
            raise

    def _described(self, model: Model, path: Path, dynamic: bool) -> Layout:
        library = self._library
        description = library.handle("mdl.create_desc")
        try:
            library.do("mdl.get_desc", description, self._model)
            layout = layout_of(library, description, model, str(path))
            if layout.gears:
                self._gear_index: int = library.get("mdl.get_input_index_by_name", description, GEAR_INPUT)
        finally:
            library.do("mdl.destroy_desc", description)
        if bool(layout.gears) != dynamic:
            gears = ", ".join(map(str, layout.gears))
            raise ModelMismatch(
                f"{path} has the batch sizes {gears} in one file, which is usually slower than one file a batch size;"
                " measure it under its own name: --backend acl:batch=dynamic."
                if layout.gears
                else f"{path} is of one batch size; leave out batch=dynamic."
            )
        return layout

    def _set_gear(self, batch: int) -> None:
        self._library.do("mdl.set_dynamic_batch_size", self._model, self._inputs.dataset, self._gear_index, batch)

    def _bind(self, blocking: bool) -> None:
        """Look everything up now that the timed loop would otherwise look up."""
        self._enter = self._runtime.enter
        self._wait = self._library.function("rt.synchronize_stream")
        self._blocking = blocking
        if blocking:
            self._execute = self._library.function("mdl.execute")
            self._arguments: tuple[int, ...] = (self._model, self._inputs.dataset, self._outputs.dataset)
        else:
            self._execute = self._library.function("mdl.execute_async")
            self._arguments = (self._model, self._inputs.dataset, self._outputs.dataset, self._stream)

    def _copy_inputs(self, feeds: Feeds) -> None:
        if self._in_flight:  # an inference that is under way reads the same buffers
            self.synchronize()
        self._enter(self._context)
        for buffer in self._inputs.buffers:
            self._inputs.to_device(buffer, feeds[buffer.spec.name])

    def enqueue(self) -> None:
        self._enter(self._context)
        code = self._execute(*self._arguments)
        if code:
            self._library.fail("mdl.execute" if self._blocking else "mdl.execute_async", code)
        self._ran = True
        self._in_flight = not self._blocking

    def synchronize(self) -> None:
        if not self._in_flight:
            return
        self._enter(self._context)
        self._in_flight = False
        code = self._wait(self._stream)
        if code:
            self._library.fail("rt.synchronize_stream", code)

    def copy_outputs(self) -> dict[str, Array]:
        if not self._ran:
            raise DeviceError("no outputs yet: call enqueue and synchronize before copy_outputs.")
        if self._in_flight:  # a copy does not wait for the stream
            self.synchronize()
        self._enter(self._context)
        copied = {buffer.spec.name: self._outputs.to_host(buffer) for buffer in self._outputs.buffers}
        return {spec.name: copied[spec.name] for spec in self.outputs}

    def device_event(self) -> DeviceEvent | None:
        if self._blocking or not AclEvent.there(self._library):  # execute takes no stream
            return None
        self._enter(self._context)
        return AclEvent(self._library, self._stream, self._releases, lambda: self._enter(self._context))

    def describe(self) -> dict[str, str]:
        gears = "-".join(map(str, self._layout.gears))
        told: Mapping[str, str] = {
            "pyACL": self._api_version(),
            "execution": "execute, blocking" if self._blocking else "execute_async",
            "batch": f"dynamic, gears {gears}" if gears else "static",
            "host memory": "pinned",
            **self._facts,
        }
        remarks = {"remarks": "; ".join(self._layout.remarks)} if self._layout.remarks else {}
        return {**told, **remarks}

    def _api_version(self) -> str:
        if not self._library.has("get_version"):
            return "unknown"
        answer = self._library.ask("get_version")
        return ".".join(map(str, answer[:3])) if isinstance(answer, tuple) and answer[-1] == 0 else "unknown"

    def _close(self) -> None:
        try:
            self._enter(self._context)
            if self._in_flight:
                # What failed while it ran was told then, or nobody asked; what is released must be at rest.
                self._wait(self._stream)
        finally:
            failed = self._releases.run()
            for held in (self._inputs, self._outputs):  # their memory is gone
                held.buffers.clear()
        if failed is not None:
            raise failed
