"""The two modules on the simulated machine: forms of answers, exceptions, and pycuda's contexts."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from tests.doubles.cuda import Config, Fault, Virtual, World


def _world(**settings: Any) -> World:
    return World(Config(**settings), Virtual())


@pytest.fixture
def world() -> World:
    return _world()


@pytest.fixture
def driver(world: World) -> Any:
    module = world.pycuda()
    module.init()
    return module


def test_the_runtime_answers_with_tuples_and_raises_nothing(world: World) -> None:
    runtime = world.runtime()
    assert runtime.cudaGetDeviceCount() == (0, 1)
    error, address = runtime.cudaMalloc(100)
    assert (error, error.name, bool(error)) == (runtime.cudaError_t.cudaSuccess, "cudaSuccess", False)
    assert runtime.cudaFree(address) == (0,)
    (error,) = runtime.cudaFree(address)
    assert (error.name, error.value) == ("cudaErrorInvalidValue", 1)
    assert runtime.cudaSetDevice(5) == (runtime.cudaError_t.cudaErrorInvalidDevice,)
    assert runtime.cudaMalloc(2**60) == (runtime.cudaError_t.cudaErrorMemoryAllocation, None)
    assert runtime.cudaMemGetInfo() == (0, 16 * 2**30, 16 * 2**30)


def test_the_runtime_remembers_its_last_error_until_it_is_asked(world: World) -> None:
    runtime = world.runtime()
    runtime.cudaMalloc(2**60)
    assert runtime.cudaGetLastError() == (2,)
    assert runtime.cudaGetLastError() == (0,)


def test_handles_are_objects_or_numbers_of_the_right_kind(world: World) -> None:
    runtime = world.runtime()
    _, stream = runtime.cudaStreamCreateWithFlags(runtime.cudaStreamNonBlocking)
    _, event = runtime.cudaEventCreateWithFlags(0)
    assert runtime.cudaEventRecord(event, int(stream)) == (0,)
    assert runtime.cudaStreamSynchronize(int(stream)) == (0,)
    with pytest.raises(TypeError):
        runtime.cudaStreamSynchronize(event)
    with pytest.raises(TypeError):
        runtime.cudaSetDevice("0")
    with pytest.raises(OverflowError):
        runtime.cudaMalloc(-1)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"driver_version": 0}, "cudaErrorInsufficientDriver"),
        ({"driver_version": 12080}, "cudaErrorInsufficientDriver"),
        ({"devices": 0}, "cudaErrorNoDevice"),
    ],
)
def test_the_runtime_without_a_usable_device(settings: dict, name: str) -> None:
    runtime = _world(**settings).runtime()
    for answer in (runtime.cudaGetDeviceCount(), runtime.cudaMalloc(1), runtime.cudaStreamCreateWithFlags(1)):
        assert answer[0].name == name
        assert answer[1] is None
    assert runtime.cudaDriverGetVersion() == (0, settings.get("driver_version", 13000))
    assert runtime.cudaRuntimeGetVersion() == (0, 13000)


def test_properties_and_the_address(world: World) -> None:
    runtime = world.runtime()
    _, properties = runtime.cudaGetDeviceProperties(0)
    assert (properties.name, properties.major, properties.minor) == (b"Tesla T4", 7, 5)
    assert runtime.cudaDeviceGetPCIBusId(20, 0) == (0, b"00000000:3B:00.0\0\0\0\0")
    assert runtime.cudaGetErrorName(2) == (0, b"cudaErrorMemoryAllocation")


def test_pycuda_without_a_driver_does_not_load() -> None:
    with pytest.raises(ImportError, match=r"libcuda\.so\.1"):
        _world(driver_version=0).pycuda()


def test_pycuda_wants_init_first_and_a_device() -> None:
    driver = _world().pycuda()
    with pytest.raises(driver.LogicError, match="cuDeviceGet failed: initialization error"):
        driver.Device(0)
    driver.init()
    with pytest.raises(driver.LogicError, match="cuDeviceGet failed: invalid device ordinal"):
        driver.Device(1)
    none = _world(devices=0).pycuda()
    with pytest.raises(none.RuntimeError, match="cuInit failed: no CUDA-capable device is detected"):
        none.init()


def test_without_a_context_pycuda_says_what_everybody_has_read(world: World, driver: Any) -> None:
    with pytest.raises(driver.LogicError, match="no currently active context"):
        driver.Stream()
    with pytest.raises(driver.LogicError, match="cuMemAlloc failed: invalid device context"):
        driver.mem_alloc(10)
    assert [entry.rule for entry in world.violations] == ["no-context", "no-context"]


def test_a_context_is_of_the_thread_that_pushed_it(world: World, driver: Any) -> None:
    context = driver.Device(0).retain_primary_context()
    context.push()
    raised: list[Exception] = []

    def other() -> None:
        try:
            driver.Stream()
        except driver.Error as error:
            raised.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert "no currently active context" in str(raised[0])
    driver.Stream()
    context.pop()
    with pytest.raises(driver.LogicError, match="cannot pop non-current context"):
        context.pop()
    context.detach()
    with pytest.raises(driver.LogicError, match="cannot detach from invalid context"):
        context.detach()


def test_a_context_of_ones_own_breaks_the_rule_of_the_primary_one(world: World, driver: Any) -> None:
    context = driver.Device(0).make_context()
    driver.Stream()
    context.pop()
    context.detach()
    assert [entry.rule for entry in world.violations] == ["own-context"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(2, "MemoryError"), (719, "LaunchError"), (702, "LaunchError"), (100, "RuntimeError"), (214, "RuntimeError"),
     (400, "LogicError"), (700, "LogicError"), (999, "Error")],
)  # fmt: skip
def test_codes_are_exceptions_of_their_kinds(code: int, kind: str) -> None:
    world = _world(faults=(Fault(call="cudaMalloc", code=code),))
    driver = world.pycuda()
    driver.init()
    context = driver.Device(0).retain_primary_context()
    context.push()
    with pytest.raises(driver.Error, match=r"^cuMemAlloc failed: ") as caught:
        driver.mem_alloc(10)
    assert type(caught.value) is getattr(driver, kind)
    assert isinstance(caught.value, MemoryError) == (code == 2)


def test_what_nothing_refers_to_is_released_in_its_context(world: World, driver: Any) -> None:
    context = driver.Device(0).retain_primary_context()
    context.push()
    things = [driver.Stream(1), driver.Event(), driver.mem_alloc(10), driver.pagelocked_empty(10, np.uint8)]
    context.pop()
    assert len(world.leaks()) == 5
    things.clear()
    context.detach()
    assert world.end() == []


def test_what_outlives_its_context_is_never_released(world: World, driver: Any) -> None:
    context = driver.Device(0).retain_primary_context()
    context.push()
    keep = world.context_retain(0)  # as another library does
    stream = driver.Stream(1)
    context.pop()
    context.detach()
    del stream
    assert [entry.rule for entry in world.remarks] == ["not-released"]
    assert [line.partition(":")[0] for line in world.leaks()] == ["stream", "context"]
    world.context_release(keep)


def test_freeing_twice_is_noticed_by_pycuda_itself(world: World, driver: Any) -> None:
    context = driver.Device(0).retain_primary_context()
    context.push()
    memory, pinned = driver.mem_alloc(10), driver.pagelocked_empty((2, 5), np.float32)
    assert pinned.shape == (2, 5)
    for allocation in (memory, pinned.base):
        allocation.free()
        with pytest.raises(driver.LogicError, match="invalid resource handle"):
            allocation.free()
    assert [entry.rule for entry in world.violations] == ["freed-twice", "freed-twice"]


def test_copies_take_buffers_and_addresses(world: World, driver: Any) -> None:
    context = driver.Device(0).retain_primary_context()
    context.push()
    memory, stream = driver.mem_alloc(12), driver.Stream(1)
    pinned = driver.pagelocked_empty(3, np.float32)
    pinned[:] = [1, 2, 3]
    driver.memcpy_htod_async(memory, pinned, stream)
    stream.synchronize()
    pinned[:] = 0
    driver.memcpy_dtoh_async(pinned[1:], int(memory), stream)
    stream.synchronize()
    assert pinned.tolist() == [0, 1, 2]
    with pytest.raises(BufferError):
        driver.memcpy_dtoh_async(pinned[::2], memory, stream)
    with pytest.raises(driver.LogicError, match=r"cuMemcpyHtoDAsync failed: invalid argument"):
        driver.memcpy_htod_async(memory, np.zeros(3, np.float32), stream)
    assert [entry.rule for entry in world.violations] == ["pageable-memory"]


def test_both_modules_work_on_one_machine(world: World, driver: Any) -> None:
    context = driver.Device(0).retain_primary_context()
    context.push()
    runtime = world.runtime()
    stream = driver.Stream(1)
    assert runtime.cudaStreamSynchronize(stream.handle) == (0,)
    del stream
    context.pop()
    context.detach()
    assert world.end() == []
