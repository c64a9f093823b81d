"""Backends that break the protocol in one way each, on top of one that keeps it; with a model of their own.

Their jobs last some milliseconds by sleeping, so that a test can tell work from no work on any machine.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from backends.base import (
    Array,
    Artifact,
    Availability,
    Backend,
    Capabilities,
    Device,
    DeviceInfo,
    Feeds,
    Model,
    OptionSpec,
    OptionValue,
    Precision,
    Session,
    TensorSpec,
)
from backends.conformance import Case

NPU = Device("npu")
X = TensorSpec("x", (64, 1024), np.dtype(np.float32))
Y = TensorSpec("y", (64, 1024), np.dtype(np.float32))
WEIGHTS = np.random.default_rng(0).standard_normal(1024, np.float32)
JOB_S = 0.003
LOOKUP_S = 0.0005


def own_case() -> Case:
    """y = x * weights: a model that exists neither as .onnx nor as PyTorch module."""
    return Case(
        model=Model("a scaling", "0" * 64, X.shape[0], (X,), (Y,)),
        feeds=lambda seed: {"x": np.random.default_rng(seed).standard_normal(X.shape, np.float32)},
        reference=lambda feeds: {"y": feeds["x"].astype(np.float64) * WEIGHTS},
    )


class GoodSession(Session):
    """Keeps the protocol, and is done when `enqueue` returns."""

    def __init__(self, device: Device = NPU) -> None:
        self.inputs, self.outputs, self.precision, self.device = (X,), (Y,), Precision.FP32, device
        self._x: Array = np.zeros(X.shape, X.dtype)
        self._y: Array = np.zeros(Y.shape, Y.dtype)

    def _copy_inputs(self, feeds: Feeds) -> None:
        np.copyto(self._x, feeds["x"])

    def _compute(self) -> Array:
        time.sleep(JOB_S)
        return self._x * WEIGHTS

    def enqueue(self) -> None:
        self._y = self._compute()

    def synchronize(self) -> None:
        pass

    def copy_outputs(self) -> dict[str, Array]:
        return {"y": self._y.copy()}

    def describe(self) -> dict[str, str]:
        return {"double": "1"}

    def _close(self) -> None:
        del self._x, self._y


class AsynchronousSession(GoodSession):
    """Keeps the protocol with a worker thread that stands in for a device; copies wait for it, as CUDA's do."""

    def __init__(self, device: Device = NPU) -> None:
        super().__init__(device)
        self._jobs: queue.Queue[bool] = queue.Queue()
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()

    def _work(self) -> None:
        while self._jobs.get():
            self._y = self._compute()
            self._jobs.task_done()

    def enqueue(self) -> None:
        self._jobs.put(True)

    def synchronize(self) -> None:
        self._jobs.join()

    def _copy_inputs(self, feeds: Feeds) -> None:
        self._jobs.join()
        super()._copy_inputs(feeds)

    def copy_outputs(self) -> dict[str, Array]:
        self._jobs.join()
        return super().copy_outputs()

    def _close(self) -> None:
        self._jobs.put(False)
        self._worker.join()
        super()._close()


class SaysHalf(GoodSession):
    """Was asked for fp32, executes fp16 and says so, which is allowed."""

    def __init__(self, device: Device = NPU) -> None:
        super().__init__(device)
        self.precision = Precision.FP16

    def _compute(self) -> Array:
        time.sleep(JOB_S)
        return self._x.astype(np.float16).astype(np.float32) * WEIGHTS.astype(np.float16)


class NoSynchronise(AsynchronousSession):
    def synchronize(self) -> None:
        pass


class WaitsForTheFirst(AsynchronousSession):
    """`synchronize` returns when one job is done, however many were enqueued."""

    def synchronize(self) -> None:
        with self._jobs.all_tasks_done:
            before = self._jobs.unfinished_tasks
            while 0 < before <= self._jobs.unfinished_tasks:
                self._jobs.all_tasks_done.wait(0.0005)


class DropsWork(AsynchronousSession):
    """Starts no inference while one is under way: the answer would be the same."""

    def enqueue(self) -> None:
        if not self._jobs.unfinished_tasks:
            super().enqueue()


class LateOutputs(AsynchronousSession):
    """Neither `synchronize` nor `copy_outputs` waits."""

    def synchronize(self) -> None:
        pass

    def copy_outputs(self) -> dict[str, Array]:
        return GoodSession.copy_outputs(self)


class Stale(GoodSession):
    """Hands out the outputs of the inference before."""

    _before: Array = np.zeros(Y.shape, Y.dtype)

    def enqueue(self) -> None:
        self._before, self._y = self._y, self._compute()

    def copy_outputs(self) -> dict[str, Array]:
        return {"y": self._before.copy()}


