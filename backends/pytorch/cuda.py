"""A module on CUDA: a stream of its own, copies through pinned memory, events, and a CUDA graph where asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.base import (
    Array,
    Artifact,
    Device,
    DeviceError,
    DeviceEvent,
    DeviceInfo,
    Feeds,
    ModelMismatch,
    OptionValue,
    TensorSpec,
)
from backends.pytorch import failures
from backends.pytorch.session import TorchSession
from backends.pytorch.streams import enter, leave

#: The modes of torch.compile that capture CUDA graphs themselves; a capture cannot hold another.
WITH_GRAPHS = ("reduce-overhead", "max-autotune")
#: Devices on which such graphs are in use.
_POOLS: set[int] = set()


@dataclass(frozen=True, slots=True)
class _Upload:
    """From the host to where the module reads: `view` is numpy's of `pinned`, which is sent to `landing`.

    On the link are the host's own values, as with engines that take fp32 and compute in fp16. The device brings them
    into the type and the order of memory of `static`, which is `landing` itself where these are the same.
    """

    name: str
    view: Array
    pinned: Any
    landing: Any
    static: Any


@dataclass(frozen=True, slots=True)
class _Download:
    """Where the host gets an output: `view` is numpy's of `pinned`, in the type of `spec`."""

    spec: TensorSpec
    pinned: Any
    view: Array


