"""The rules that the double keeps: each broken once, as CUDA or PyTorch would not stand for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from tests.doubles.torch_cuda import World

CARD = torch.device("cuda", 0)


@pytest.fixture
def world() -> Iterator[World]:
    made = World(count=2)
    with made.installed():
        yield made


def on_card(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).to(CARD)


def test_a_device_tensor_says_where_it_lies_and_numpy_cannot_read_it(world: World) -> None:
    assert on_card(1).device == CARD
    assert (on_card(1) + on_card(2)).device == CARD
    with pytest.raises(TypeError, match="can't convert"):
        on_card(1).numpy()


def test_tensors_of_two_devices_do_not_meet(world: World) -> None:
    for other in (torch.ones(1), torch.ones(1).to(torch.device("cuda", 1))):
        with pytest.raises(RuntimeError, match="same device"):
            on_card(1) + other


def test_pinned_memory_has_its_values_when_the_host_has_waited(world: World) -> None:
    pinned = torch.zeros(2, pin_memory=True)
    pinned.copy_(on_card(1, 2), non_blocking=True)
    assert pinned.tolist() == [-77, -77]
    torch.cuda.current_stream().synchronize()
    assert pinned.tolist() == [1, 2]


def test_a_copy_to_memory_that_is_not_pinned_waits(world: World) -> None:
    pageable = torch.zeros(1)
    pageable.copy_(on_card(5), non_blocking=True)
    assert pageable.item() == 5
    assert "synchronize the default stream" in world.journal


def test_writing_to_memory_that_is_being_read_is_a_breach(world: World) -> None:
    pinned, target = torch.zeros(1, pin_memory=True), on_card(0)
    target.copy_(pinned, non_blocking=True)
    pinned.numpy()[:] = 7
    torch.cuda.synchronize()
    assert world.breaches == ["pinned memory was written to while a copy was reading it"]


@pytest.mark.parametrize("ordered", ["", "waits", "synchronized"])
def test_streams_that_do_not_wait_for_each_other_are_a_breach(world: World, ordered: str) -> None:
    tensor = on_card(1) * 2
    other = torch.cuda.Stream()
    if ordered == "waits":
        other.wait_stream(torch.cuda.current_stream())
    if ordered == "synchronized":
        torch.cuda.current_stream().synchronize()
    torch.cuda.set_stream(other)
    torch.add(tensor, tensor)
    assert bool(world.breaches) == (not ordered)


def captured(work: Any) -> Any:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work()
    return graph


def test_a_capture_does_nothing_and_each_replay_does_it(world: World) -> None:
    source, results = on_card(1), []
    graph = captured(lambda: results.append(source.add(1).mul_(10)))
    assert np.isnan(results[0].cpu().item())
    for value in (1, 5):
        source.fill_(value)
        graph.replay()
        assert results[0].cpu().item() == (value + 1) * 10
    graph.reset()
    with pytest.raises(RuntimeError, match="without a preceding successful capture"):
        graph.replay()


def test_the_default_stream_cannot_be_captured(world: World) -> None:
    graph = torch.cuda.CUDAGraph()
    with (
        pytest.raises(RuntimeError, match="non-default stream"),
        torch.cuda.graph(graph, stream=torch.cuda.current_stream()),
    ):
        pass


@pytest.mark.parametrize(
    "work",
    [
        lambda: torch.cuda.current_stream().synchronize(),
        lambda: on_card(0).copy_(torch.ones(1), non_blocking=True),
        lambda: torch.nn.functional.conv1d(on_card(1, 2).view(1, 1, 2), on_card(1).view(1, 1, 1)),
    ],
    ids=["waiting", "pageable memory", "a convolution for the first time"],
)
def test_what_no_capture_can_hold_breaks_it(world: World, work: Any) -> None:
    torch.backends.cudnn.benchmark = True
    with pytest.raises(RuntimeError, match="previous error during capture") as caught:
        captured(work)
    assert "not permitted when stream is capturing" in str(caught.value.__context__)


def test_events_have_a_time_when_both_are_over(world: World) -> None:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    with pytest.raises(ValueError, match="recorded"):
        begin.elapsed_time(end)
    on_card(1)  # one work of a millisecond
    end.record()
    with pytest.raises(ValueError, match="completed"):
        begin.elapsed_time(end)
    torch.cuda.synchronize()
    assert begin.elapsed_time(end) == pytest.approx(1.0, abs=0.01)
    untimed = torch.cuda.Event()
    untimed.record()
    with pytest.raises(ValueError, match="enable_timing"):
        begin.elapsed_time(untimed)


def test_what_is_left_is_counted(world: World) -> None:
    tensor, pinned = on_card(1), torch.zeros(1, pin_memory=True)
    assert world.left() == (1, 1)
    del tensor, pinned
    assert world.left() == (0, 0)


def test_everything_is_put_back() -> None:
    before = torch.cuda.Stream, torch.autocast, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    with World().installed():
        torch.backends.cudnn.allow_tf32 = not before[2]
        torch.backends.cudnn.benchmark = not before[3]
    assert before == (
        torch.cuda.Stream, torch.autocast, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    )  # fmt: skip
