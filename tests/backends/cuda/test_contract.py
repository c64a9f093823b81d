"""Both implementations keep the same promises, on one simulated machine that holds them to CUDA's rules."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from backends._cuda import Cuda, DeviceMemory, PinnedMemory, open_cuda
from backends.base import DeviceError
from tests.backends.cuda.machines import APIS, INVERT_MS, launch_invert, machine, world_of
from tests.doubles.cuda import Fault, World
from tests.doubles.cuda.vendor import VERSIONS, vendor

SIZE = 1000


@dataclass
class Pipe:
    """Bytes that go to the device, through the kernel and back."""

    world: World
    cuda: Cuda

    def __post_init__(self) -> None:
        self.input: PinnedMemory = self.cuda.allocate_pinned(SIZE)
        self.output: PinnedMemory = self.cuda.allocate_pinned(SIZE)
        self.source: DeviceMemory = self.cuda.allocate(SIZE)
        self.target: DeviceMemory = self.cuda.allocate(SIZE)

    def run(self, value: int) -> None:
        self.input.bytes_[:] = value
        self.cuda.copy_to_device(self.source, self.input, SIZE)
        launch_invert(self.world, self.cuda, self.source, self.target)
        self.cuda.copy_to_host(self.output, self.target, SIZE)


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_says_what_it_is(api: str) -> None:
    with machine(api) as (_, cuda):
        assert (cuda.name, cuda.version, cuda.has_graphs) == (api, VERSIONS[api], api == "cuda-bindings")
        assert cuda.stream != 0


def test_bytes_come_back_as_they_went(api: str) -> None:
    with machine(api) as (_, cuda):
        there, back = cuda.allocate_pinned(SIZE), cuda.allocate_pinned(SIZE)
        device = cuda.allocate(SIZE)
        there.bytes_[:] = np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8)
        cuda.copy_to_device(device, there, SIZE)
        cuda.copy_to_host(back, device, SIZE)
        cuda.synchronize()
        assert (back.bytes_ == there.bytes_).all()


def test_pinned_memory_is_what_numpy_sees(api: str) -> None:
    with machine(api) as (_, cuda):
        pinned = cuda.allocate_pinned(SIZE)
        assert (pinned.bytes_.dtype, pinned.bytes_.shape) == (np.dtype(np.uint8), (SIZE,))
        assert pinned.bytes_.ctypes.data == pinned.address
        assert pinned.bytes_.flags.writeable


def test_only_the_first_bytes_are_copied(api: str) -> None:
    with machine(api) as (_, cuda):
        pinned, device = cuda.allocate_pinned(SIZE), cuda.allocate(SIZE)
        pinned.bytes_[:] = 1
        cuda.copy_to_device(device, pinned, SIZE)
        cuda.synchronize()
        pinned.bytes_[:] = 2
        cuda.copy_to_device(device, pinned, 10)
        cuda.synchronize()
        pinned.bytes_[:] = 3
        cuda.copy_to_host(pinned, device, 20)
        cuda.synchronize()
        assert pinned.bytes_.tolist() == [2] * 10 + [1] * 10 + [3] * (SIZE - 20)


def test_results_are_there_after_the_synchronise_and_not_before(api: str) -> None:
    with machine(api) as (world, cuda):
        pipe = Pipe(world, cuda)
        before = pipe.output.bytes_.copy()
        pipe.run(7)
        assert (pipe.output.bytes_ == before).all()
        cuda.synchronize()
        assert (pipe.output.bytes_ == 248).all()


def test_the_stream_keeps_its_order_over_many_runs(api: str) -> None:
    with machine(api) as (world, cuda):
        pipe = Pipe(world, cuda)
        for value in (1, 2, 1, 3):
            pipe.run(value)
            cuda.synchronize()
            assert (pipe.output.bytes_ == 255 - value).all()


def test_several_launches_before_one_synchronise_take_their_times_one_after_the_other(api: str) -> None:
    with machine(api) as (world, cuda):
        pipe = Pipe(world, cuda)
        for _ in range(4):
            launch_invert(world, cuda, pipe.source, pipe.target)
        began = world.timing.now()
        cuda.synchronize()
        assert (world.timing.now() - began) / 1e6 == pytest.approx(4 * INVERT_MS)


def test_events_tell_the_time_of_the_device(api: str) -> None:
    with machine(api) as (world, cuda):
        pipe, start, middle, end = Pipe(world, cuda), cuda.event(), cuda.event(), cuda.event()
        start.record()
        launch_invert(world, cuda, pipe.source, pipe.target)
        middle.record()
        launch_invert(world, cuda, pipe.target, pipe.source)
        end.record()
        end.synchronize()
        assert middle.elapsed_ms(start) == pytest.approx(INVERT_MS)
        assert end.elapsed_ms(start) == pytest.approx(2 * INVERT_MS)
        cuda.synchronize()


def test_waiting_for_an_event_waits_for_what_was_before_it_and_no_more(api: str) -> None:
    with machine(api) as (world, cuda):
        pipe, event = Pipe(world, cuda), cuda.event()
        pipe.run(1)
        event.record()
        launch_invert(world, cuda, pipe.source, pipe.target)
        event.synchronize()
        assert (pipe.output.bytes_ == 254).all()
        assert world.timing.now() / 1e6 == pytest.approx(INVERT_MS)
        cuda.synchronize()


def test_an_event_can_be_recorded_again(api: str) -> None:
    with machine(api) as (world, cuda):
        pipe, start, end = Pipe(world, cuda), cuda.event(), cuda.event()
        for launches in (1, 3):
            start.record()
            for _ in range(launches):
                launch_invert(world, cuda, pipe.source, pipe.target)
            end.record()
            cuda.synchronize()
            assert end.elapsed_ms(start) == pytest.approx(launches * INVERT_MS)


def test_close_waits_for_the_stream_and_releases_everything(api: str) -> None:
    world = world_of()
    cuda = open_cuda(0, api, vendor(world))
    pipe, event = Pipe(world, cuda), cuda.event()
    pipe.run(3)
    event.record()
    assert world.leaks()
    cuda.close()
    cuda.close()
    assert world.end() == []


def test_it_is_released_though_its_parts_are_still_referred_to(api: str) -> None:
    world = world_of()
    cuda = open_cuda(0, api, vendor(world))
    pipe, events = Pipe(world, cuda), [cuda.event() for _ in range(3)]
    gc.disable()
    try:
        cuda.close()
        assert world.end() == []
    finally:
        gc.enable()
    assert pipe
    assert len(events) == 3


def test_nothing_can_be_done_after_close(api: str) -> None:
    world = world_of()
    cuda = open_cuda(0, api, vendor(world))
    pipe = Pipe(world, cuda)
    cuda.close()
    calls: list[Callable[[], Any]] = [
        lambda: cuda.allocate(1),
        lambda: cuda.allocate_pinned(1),
        lambda: cuda.copy_to_device(pipe.source, pipe.input, 1),
        lambda: cuda.copy_to_host(pipe.output, pipe.target, 1),
        cuda.synchronize,
        cuda.event,
        lambda: cuda.capture(lambda: None),
    ]
    for call in calls:
        with pytest.raises(DeviceError, match="closed here"):
            call()
    assert world.end() == []


def test_two_of_them_live_side_by_side(api: str) -> None:
    world = world_of()
    with open_cuda(0, api, vendor(world)) as one, open_cuda(0, api, vendor(world)) as two:
        assert one.stream != two.stream
        pipes = [Pipe(world, one), Pipe(world, two)]
        for value, pipe in enumerate(pipes):
            pipe.run(value)
        for value, pipe in enumerate(pipes):
            pipe.cuda.synchronize()
            assert (pipe.output.bytes_ == 255 - value).all()
    assert world.end() == []


def test_one_after_the_other_works_too(api: str) -> None:
    world = world_of()
    for value in range(3):
        with open_cuda(0, api, vendor(world)) as cuda:
            pipe = Pipe(world, cuda)
            pipe.run(value)
            cuda.synchronize()
            assert (pipe.output.bytes_ == 255 - value).all()
    assert world.end() == []


def test_it_works_on_the_device_that_was_named(api: str) -> None:
    world = world_of(devices=3)
    with open_cuda(2, api, vendor(world)) as cuda:
        pipe = Pipe(world, cuda)
        pipe.run(9)
        cuda.synchronize()
        assert world.device_memory.used == [0, 0, 2 * 1024]
        assert (pipe.output.bytes_ == 246).all()
    assert world.end() == []


def test_another_thread_is_refused(api: str) -> None:
    with machine(api) as (_, cuda):
        told: list[str] = []

        def other() -> None:
            for call in (lambda: cuda.allocate(1), lambda: cuda.allocate_pinned(1), cuda.event, cuda.close):
                try:
                    call()
                except DeviceError as error:
                    told.append(str(error))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(told) == 4
        assert all("another thread" in line for line in told)


@pytest.mark.parametrize("size", [0, -1])
def test_an_allocation_of_nothing_is_a_mistake(api: str, size: int) -> None:
    with machine(api) as (_, cuda):
        with pytest.raises(ValueError, match="at least 1"):
            cuda.allocate(size)
        with pytest.raises(ValueError, match="at least 1"):
            cuda.allocate_pinned(size)


@pytest.mark.parametrize("size", [0, 11])
def test_a_copy_over_the_end_is_a_mistake(api: str, size: int) -> None:
    with machine(api) as (_, cuda):
        small, pinned = cuda.allocate(10), cuda.allocate_pinned(SIZE)
        with pytest.raises(ValueError, match="a copy of"):
            cuda.copy_to_device(small, pinned, size)
        with pytest.raises(ValueError, match="a copy of"):
            cuda.copy_to_host(pinned, small, size)


def test_out_of_memory_names_what_was_asked_and_what_is_free(api: str) -> None:
    with machine(api, memory_bytes=4 * 2**20) as (world, cuda):
        cuda.allocate(2**20)
        with pytest.raises(DeviceError, match=r"3.5 MiB; 3 MiB of 4 MiB are free.*smaller batches") as caught:
            cuda.allocate(7 * 2**19)
        assert "\n" not in str(caught.value)
        cuda.allocate(2**20)  # smaller ones go on
        assert world.take_last_error() == 0


def test_pinned_memory_that_is_not_there_is_told(api: str) -> None:
    faults = (Fault(call="cudaHostAlloc", nth=1, code=2),)
    with machine(api, faults=faults) as (_, cuda):
        with pytest.raises(
            DeviceError, match=r"HostAlloc failed with 2 .*for 1000 bytes of page-locked host memory\); .*free -h"
        ):
            cuda.allocate_pinned(SIZE)
        cuda.allocate_pinned(SIZE)


@pytest.mark.parametrize("code", [700, 702, 719, 214])
def test_after_a_lost_context_the_first_failure_is_told_and_everything_was_tried(api: str, code: int) -> None:
    world = world_of(faults=(Fault(call="launch", nth=2, code=code, effect="later"),))
    cuda = open_cuda(0, api, vendor(world))
    pipe, event = Pipe(world, cuda), cuda.event()
    pipe.run(1)
    cuda.synchronize()
    pipe.run(2)
    event.record()
    with pytest.raises(DeviceError, match=rf"StreamSynchronize failed with {code} .*context is lost.*start again"):
        cuda.synchronize()
    with pytest.raises(DeviceError, match=str(code)):
        cuda.allocate(1)
    with pytest.raises(DeviceError, match=rf"StreamSynchronize failed with {code}"):
        cuda.close()
    cuda.close()
    assert world.end() == []


@pytest.mark.parametrize(
    "call",
    ["cudaMalloc", "cudaHostAlloc", "cudaMemcpyAsync", "cudaStreamSynchronize", "cudaEventCreateWithFlags",
     "cudaEventRecord", "cudaEventSynchronize", "cudaEventElapsedTime"],
)  # fmt: skip
@pytest.mark.parametrize("code", [1, 999])
def test_whatever_fails_once_is_told_by_name_and_leaves_nothing(api: str, call: str, code: int) -> None:
    world = world_of(faults=(Fault(call=call, nth=1, code=code),))
    with open_cuda(0, api, vendor(world)) as cuda:
        with pytest.raises(DeviceError, match=rf"cu(da)?\w+ failed with {code} \(.*\); .*\.$"):
            _everything(world, cuda)
        _everything(world, cuda)
    assert world.end() == []


def _everything(world: World, cuda: Cuda) -> None:
    pipe, start, end = Pipe(world, cuda), cuda.event(), cuda.event()
    start.record()
    pipe.run(1)
    end.record()
    end.synchronize()
    cuda.synchronize()
    end.elapsed_ms(start)


@pytest.mark.parametrize("call", ["cudaFree", "cudaFreeHost", "cudaStreamDestroy", "cudaEventDestroy"])
def test_a_release_that_fails_does_not_stop_the_others(api: str, call: str) -> None:
    world = world_of(faults=(Fault(call=call, nth=1, code=999),))
    cuda = open_cuda(0, api, vendor(world))
    Pipe(world, cuda)
    cuda.event()
    if api == "pycuda":  # which only prints it
        cuda.close()
        assert [entry.rule for entry in world.remarks] == ["clean-up-failed"]
    else:
        with pytest.raises(DeviceError, match=f"{call} failed with 999"):
            cuda.close()
    assert world.end() == []


def test_what_failed_first_is_told_and_not_that_closing_failed_too(api: str) -> None:
    world = world_of(faults=(Fault(call="launch", nth=1, code=700, effect="later"),))
    cuda = open_cuda(0, api, vendor(world))
    Pipe(world, cuda).run(1)

    def fail() -> None:
        with cuda:
            raise ValueError("the cause")

    with pytest.raises(ValueError, match="the cause"):
        fail()
    assert world.end() == []


def test_ctrl_c_while_it_closes_leaves_nothing_open(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(devices=2)
    cuda = open_cuda(0, api, vendor(world))
    cuda.allocate(SIZE)

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cuda, "synchronize", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cuda.close()
    open_cuda(1, api, vendor(world)).close()  # a thread has one device at a time
    assert world.end() == []


def test_a_stream_that_cannot_be_made_leaves_nothing(api: str) -> None:
    world = world_of(faults=(Fault(call="cudaStreamCreateWithFlags", nth=1, code=2),))
    with pytest.raises(DeviceError, match="StreamCreate"):
        open_cuda(0, api, vendor(world))
    assert world.end() == []


def test_events_of_the_other_module_are_not_compared(api: str) -> None:
    world = world_of()
    other = next(name for name in APIS if name != api)
    with (
        open_cuda(0, api, vendor(world)) as one,
        open_cuda(0, other, vendor(world)) as two,
        pytest.raises(TypeError, match="both events"),
    ):
        one.event().elapsed_ms(two.event())
    assert world.end() == []