class RemembersLast(GoodSession):
    """Computes only when an input was copied since the last time."""

    _new = False

    def _copy_inputs(self, feeds: Feeds) -> None:
        super()._copy_inputs(feeds)
        self._new = True

    def _compute(self) -> Array:
        if self._new:
            self._new = False
            return super()._compute()
        time.sleep(LOOKUP_S)
        return self._y


class RemembersAll(GoodSession):
    """Looks every input up in all that were seen before, by any session."""

    _seen: ClassVar[dict[int, Array]] = {}

    def _compute(self) -> Array:
        key = hash(self._x.tobytes())
        if key in self._seen:
            time.sleep(LOOKUP_S)
        else:
            self._seen[key] = super()._compute()
        return self._seen[key]


class AnyDtype(GoodSession):
    def copy_inputs(self, feeds: Feeds) -> None:  # type: ignore[misc]
        super().copy_inputs({name: array.astype(np.float32) for name, array in feeds.items()})


class AnyShape(GoodSession):
    def copy_inputs(self, feeds: Feeds) -> None:  # type: ignore[misc]
        super().copy_inputs({n: a.reshape(X.shape) if a.size == self._x.size else a for n, a in feeds.items()})


class UndeclaredDtype(GoodSession):
    def copy_outputs(self) -> dict[str, Array]:
        return {"y": self._y.astype(np.float64)}


class WrongValues(GoodSession):
    """Another function: what a broken conversion gives."""

    def _compute(self) -> Array:
        return -super()._compute()


class HandsOutItsBuffer(GoodSession):
    def enqueue(self) -> None:
        self._y[...] = self._compute()

    def copy_outputs(self) -> dict[str, Array]:
        return {"y": self._y}


class ReadsHostMemory(GoodSession):
    """Copies in `enqueue`, inside what is timed as computing."""

    def _copy_inputs(self, feeds: Feeds) -> None:
        self._host = feeds["x"]

    def enqueue(self) -> None:
        np.copyto(self._x, self._host)
        super().enqueue()


class SilentHalf(SaysHalf):
    """Executes fp16 and says fp32."""

    def __init__(self, device: Device = NPU) -> None:
        super().__init__(device)
        self.precision = Precision.FP32


class SilentFull(GoodSession):
    """Executes fp32 and says bf16."""

    def __init__(self, device: Device = NPU) -> None:
        super().__init__(device)
        self.precision = Precision.BF16


class Elsewhere(GoodSession):
    """Runs on the CPU whatever was asked for, and knows it."""

    def __init__(self, device: Device = NPU) -> None:
        super().__init__(Device("cpu"))


class PartlyElsewhere(GoodSession):
    fallback = "3 of 10 nodes run on the CPU"


class NeverCloses(GoodSession):
    def close(self) -> None:  # type: ignore[misc]
        pass


class DescribesNothing(GoodSession):
    def describe(self) -> dict[str, str]:
        return {}


class DescribesNumbers(GoodSession):
    def describe(self) -> dict[str, str]:
        return {"threads": 4}  # type: ignore[dict-item]


class LeaksMemory(GoodSession):
    kept: ClassVar[list[Array]] = []

    def _close(self) -> None:
        self.kept.append(self._x)


class LeaksFiles(GoodSession):
    kept: ClassVar[list[int]] = []

    def __init__(self, device: Device = NPU) -> None:
        super().__init__(device)
        self.kept.append(os.open(os.devnull, os.O_RDONLY))


class LeaksThreads(AsynchronousSession):
    kept: ClassVar[list[AsynchronousSession]] = []

    def _close(self) -> None:
        self.kept.append(self)


def let_go() -> None:
    """Release what the leaking doubles kept."""
    RemembersAll._seen.clear()
    LeaksMemory.kept.clear()
    while LeaksFiles.kept:
        os.close(LeaksFiles.kept.pop())
    while LeaksThreads.kept:
        AsynchronousSession._close(LeaksThreads.kept.pop())


class DoubleBackend(Backend):
    """Opens sessions of one class."""

    name = "double"
    title = "a test double"
    simulated = True
    options = (OptionSpec("cpu_nodes", False, "let nodes run on the CPU"),)

    def __init__(self, session: type[GoodSession] = GoodSession) -> None:
        self._session = session

    def probe(self) -> Availability:
        return Availability(True, devices=(DeviceInfo(NPU, "a card"),))

    def capabilities(self, device: Device) -> Capabilities:
        return Capabilities(frozenset({Precision.FP32}), asynchronous=issubclass(self._session, AsynchronousSession))

    def prepare(
        self, model: Model, precision: Precision, device: Device, options: Mapping[str, OptionValue]
    ) -> Artifact:
        return Artifact(model, precision, sha256=model.sha256)

    def open(self, artifact: Artifact, device: Device, options: Mapping[str, OptionValue]) -> Session:
        return self._session(device)