class CudaSession(TorchSession):
    """On a CUDA stream of its own: the allocations, the copies and the work, so that nothing overtakes anything."""

    #: cuDNN chooses in the first; torch.compile with graphs captures in the second and replays from the third on.
    warm_up_calls = 3
    _compiler = "Triton and a C compiler"

    def __init__(self, torch: Any, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> None:
        """Raises DeviceError, with nothing left behind."""
        self._torch = torch
        self._batch = artifact.model.batch
        self._asked = device
        self._graph: Any = None
        self._copying = self._broken = self._capture_failed = False
        self._shares_graphs = options["compile"] in WITH_GRAPHS
        if self._shares_graphs and device.index in _POOLS:
            raise DeviceError(
                f"compile={options['compile']} keeps the graphs of a process in one pool of memory, so that two in"
                " flight would overwrite each other; use --streams 1, or pytorch:graph=true."
            )
        self._uploads: list[_Upload] = []
        self._downloads: list[_Download] = []
        self._static_inputs = []
        self._result = ()
        place = torch.device(str(device))
        try:
            self._stream: Any = torch.cuda.Stream(device=place)
            # Whatever the caller has started on the device before is done before this session's first work.
            self._stream.wait_stream(torch.cuda.current_stream(place))
        except RuntimeError as error:
            raise self._failure("opening a stream", error) from error
        self._wait = self._stream.synchronize
        try:
            enter(torch, self._stream)
            if self._shares_graphs:
                _POOLS.add(device.index)
            super().__init__(torch, artifact, device, options)
            self._uploads += [
                self._upload(spec, static) for spec, static in zip(self.inputs, self._static_inputs, strict=True)
            ]
            self._downloads += [self._download(spec) for spec in self.outputs]
            if options["graph"]:
                self._capture()
        except BaseException as error:
            with suppress(DeviceError):  # what is told is the first error
                self._release()
            if isinstance(error, RuntimeError):
                raise self._failure("loading the module", error) from error
            raise
        self.runs_on = _shown(torch, self.device)
        self._settings |= {
            "CUDA graph": self._graph_in_words(bool(options["graph"])),
            "host memory": "pinned",
        }

    def _graph_in_words(self, own: bool) -> str:
        if own:
            return f"on, captured after {self.warm_up_calls} calls"
        return "by torch.compile" if self._mode in WITH_GRAPHS else "off"

    def _upload(self, spec: TensorSpec, static: Any) -> _Upload:
        dtype = self._own_dtype(spec)
        pinned = self._torch.zeros(spec.shape, dtype=dtype, pin_memory=True)
        same = static.dtype == dtype and static.is_contiguous()
        landing = static if same else self._torch.zeros(spec.shape, dtype=dtype, device=self._place)
        return _Upload(spec.name, pinned.numpy(), pinned, landing, static)

    def _download(self, spec: TensorSpec) -> _Download:
        pinned = self._torch.zeros(spec.shape, dtype=self._own_dtype(spec), pin_memory=True)
        return _Download(spec, pinned, pinned.numpy())

    def _not_compiled(self, error: Exception) -> DeviceError:
        if failures.out_of_memory(self._torch, error) or failures.of_the_device(error):
            return self._failure(f"torch.compile(mode={self._mode!r})", error)
        return super()._not_compiled(error)

    def _capture(self) -> None:
        """One call as a graph, on the stream on which calls were made before: they chose what must not be chosen now.

        Other threads may go on using the device meanwhile.
        """
        for _ in range(self.warm_up_calls):
            self.enqueue()
        self.synchronize()
        torch = self._torch
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                super().enqueue()
        except RuntimeError as error:
            self._capture_failed = True
            # Ending a capture that was broken raises an error of its own, which does not say by what.
            cause = error.__context__ if isinstance(error.__context__, RuntimeError) else error
            if failures.out_of_memory(torch, cause):
                raise self._failure("capturing the CUDA graph", cause) from error
            raise DeviceError(
                f"the module cannot be captured in a CUDA graph ({failures.first_line(cause)}); leave out graph=true."
            ) from error
        self._graph = graph
        self._replay = graph.replay

    def _copy_inputs(self, feeds: Feeds) -> None:
        if self._copying:  # an earlier copy may still be reading the pinned memory
            self.synchronize()
        enter(self._torch, self._stream)
        self._copying = True
        try:
            for each in self._uploads:
                np.copyto(each.view, feeds[each.name], casting="no")
                each.landing.copy_(each.pinned, non_blocking=True)
                if each.landing is not each.static:
                    each.static.copy_(each.landing)
        except RuntimeError as error:
            raise self._failure("copying the inputs", error) from error

    def enqueue(self) -> None:
        enter(self._torch, self._stream)
        try:
            if self._graph is not None:
                self._replay()
            else:
                super().enqueue()
        except RuntimeError as error:
            raise self._failure("a call", error) from error

    def synchronize(self) -> None:
        try:
            self._wait()
        except RuntimeError as error:
            raise self._failure("torch.cuda.Stream.synchronize", error) from error
        self._copying = False

    def copy_outputs(self) -> dict[str, Array]:
        results = self._results()
        enter(self._torch, self._stream)
        try:
            for each, tensor in zip(self._downloads, results, strict=True):
                if tuple(tensor.shape) != each.spec.shape:
                    raise ModelMismatch(
                        f"output {each.spec.name!r} comes as {tuple(tensor.shape)}, expected {each.spec.shape};"
                        " describe the module's outputs as they are."
                    )
                each.pinned.copy_(tensor.to(each.pinned.dtype).contiguous(), non_blocking=True)
        except RuntimeError as error:
            raise self._failure("copying the outputs", error) from error
        self.synchronize()
        return {each.spec.name: each.view.copy() for each in self._downloads}

    def device_event(self) -> DeviceEvent:
        return _Event(self)

    def _failure(self, what: str, error: BaseException) -> DeviceError:
        self._broken = self._broken or failures.of_the_device(error)
        return failures.failure(self._torch, what, error, self._asked, self._batch)

    def _close(self) -> None:
        try:
            if not self._broken:  # what failed while it ran was told then
                self.synchronize()
        finally:
            self._release()

    def _release(self) -> None:
        """Everything in one order: the graph, which holds memory, then the tensors, then the memory itself."""
        torch = self._torch
        try:
            if self._graph is not None:
                self._graph.reset()
            self._graph = self._replay = None
            super()._close()
            self._uploads.clear()
            self._downloads.clear()
            leave(torch, self._stream)
            # After a capture that failed, versions before pytorch's pull request 180395 take it for going on.
            with suppress(RuntimeError) if self._capture_failed else nullcontext():
                torch.cuda.empty_cache()
        except RuntimeError as error:
            if not self._broken:
                raise self._failure("closing", error) from error
        finally:
            if self._shares_graphs:
                _POOLS.discard(self._asked.index)


def _shown(torch: Any, device: Device) -> DeviceInfo:
    """The card as PyTorch shows it; its address in newer versions only."""
    told = torch.cuda.get_device_properties(device.index)
    address = ""
    if hasattr(told, "pci_domain_id"):
        address = f"{told.pci_domain_id:04x}:{told.pci_bus_id:02x}:{told.pci_device_id:02x}.0"
    return DeviceInfo(device, str(told.name), address)


class _Event:
    """An event on the session's stream."""

    def __init__(self, session: CudaSession) -> None:
        self._session = session
        self.event: Any = session._torch.cuda.Event(enable_timing=True)
        self._stream = session._stream

    def record(self) -> None:
        try:
            self.event.record(self._stream)
        except RuntimeError as error:
            raise self._session._failure("recording an event", error) from error

    def elapsed_ms(self, since: DeviceEvent) -> float:
        if not isinstance(since, _Event):
            raise TypeError("both events must be of PyTorch")
        try:
            return float(since.event.elapsed_time(self.event))
        except (RuntimeError, ValueError) as error:
            raise DeviceError(
                f"the time between two events cannot be told ({failures.first_line(error)}); record both, and"
                " synchronize."
            ) from error
