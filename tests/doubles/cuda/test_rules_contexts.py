"""Rules about contexts and processes, each broken once: it is recorded, and the call answers as CUDA does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.doubles.cuda import Config, CudaFailure, Virtual, World
from tests.doubles.cuda.scene import Broken, Scene, captured, check_recorded, each, elapsed


def _release_context_twice(scene: Scene) -> None:
    context = scene.world.context_retain(0)
    scene.world.context_release(context)
    scene.world.context_release(context)


BROKEN: list[Broken] = [
    ("context-released-twice", 201, _release_context_twice),
    ("own-context", 0, lambda s: s.world.contexts.make(0)),
    ("pop-without-push", 201, lambda s: [s.world.context_pop() for _ in range(3)]),
]


@each(BROKEN)
def test_a_broken_rule_is_recorded(rule: str, code: int, broken: Callable[[Scene], object]) -> None:
    check_recorded(rule, code, broken)


def test_the_primary_context_is_not_released_before_what_is_in_it() -> None:
    world = World(Config(), Virtual())
    driver = world.pycuda()
    driver.init()
    context = driver.Device(0).retain_primary_context()
    context.push()
    memory = driver.mem_alloc(10)
    context.pop()
    context.detach()
    assert [entry.rule for entry in world.violations] == ["released-before"]
    del memory
    assert [entry.rule for entry in world.remarks] == ["not-released"]
    assert any(line.startswith("leak device-memory") for line in world.end())


def test_a_context_that_is_still_held_is_a_leak() -> None:
    world = World(Config(), Virtual())
    held = world.context_retain(0)
    assert world.leaks() == ["context: the primary context of device 0 is held 1 times"]
    world.context_release(held)
    assert world.end() == []


def test_a_forked_process_is_refused() -> None:
    scene = Scene()
    scene.world.pid += 1
    for _ in range(2):
        with pytest.raises(CudaFailure):
            scene.sync()
    assert [entry.rule for entry in scene.world.violations] == ["fork"]


def test_the_scene_itself_breaks_none() -> None:
    scene = Scene()
    scene.up()
    scene.kernel()
    scene.down()
    scene.sync()
    elapsed(scene, wait=True)
    graph = captured(scene)
    executable = scene.world.graph_instantiate(graph)
    scene.world.graph_launch(executable, scene.stream)
    scene.world.device_synchronize()
    assert scene.world.violations == []
    assert [line.partition(":")[0] for line in scene.world.leaks()] == [
        "executable graph", "graph", "event", "event", "stream", "device memory", "device memory", "pinned memory",
    ]  # fmt: skip
