"""Inputs and outputs on the device, bound once, and two ways to copy them.

ONNX Runtime's own copies go through pageable host memory, which costs more than CUDA's from pinned memory do. Where one
of CUDA's Python modules is installed, pinned memory and the stream come from it, so that this backend's copies are as
the other backends' are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from backends._cuda import Cuda, slot
from backends.base import Array, Device, DeviceError, DeviceEvent, Feeds, TensorSpec


class Bound:
    """OrtValues at addresses that stay, as CUDA graphs need them."""

    def __init__(
        self, ort: Any, session: Any, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], device: Device
    ) -> None:
        place = (device.kind, device.index)
        self.binding: Any = session.io_binding()
        self.inputs = {
            spec.name: ort.OrtValue.ortvalue_from_numpy(np.zeros(spec.shape, spec.dtype), *place) for spec in inputs
        }
        self.outputs = {
            spec.name: ort.OrtValue.ortvalue_from_shape_and_type(list(spec.shape), spec.dtype, *place)
            for spec in outputs
        }
        for name, value in self.inputs.items():
            self.binding.bind_ortvalue_input(name, value)
        for name, value in self.outputs.items():
            self.binding.bind_ortvalue_output(name, value)

    def close(self) -> None:
        self.binding.clear_binding_inputs()
        self.binding.clear_binding_outputs()
        self.binding = None
        self.inputs.clear()
        self.outputs.clear()


class Copies(Protocol):
    """How inputs get to the device and outputs back; `words` are for `describe`."""

    words: Mapping[str, str]

    def to_device(self, feeds: Feeds) -> None:
        """Over on return, or ordered before the next run; the arrays may change afterwards."""

    def to_host(self) -> dict[str, Array]:
        """New arrays with the outputs of the last run."""

    def ran(self) -> None:
        """A run was started."""

    def synchronize(self) -> None:
        """Return when all runs are over."""

    def event(self) -> DeviceEvent | None:
        """A new event on the stream of the runs, where there is one to record on."""

    def close(self) -> None:
        """Wait for what is under way; the values are closed by who made them."""


class OwnCopies:
    """ONNX Runtime's own: each is over when its call returns, and so is each run."""

    def __init__(self, bound: Bound, device: Device) -> None:
        self._bound = bound
        self.words: Mapping[str, str] = {} if device.kind == "cpu" else {
            "CUDA through": "ONNX Runtime alone", "host memory": "pageable", "stream": "ONNX Runtime's own",
        }  # fmt: skip

    def to_device(self, feeds: Feeds) -> None:
        for name, value in self._bound.inputs.items():
            value.update_inplace(np.ascontiguousarray(feeds[name]))

    def to_host(self) -> dict[str, Array]:
        return {name: np.array(value.numpy(), copy=True) for name, value in self._bound.outputs.items()}

    def ran(self) -> None:
        pass

    def synchronize(self) -> None:
        self._bound.binding.synchronize_outputs()

    def event(self) -> DeviceEvent | None:
        return None

    def close(self) -> None:
        pass


class PinnedCopies:
    """CUDA's, from and to pinned memory, on the stream that ONNX Runtime was told to work on."""

    def __init__(self, bound: Bound, cuda: Cuda, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self._cuda = cuda
        self._in_flight = False
        self._inputs = [slot(cuda, spec, int(bound.inputs[spec.name].data_ptr())) for spec in inputs]
        self._outputs = [slot(cuda, spec, int(bound.outputs[spec.name].data_ptr())) for spec in outputs]
        self.words: Mapping[str, str] = {
            "CUDA through": f"{cuda.name} {cuda.version}", "host memory": "pinned", "stream": "of this session",
        }  # fmt: skip

    def to_device(self, feeds: Feeds) -> None:
        if self._in_flight:  # an earlier copy may still be reading the pinned memory
            self.synchronize()
        self._in_flight = True
        for each in self._inputs:
            np.copyto(each.view, feeds[each.spec.name], casting="no")
            each.upload(self._cuda)

    def to_host(self) -> dict[str, Array]:
        for each in self._outputs:
            each.download(self._cuda)
        self.synchronize()
        return {each.spec.name: each.view.copy() for each in self._outputs}

    def ran(self) -> None:
        self._in_flight = True

    def synchronize(self) -> None:
        self._cuda.synchronize()
        self._in_flight = False

    def event(self) -> DeviceEvent | None:
        return self._cuda.event()

    def close(self) -> None:
        with suppress(DeviceError):  # told when it happened
            self._cuda.synchronize()
        self._inputs.clear()
        self._outputs.clear()
