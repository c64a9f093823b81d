"""A stream with memory on both sides, on which each rule of the simulated machine can be broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.doubles.cuda import Config, CudaFailure, Range, Virtual, World
from tests.doubles.cuda.queueing import TO_DEVICE, TO_HOST

SIZE = 64

#: rule, the code with which the call fails (0: it does what was asked), how it is broken
Broken = tuple[str, int, Callable[["Scene"], object]]


@dataclass
class Scene:
    """A stream with memory on both sides, nothing queued."""

    world: World = field(default_factory=lambda: World(Config(devices=2), Virtual()))

    def __post_init__(self) -> None:
        self.stream = self.world.stream_create(1)
        self.device, self.other = self.world.malloc(SIZE), self.world.malloc(SIZE)
        self.host = self.world.host_alloc(SIZE)
        self.view = self.world.host_array(self.host)
        self.event = self.world.event_create(0)

    def up(self, stream: int | None = None, size: int = SIZE) -> None:
        self.world.copy(self.device, self.host, size, TO_DEVICE, self.stream if stream is None else stream)

    def down(self, stream: int | None = None) -> None:
        self.world.copy(self.host, self.device, SIZE, TO_HOST, self.stream if stream is None else stream)

    def kernel(self, stream: int | None = None, reads: int = 0, writes: int = 0, size: int = SIZE) -> None:
        self.world.launch(
            self.stream if stream is None else stream, 0.001, lambda parts: list(parts),
            [Range(reads or self.device, size)], [Range(writes or self.other, size)],
        )  # fmt: skip

    def sync(self) -> None:
        self.world.stream_synchronize(self.stream)


class Released:
    """Something that a kernel needs."""

    alive = True


def captured(scene: Scene, mode: int = 1) -> int:
    """A graph of one kernel."""
    scene.world.capture_begin(scene.stream, mode)
    scene.kernel()
    return scene.world.capture_end(scene.stream)


def elapsed(scene: Scene, wait: bool) -> None:
    """The time between two marks, which somebody has waited for or not."""
    end = scene.world.event_create(0)
    scene.world.event_record(scene.event, scene.stream)
    scene.kernel()
    scene.world.event_record(end, scene.stream)
    if wait:
        scene.sync()
    scene.world.event_elapsed_ms(scene.event, end)


def each(broken: list[Broken]) -> pytest.MarkDecorator:
    """The parameters of a test that breaks them one by one."""
    names = [f"{rule}-{number}" for number, (rule, *_) in enumerate(broken)]
    return pytest.mark.parametrize(("rule", "code", "broken"), broken, ids=names)


def check_recorded(rule: str, code: int, broken: Callable[[Scene], object]) -> None:
    """Break it: it is recorded by its name, and the call answers as CUDA does."""
    scene = Scene()
    if code:
        with pytest.raises(CudaFailure) as caught:
            broken(scene)
        assert caught.value.code == code
    else:
        broken(scene)
    recorded = [entry.rule for entry in scene.world.violations]
    assert rule in recorded, recorded
    assert all(entry.call and entry.text for entry in scene.world.violations)
