"""The simulated devices as one process sees them: the one state behind the doubles of CUDA's and TensorRT's modules.

How a double of another library uses it
---------------------------------------
    from tests.doubles.cuda import Config, CudaFailure, Range, Virtual, World

    world = World(Config(journal="/some/file.jsonl"), Virtual())      # or World(config): real time
    runtime = world.runtime()      # like cuda.bindings.runtime
    driver = world.pycuda()        # like pycuda.driver

    address = world.malloc(1024, "weights of an engine")              # charged to the device's memory; a leak until
    world.free(address)                                               # it is freed; `what` names it in messages
    world.launch(stream, 0.005, work, reads=[Range(x, 12)], writes=[Range(y, 8)], needs=(context,))
    world.violation("rule-name", "what was done wrong")               # a rule of your own library that was broken

`work` is a function from the bytes of the `reads` ranges, in their order, to the bytes of the `writes` ranges. It gets
what is in the ranges when the stream has come to it. It is called when somebody copies the result to the host and not
before, at most once a launch, so what it costs disturbs no simulated time; equal inputs to an equal `work` (same
object, or equal by ==) are computed once and kept. Work whose result nobody reads is never called. A graph's launch
calls it with what is in the ranges then.

Every method that can fail raises CudaFailure with `code` (errors.py): translate it to your library's way of failing.
Broken rules are noticed here: memory that is not the device's or is freed, streams that are gone or of another device,
races between streams, the rules of capture, work on the default stream. Only what only your library knows is yours.
"""

from __future__ import annotations

from typing import Any

from tests.doubles.cuda.capturing import Capturing
from tests.doubles.cuda.contexts import Context
from tests.doubles.cuda.surface import call


class World(Capturing):
    """The machine. Its calls raise CudaFailure; `violations`, `leaks()` and `end()` tell what was done wrong.

    A forked process may not use it. Handles and addresses are whole numbers, as CUDA's are.
    """

    def runtime(self) -> Any:
        """A module like `cuda.bindings.runtime`, always the same one."""
        if "runtime" not in self._faces:
            from tests.doubles.cuda.runtime import build

            self._faces["runtime"] = build(self)
        return self._faces["runtime"]

    def pycuda(self) -> Any:
        """A module like `pycuda.driver`, always the same one. Raises ImportError where no driver is installed."""
        if not self.config.driver_version:
            raise ImportError("libcuda.so.1: cannot open shared object file: No such file or directory")
        if "pycuda" not in self._faces:
            from tests.doubles.cuda.pycuda_driver import build

            self._faces["pycuda"] = build(self)
        return self._faces["pycuda"]

    def take_last_error(self) -> int:
        """The last error of the runtime, which other libraries look at too; told once unless it is sticky."""
        found, self.last_error = self.last_error, self.lost
        return found

    @property
    def usable(self) -> bool:
        """Whether the runtime finds a driver that is new enough; a library that is used without one crashes."""
        return self.config.driver_version // 1000 >= self.config.runtime_version // 1000

    @property
    def current_device(self) -> int:
        """The device that this thread works on. Raises CudaFailure."""
        return self.contexts.current().device

    @call("cudaSetDevice")
    def set_device(self, device: int) -> None:
        """Make the primary context of a device this thread's. Raises CudaFailure."""
        self.contexts.set_device(device)

    @call("cudaGetDeviceCount")
    def device_count(self) -> int:
        """Raises CudaFailure where there is none."""
        self.contexts.check(0)
        return self.config.devices

    @call("cudaGetDeviceProperties", query=True)
    def check_device(self, device: int) -> None:
        """Raises CudaFailure unless the machine has it."""
        self.contexts.check(device)

    @call("cuCtxPushCurrent", query=True)
    def context_push(self, context: Context) -> None:
        """Put a context on top of this thread's."""
        self.contexts.push(context)

    @call("cuCtxPopCurrent", query=True)
    def context_pop(self) -> None:
        """Take the topmost of this thread's contexts off."""
        self.contexts.pop()

    @call("cuDevicePrimaryCtxRetain")
    def context_retain(self, device: int) -> Context:
        """Hold the primary context once more."""
        return self.contexts.retain(device)

    @call("cuDevicePrimaryCtxRelease", releases=True)
    def context_release(self, context: Context) -> None:
        """One holder of the primary context less; with the last one everything in it is gone."""
        if not self.contexts.release(context):
            return
        for thing in self.alive():
            if getattr(thing, "context", context) is context and getattr(thing, "device", context.device) == (
                context.device
            ):
                self.violation("released-before", f"the {context} is released before {thing}")
