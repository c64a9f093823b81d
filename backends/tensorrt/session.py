"""One engine on one device: its context, its buffers on the device and in pinned host memory, and a stream."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, nullcontext, suppress
from typing import Any

import numpy as np

from backends._cuda import Cuda, slot
from backends.base import Array, Artifact, DeviceError, DeviceEvent, DeviceInfo, Feeds, ModelMismatch, Session
from backends.tensorrt import layers
from backends.tensorrt.library import Library
from backends.tensorrt.loaded import Loaded, check_tensors

_MIB = 2**20


class TensorRTSession(Session):
    """`enqueue` is execute_async_v3 on a stream of the session's own, or the launch of a CUDA graph of just that.

    Everything is made here and released by `close`: TensorRT's objects first, then what CUDA gave.
    """

    def __init__(
        self, library: Library, cuda: Cuda, artifact: Artifact, runs_on: DeviceInfo, plan: bytes, graph: bool
    ) -> None:
        """Takes `cuda` over, and closes it when anything fails. Raises DeviceError, ModelMismatch."""
        self._library, self._cuda = library, cuda
        self._facts = artifact.settings
        self._ran = self._in_flight = self._broken = False
        self._launch: Any = None
        self._execute: Any = None
        self.device, self.runs_on = runs_on.device, runs_on
        model = artifact.model
        file = artifact.settings.get("file", f"the engine of {model.name} for batch {model.batch}")
        with ExitStack() as stack:
            stack.enter_context(cuda)
            self._loaded = Loaded(library, plan, file)
            stack.callback(self._drop)
            inputs, outputs = check_tensors(self._loaded.tensors(), model, file)
            self._loaded.start(model.batch)
            self._loaded.set_shapes(inputs, cuda.stream)
            cuda.synchronize()  # a change of profile goes through the stream
            self.inputs, self.outputs = tuple(inputs), tuple(outputs)
            self._check_outputs(file)
            self._inputs = [slot(cuda, spec) for spec in self.inputs]
            self._outputs = [slot(cuda, spec) for spec in self.outputs]
            for each in (*self._inputs, *self._outputs):
                self._loaded.set_address(each.spec.name, each.device.address)
            self._stream = cuda.stream
            self._execute = self._loaded.execute()
            types = layers.output_types(self._loaded.layers())
            self.precision = layers.executed(artifact.precision, types, artifact.settings)
            self._description = self._described(types, graph)
            if graph:
                self._capture()
            self._resources = stack.pop_all()

    def _check_outputs(self, file: str) -> None:
        """What the engine says of its outputs once the inputs' shapes are set. Raises ModelMismatch."""
        for spec in self.outputs:
            shape = self._loaded.shape_of(spec.name)
            if -1 in shape:
                raise ModelMismatch(
                    f"{file}: the size of output {spec.name} depends on the data; export the model with a fixed size."
                )
            if shape != spec.shape:
                raise ModelMismatch(
                    f"{file}: output {spec.name} comes as {shape}, the model has {spec.shape}; build the engine again"
                    " from this model's .onnx file."
                )

    def _capture(self) -> None:
        """One execution as a graph, which TensorRT allows once it has run outside of one with the same shapes."""
        cuda, library = self._cuda, self._library
        if not cuda.has_graphs:
            raise DeviceError(f"{cuda.name} has no CUDA graphs; leave out graph=true, or use cuda_api=cuda-bindings.")
        self._in_flight = True
        for each in self._inputs:  # what lies in fresh memory may be no valid input
            each.upload(cuda)
        self._execute_once()
        self.synchronize()
        if not self._loaded.capturable(cuda.stream):
            raise DeviceError(
                f"{library.title} says that this engine cannot be captured in a CUDA graph; leave out graph=true."
            )
        try:
            self._launch = cuda.capture(self._execute_once).launch
        except DeviceError as error:
            raise DeviceError(
                f"the engine cannot be captured in a CUDA graph ({str(error).rstrip('.')}); leave out graph=true."
            ) from None

    def _execute_once(self) -> None:
        thrown = ""
        try:
            if self._execute(self._stream):
                return
        except Exception as error:  # it is documented to say False instead
            thrown = str(error)
        raise self._library.failure(DeviceError, "execute_async_v3", thrown=thrown)

    def _copy_inputs(self, feeds: Feeds) -> None:
        if self._in_flight:  # an earlier copy may still be reading the pinned memory
            self.synchronize()
        self._in_flight = True
        for each in self._inputs:
            np.copyto(each.view, feeds[each.spec.name], casting="no")
            each.upload(self._cuda)

    def enqueue(self) -> None:
        if self._launch is not None:
            self._launch()
        else:
            self._execute_once()
        self._ran = self._in_flight = True

    def synchronize(self) -> None:
        try:
            self._cuda.synchronize()
        except DeviceError:
            self._broken = True
            raise
        self._in_flight = False

    def copy_outputs(self) -> dict[str, Array]:
        if not self._ran:
            raise DeviceError("no outputs yet: call enqueue and synchronize before copy_outputs.")
        for each in self._outputs:
            each.download(self._cuda)
        self.synchronize()
        return {each.spec.name: each.view.copy() for each in self._outputs}

    def device_event(self) -> DeviceEvent:
        return self._cuda.event()

    def describe(self) -> dict[str, str]:
        return dict(self._description)

    def _described(self, types: Mapping[str, int], graph: bool) -> dict[str, str]:
        loaded, cuda = self._loaded, self._cuda
        told = {
            self._library.product.title: self._library.version,
            "CUDA through": f"{cuda.name} {cuda.version}",
            **self._facts,
            "CUDA graph": "on, captured after one execution" if graph else "off",
            "auxiliary streams": str(loaded.auxiliary_streams),
            "memory of the context": f"{loaded.device_memory / _MIB:.1f} MiB",
            "profile": loaded.profile([spec.name for spec in self.inputs]) or "none: the file fixes its shapes",
            "layers by output type": ", ".join(f"{name} {count}" for name, count in types.items()) or "not told",
            "host memory": "pinned",
        }
        return told | ({"TensorRT warns": "; ".join(loaded.warnings)} if loaded.warnings else {})

    def _drop(self) -> None:
        """Let go of TensorRT's objects, the bound functions too, which hold them; they must be at rest."""
        if self._in_flight:
            with suppress(DeviceError):
                self._cuda.synchronize()
        self._launch = self._execute = None
        self._loaded.close()

    def _close(self) -> None:
        # What failed while it ran was told then, and would come again with every release.
        told = suppress(DeviceError) if self._broken else nullcontext()
        with told:
            self._resources.close()
        self._inputs.clear()  # their memory is gone
        self._outputs.clear()
