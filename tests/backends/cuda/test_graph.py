"""Graphs: captured once, launched often; and what is told where that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from backends._cuda import Cuda, open_cuda
from backends.base import DeviceError
from tests.backends.cuda.machines import INVERT_MS, launch_invert, machine, world_of
from tests.doubles.cuda import Fault, World
from tests.doubles.cuda.vendor import vendor

SIZE = 64


def _buffers(cuda: Cuda) -> tuple:
    return cuda.allocate_pinned(SIZE), cuda.allocate(SIZE), cuda.allocate(SIZE), cuda.allocate_pinned(SIZE)


def test_a_graph_computes_what_the_calls_would_with_the_inputs_of_each_launch() -> None:
    with machine("cuda-bindings") as (world, cuda):
        given, source, target, got = _buffers(cuda)
        before = got.bytes_.copy()

        def work() -> None:
            cuda.copy_to_device(source, given, SIZE)
            launch_invert(world, cuda, source, target)
            cuda.copy_to_host(got, target, SIZE)

        given.bytes_[:] = 1
        graph = cuda.capture(work)
        cuda.synchronize()
        assert (got.bytes_ == before).all()  # nothing ran
        assert world.timing.now() == 0
        for value in (5, 9):
            given.bytes_[:] = value
            graph.launch()
            cuda.synchronize()
            assert (got.bytes_ == 255 - value).all()
        assert world.timing.now() / 1e6 == pytest.approx(2 * INVERT_MS)


def test_events_around_a_launch_tell_the_graphs_time() -> None:
    with machine("cuda-bindings") as (world, cuda):
        _, source, target, _ = _buffers(cuda)
        start, end = cuda.event(), cuda.event()

        def work() -> None:
            for _ in range(3):
                launch_invert(world, cuda, source, target)

        graph = cuda.capture(work)
        start.record()
        graph.launch()
        end.record()
        cuda.synchronize()
        assert end.elapsed_ms(start) == pytest.approx(3 * INVERT_MS)


def test_several_graphs_of_one_stream_live_side_by_side() -> None:
    with machine("cuda-bindings") as (_, cuda):
        given, source, _, got = _buffers(cuda)
        up = cuda.capture(lambda: cuda.copy_to_device(source, given, SIZE))
        down = cuda.capture(lambda: cuda.copy_to_host(got, source, SIZE))
        given.bytes_[:] = np.arange(SIZE)
        up.launch()
        down.launch()
        cuda.synchronize()
        assert (got.bytes_ == given.bytes_).all()


def test_pycuda_says_that_it_has_none_and_what_has() -> None:
    called: list[int] = []
    with machine("pycuda") as (_, cuda), pytest.raises(DeviceError, match=r"pycuda cannot capture.*use cuda-bindings"):
        cuda.capture(lambda: called.append(1))
    assert called == []


def test_a_capture_of_nothing_is_told() -> None:
    with machine("cuda-bindings") as (_, cuda), pytest.raises(DeviceError, match=r"capture is empty.*without a CUDA"):
        cuda.capture(lambda: None)


def test_what_fails_in_the_capture_is_raised_and_the_stream_goes_on() -> None:
    with machine("cuda-bindings") as (world, cuda):
        given, source, target, got = _buffers(cuda)

        def work() -> None:
            launch_invert(world, cuda, source, target)
            raise RuntimeError("execute_async_v3 failed")

        with pytest.raises(RuntimeError, match=r"execute_async_v3"):
            cuda.capture(work)
        given.bytes_[:] = 4
        cuda.copy_to_device(source, given, SIZE)
        cuda.copy_to_host(got, source, SIZE)
        cuda.synchronize()
        assert (got.bytes_ == 4).all()


@pytest.mark.parametrize("forbidden", ["synchronize", "allocate", "allocate_pinned"])
def test_what_may_not_be_captured_is_told_and_the_stream_goes_on(forbidden: str) -> None:
    world = world_of()
    with open_cuda(0, "cuda-bindings", vendor(world)) as cuda:
        given, source, target, got = _buffers(cuda)

        def work() -> None:
            launch_invert(world, cuda, source, target)
            getattr(cuda, forbidden)(*([] if forbidden == "synchronize" else [SIZE]))

        with pytest.raises(DeviceError, match=r"failed with 900 .*while a stream is captured"):
            cuda.capture(work)
        given.bytes_[:] = 4
        cuda.copy_to_device(source, given, SIZE)
        cuda.copy_to_host(got, source, SIZE)
        cuda.synchronize()
        assert (got.bytes_ == 4).all()
        assert world.take_last_error() == 0
    assert len(world.violations) == 1  # what the test itself did
    assert world.leaks() == []


def test_a_capture_that_another_library_spoilt_silently_is_told() -> None:
    world = world_of()
    with open_cuda(0, "cuda-bindings", vendor(world)) as cuda:
        _, source, target, _ = _buffers(cuda)

        def work() -> None:
            launch_invert(world, cuda, source, target)
            world.runtime().cudaMalloc(100)  # fails, and nobody looks

        with pytest.raises(DeviceError, match=r"EndCapture failed with 901 .*without a CUDA graph"):
            cuda.capture(work)
    assert world.leaks() == []


@pytest.mark.parametrize(
    "call", ["cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphGetNodes", "cudaGraphInstantiate",
             "cudaGraphLaunch"],
)  # fmt: skip
def test_each_step_of_a_graph_may_fail_and_leaves_nothing(call: str) -> None:
    world = world_of(faults=(Fault(call=call, nth=1, code=999),))
    with open_cuda(0, "cuda-bindings", vendor(world)) as cuda:
        _, source, target, _ = _buffers(cuda)

        def work() -> None:
            launch_invert(world, cuda, source, target)

        with pytest.raises(DeviceError, match=f"{call} failed with 999"):
            cuda.capture(work).launch()
    assert world.leaks() == []


def test_a_failure_inside_a_graph_comes_out_at_the_synchronise() -> None:
    world: World = world_of(faults=(Fault(call="cudaGraphLaunch", nth=2, code=700, effect="later"),))
    cuda = open_cuda(0, "cuda-bindings", vendor(world))
    _, source, target, _ = _buffers(cuda)
    graph = cuda.capture(lambda: launch_invert(world, cuda, source, target))
    graph.launch()
    cuda.synchronize()
    graph.launch()
    with pytest.raises(DeviceError, match=r"failed with 700"):
        cuda.synchronize()
    with pytest.raises(DeviceError, match=r"failed with 700"):
        cuda.close()
    assert world.end() == []
