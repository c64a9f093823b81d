"""The simulated machine: its devices, each thread's current stream, and the rules by which work is done on them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from weakref import WeakValueDictionary

import torch

from tests.doubles.torch_cuda.config import Config
from tests.doubles.torch_cuda.streams import Capture, Event, Graph, Stream
from tests.doubles.torch_cuda.tensors import WORLD, DeviceTensor, Factories, as_device, tensors_in


class _Thread(threading.local):
    def __init__(self) -> None:
        self.device = 0
        self.streams: dict[int, Stream] = {}


class World:
    """`journal` tells what was done in order, `breaches` which rules were broken. Take it by `installed`."""

    def __init__(self, **settings: Any) -> None:
        self.config = Config(**settings)
        self.journal: list[str] = []
        self.breaches: list[str] = []
        self.capturing: Graph | None = None
        #: nanoseconds of the host's, which pass by launches and by waiting alone
        self.now = 0
        self._thread = _Thread()
        self._defaults = [Stream(self, index, 0) for index in range(self.config.count)]
        self._streams: list[Stream] = []
        self._pinned: WeakValueDictionary[int, torch.Tensor] = WeakValueDictionary()
        self._tensors: WeakValueDictionary[int, torch.Tensor] = WeakValueDictionary()
        #: by the address of the memory: the stream of the last write, and which of its works that was
        self._writes: dict[int, tuple[Stream, int]] = {}
        self._known: set[Any] = set()
        self._real_autocast = torch.autocast

    @contextmanager
    def installed(self) -> Iterator[World]:
        """In the place of torch.cuda, in this thread; other threads take `thread` besides."""
        stand_ins = {
            "is_available": lambda: self.config.built and not self.config.init, "init": self._init,
            "device_count": lambda: self.config.count, "current_device": lambda: self._thread.device,
            "set_device": self._set_device, "get_device_name": lambda index=0: self.config.card,
            "get_device_capability": lambda index=0: self.config.capability,
            "get_device_properties": self._properties, "Stream": self._new_stream,
            "current_stream": self.current, "set_stream": self.set_stream, "synchronize": self.synchronize,
            "Event": lambda enable_timing=False: Event(self, enable_timing), "CUDAGraph": lambda: Graph(self),
            "graph": lambda graph, **given: Capture(self, graph, **given), "empty_cache": self._empty_cache,
        }  # fmt: skip
        with ExitStack() as stack:
            for name, stand_in in stand_ins.items():
                stack.enter_context(patch.object(torch.cuda, name, stand_in))
            stack.enter_context(patch.object(torch.backends.cuda, "is_built", lambda: self.config.built))
            stack.enter_context(patch.object(torch.version, "cuda", "13.0"))
            stack.enter_context(patch.object(torch, "autocast", self._autocast))
            # Weights become tensors of another class, which is more than exchanging what is in them.
            before = torch.__future__.get_overwrite_module_params_on_conversion()
            torch.__future__.set_overwrite_module_params_on_conversion(True)
            stack.callback(torch.__future__.set_overwrite_module_params_on_conversion, before)
            switches = _switches()
            stack.callback(_put_back, switches)
            WORLD.append(self)
            stack.callback(WORLD.clear)
            stack.enter_context(self.thread())
            yield self

    def _properties(self, index: int = 0) -> Any:
        if not 0 <= index < self.config.count:
            raise AssertionError("Invalid device id")
        return SimpleNamespace(name=self.config.card, pci_domain_id=0, pci_bus_id=0x3B + index, pci_device_id=0)

    def thread(self) -> Any:
        """What a thread needs besides, for as long as it works with device tensors."""
        return Factories()

    def clock(self) -> int:
        """Nanoseconds, for the host's loop."""
        return self.now

    def left(self) -> tuple[int, int]:
        """How many device tensors, and how many in pinned memory, someone still has."""
        gc.collect()
        return len(self._tensors), len(self._pinned)

    # torch.cuda

    def _init(self) -> None:
        if self.config.init:
            raise RuntimeError(self.config.init)

    def _new_stream(self, device: torch.device | None = None) -> Stream:
        self.maybe_fail("stream")
        self._streams.append(Stream(self, self._index(device), len(self._streams) + 1))
        return self._streams[-1]

    def current(self, device: Any = None) -> Stream:
        index = self._index(device)
        return self._thread.streams.get(index, self._defaults[index])

    def set_stream(self, stream: Stream) -> None:
        self.journal.append(f"set {stream}")
        self._thread.device = stream.device_index
        self._thread.streams[stream.device_index] = stream

    def _set_device(self, index: int) -> None:
        self._thread.device = index

    def _index(self, device: Any) -> int:
        if device is None:
            return self._thread.device
        return device if isinstance(device, int) else (device.index or 0)

    def synchronize(self) -> None:
        """Wait for everything that this thread's streams have to do."""
        for stream in [*self._defaults, *self._thread.streams.values()]:
            stream.synchronize()

    def _empty_cache(self) -> None:
        self.maybe_fail("empty_cache")
        self.journal.append("empty_cache")

    def _autocast(self, kind: str, dtype: Any = None) -> Any:
        """The CPU's, which does the same to tensors that are the CPU's in truth."""
        self.journal.append(f"autocast {kind} {dtype}")
        return self._real_autocast("cpu", dtype=dtype)

    # Tensors

    def pinned(self, tensor: torch.Tensor) -> torch.Tensor:
        self.maybe_fail("pin")
        self._pinned[tensor.data_ptr()] = tensor
        return tensor

    def made(self, tensor: torch.Tensor, index: int) -> Any:
        made = as_device(tensor, index)
        self._tensors[id(made)] = made
        with torch._C.DisableTorchFunctionSubclass():
            self._wrote(made, self._launched("fill", index))
        return made

    def bring(self, tensor: torch.Tensor, index: int, args: Any, kwargs: Any) -> Any:
        """Tensor.to with a device."""
        if isinstance(tensor, DeviceTensor):
            return tensor
        self.journal.append("copy from pageable memory")
        with torch._C.DisableTorchFunctionSubclass():
            copied = tensor.detach().to(*args, **kwargs).clone()
        return self.made(copied, index)

    def call(self, func: Any, args: Any, kwargs: Any) -> Any:
        """One call of PyTorch's with device tensors in it."""
        name = getattr(func, "__name__", "")
        owner = getattr(getattr(func, "__self__", None), "__name__", "")
        if name == "__get__" and owner == "device":
            return torch.device("cuda", args[0].index)
        if name in ("numpy", "__array__"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
        with torch._C.DisableTorchFunctionSubclass():
            if name == "copy_" and not (isinstance(args[0], DeviceTensor) and isinstance(args[1], DeviceTensor)):
                return self._across(*args, **kwargs)
            if name in ("cpu", "item", "tolist"):
                self.journal.append(f"{name} waits")
                self.current(args[0].index).synchronize()
                return func(*(arg.as_subclass(torch.Tensor) for arg in args), **kwargs)
            return self._compute(func, name, args, kwargs)

    def _compute(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        given = list(tensors_in([args, kwargs]))
        index = next(each.index for each in given if isinstance(each, DeviceTensor))
        places = {each.data_ptr() for each in given}
        result = func(*args, **kwargs)
        if not any(True for _ in tensors_in(result)):  # a question about its shape or type
            return result
        if any(each.dim() and getattr(each, "index", None) != index for each in given):
            raise RuntimeError("Expected all tensors to be on the same device, but found at least two devices")
        result = as_device(result, index)
        kernel = (name, tuple(tuple(each.shape) for each in given))
        if self.capturing is None:
            stream = self._launched(name, index)
            for each in given:
                self._check(name, each, stream)
            for each in tensors_in(result):
                self._wrote(each, stream)
                self._tensors[id(each)] = each
            self._known.add(kernel)
            return result
        if name.startswith("conv") and kernel not in self._known and torch.backends.cudnn.benchmark:
            raise self.capturing.breaks()  # cuDNN has yet to try its convolutions out
        self._record(func, args, kwargs, result)
        for each in tensors_in(result):
            self._tensors[id(each)] = each
            if each.data_ptr() not in places and each.is_floating_point():
                with torch.inference_mode():
                    each.fill_(float("nan"))
        return result

    def _record(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        assert self.capturing is not None
        targets = list(tensors_in(result))
        cast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None

        def again() -> None:
            with (
                torch._C.DisableTorchFunctionSubclass(),
                torch.inference_mode(),
                self._real_autocast("cpu", dtype=cast, enabled=cast is not None),
            ):
                for target, source in zip(targets, tensors_in(func(*args, **kwargs)), strict=True):
                    if target is not source:
                        target.copy_(source)

        self.capturing.calls.append(again)

    def _across(self, target: torch.Tensor, source: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
        """A copy between the host and a device."""
        up = isinstance(target, DeviceTensor)
        on_device, on_host = (target, source) if up else (source, target)
        self.maybe_fail("upload" if up else "download")
        stream = self._launched("upload" if up else "download", on_device.index)  # type: ignore[attr-defined]
        self._check("copy_", on_device, stream)
        pinned = on_host.data_ptr() in self._pinned
        at_once = not (non_blocking and pinned)
        if not pinned:
            self.journal.append("copy from pageable memory" if up else "copy to pageable memory")
        if self.capturing is not None and at_once:
            raise self.capturing.breaks()
        if up:
            target.copy_(source)
            self._wrote(target, stream)
            if not at_once:
                stream.arrivals.append(self._unchanged(on_host))
        elif at_once:
            stream.synchronize()
            target.copy_(source)
        else:
            value = source.detach().clone()
            target.fill_(-77)
            stream.arrivals.append(lambda: _fill(target, value))
        return target

    def _unchanged(self, memory: torch.Tensor) -> Callable[[], None]:
        """A look, when the copy from it is over, whether anyone has written there."""
        before = memory.detach().clone()

        def look() -> None:
            if not torch.equal(before, memory):
                self.breaches.append("pinned memory was written to while a copy was reading it")

        return look

    # Rules

    def _launched(self, name: str, index: int) -> Stream:
        if name not in ("upload", "download"):
            self.maybe_fail("launch")
        stream = self.current(index)
        if self.capturing is None or name in ("upload", "download"):
            stream.work()
            self.journal.append(f"{name} on {stream}")
        return stream

    def _wrote(self, tensor: torch.Tensor, stream: Stream) -> None:
        self._writes[tensor.untyped_storage().data_ptr()] = stream, stream.put

    def _check(self, name: str, tensor: torch.Tensor, stream: Stream) -> None:
        written = self._writes.get(tensor.untyped_storage().data_ptr())
        if written is not None and not stream.sees(*written):
            self.breaches.append(f"{name} on {stream} does not wait for what {written[0]} writes")

    def refuse_in_capture(self, stream: Stream) -> None:
        if self.capturing is not None and self.capturing.stream is stream:
            raise self.capturing.breaks()

    def maybe_fail(self, name: str) -> None:
        if name in self.config.fail:
            error = self.config.fail[name]
            if "CUDA error" in str(error):  # nothing arrives any more
                for stream in self._streams:
                    stream.arrivals.clear()
            raise type(error)(*error.args)  # a new one: an error that was raised holds all that was there


def _fill(target: torch.Tensor, value: torch.Tensor) -> None:
    with torch._C.DisableTorchFunctionSubclass():
        target.copy_(value)


def _switches() -> SimpleNamespace:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return SimpleNamespace(cudnn=cudnn.allow_tf32, matmul=matmul.allow_tf32, benchmark=cudnn.benchmark)


def _put_back(before: SimpleNamespace) -> None:
    torch.backends.cudnn.allow_tf32 = before.cudnn
    torch.backends.cuda.matmul.allow_tf32 = before.matmul
    torch.backends.cudnn.benchmark = before.benchmark
