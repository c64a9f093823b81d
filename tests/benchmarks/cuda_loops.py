"""Loops as one writes them by hand, with nothing of the harness in them: what its figures are held against.

A turn is a number of calls on inputs that lie on the device. The first call of each is left out: it finds the device
idle, and on a CPU the other side's threads still awake.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class BareLoop(Protocol):
    """`has_events`: `by_device` works. Both give milliseconds of single calls, one fewer than were made."""

    has_events: bool

    def by_host(self, calls: int) -> list[float]: ...

    def by_device(self, calls: int) -> list[float]: ...

    def output(self) -> Array: ...


class BareTorch:
    """A module in eval mode: plain, or captured in a CUDA graph with `graph`."""

    def __init__(
        self, module: Any, inputs: Sequence[Array], device: str, precision: str, graph: bool, threads: int
    ) -> None:  # fmt: skip
        import torch

        self._torch = torch
        self.has_events = device != "cpu"
        if self.has_events:
            torch.cuda.set_device(device)
            torch.backends.cudnn.benchmark = True
            torch.backends.cudnn.allow_tf32 = precision == "tf32"
            torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        else:
            torch.set_num_threads(threads)
        dtype = torch.float16 if precision == "fp16" else torch.float32
        self._module = module.eval().to(device, dtype)
        self._inputs = [torch.from_numpy(array).to(device, dtype) for array in inputs]
        self._call: Callable[[], Any] = self._captured() if graph else lambda: self._module(*self._inputs)

    def _captured(self) -> Callable[[], Any]:
        """As PyTorch's manual does it: a few calls on a side stream, then the capture."""
        torch = self._torch
        with torch.inference_mode():
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._module(*self._inputs)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                result = self._module(*self._inputs)

        def replay() -> Any:
            graph.replay()
            return result

        return replay

    def by_host(self, calls: int) -> list[float]:
        wait = self._torch.cuda.synchronize if self.has_events else lambda: None
        times = []
        with self._torch.inference_mode():
            wait()
            for _ in range(calls):
                begin = time.perf_counter()
                self._call()
                wait()
                times.append((time.perf_counter() - begin) * 1e3)
        return times[1:]

    def by_device(self, calls: int) -> list[float]:
        event = self._torch.cuda.Event
        pairs = [(event(enable_timing=True), event(enable_timing=True)) for _ in range(calls)]
        with self._torch.inference_mode():
            self._torch.cuda.synchronize()
            for begin, end in pairs:
                begin.record()
                self._call()
                end.record()
            self._torch.cuda.synchronize()
        return [begin.elapsed_time(end) for begin, end in pairs[1:]]

    def output(self) -> Array:
        with self._torch.inference_mode():
            made = self._call().float().cpu().numpy()
        return np.array(made)


class BareOnnx:
    """`run_with_iobinding`, which waits for the device itself, on the host's clock."""

    has_events = False

    def __init__(
        self, path: Path, feeds: Mapping[str, Array], output: str, shape: Sequence[int], device: str,
        tf32: bool, threads: int,
    ) -> None:  # fmt: skip
        import onnxruntime as ort

        kind, _, index = device.partition(":")
        place = (kind, int(index or 0))
        options = ort.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        # With the batch open, its shapes would be worked out on the CPU.
        options.add_free_dimension_override_by_name("batch", shape[0])
        provider: Any = "CPUExecutionProvider"
        if kind == "cuda":
            if hasattr(ort, "preload_dlls"):
                ort.preload_dlls()
            provider = ("CUDAExecutionProvider", {"device_id": str(place[1]), "use_tf32": "1" if tf32 else "0"})
        session = ort.InferenceSession(str(path), options, providers=[provider])
        if kind == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
            raise SystemExit("onnxruntime fell back to the CPU; install the CUDA and cuDNN libraries that it needs.")
        self._output = ort.OrtValue.ortvalue_from_shape_and_type(list(shape), np.float32, *place)
        self._inputs = {name: ort.OrtValue.ortvalue_from_numpy(array, *place) for name, array in feeds.items()}
        self._binding = session.io_binding()
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        self._binding.bind_ortvalue_output(output, self._output)
        self._run = session.run_with_iobinding

    def by_host(self, calls: int) -> list[float]:
        times = []
        for _ in range(calls):
            begin = time.perf_counter()
            self._run(self._binding)
            times.append((time.perf_counter() - begin) * 1e3)
        return times[1:]

    def by_device(self, calls: int) -> list[float]:
        raise NotImplementedError("ONNX Runtime shows no events")

    def output(self) -> Array:
        self._run(self._binding)
        return np.array(self._output.numpy())
