"""Rules about memory and copies, each broken once: it is recorded by its name, and the call answers as CUDA does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.doubles.cuda import Config, CudaFailure, Fault, Virtual, World
from tests.doubles.cuda.queueing import DEVICE_TO_DEVICE, TO_DEVICE, TO_HOST
from tests.doubles.cuda.scene import SIZE, Broken, Scene, check_recorded, each


def _free_twice(scene: Scene) -> None:
    scene.world.free(scene.device)
    scene.world.free(scene.device)


def _free_pinned_twice(scene: Scene) -> None:
    scene.world.host_free(scene.host)
    scene.world.host_free(scene.host)


def _free_in_flight(scene: Scene) -> None:
    scene.kernel()
    scene.world.free(scene.other)


def _free_pinned_in_flight(scene: Scene) -> None:
    scene.up()
    scene.world.host_free(scene.host)


def _use_freed(scene: Scene) -> None:
    scene.world.free(scene.device)
    scene.up()


def _use_freed_pinned(scene: Scene) -> None:
    scene.world.host_free(scene.host)
    scene.up()


def _overwrite(scene: Scene) -> None:
    scene.view[:] = 1
    scene.up()
    scene.view[:] = 2
    scene.sync()


def _write_after_free(scene: Scene) -> None:
    scene.world.host_free(scene.host)
    scene.view[:] = 1
    scene.world.end()


BROKEN: list[Broken] = [
    ("freed-twice", 1, _free_twice),
    ("freed-twice", 1, _free_pinned_twice),
    ("not-device-memory", 1, lambda s: s.world.free(s.host)),
    ("not-device-memory", 1, lambda s: s.world.free(s.device + 8)),
    ("not-pinned-memory", 1, lambda s: s.world.host_free(s.device)),
    ("freed-in-flight", 0, _free_in_flight),
    ("freed-in-flight", 0, _free_pinned_in_flight),
    ("used-after-free", 1, _use_freed),
    ("used-after-free", 1, _use_freed_pinned),
    ("out-of-bounds", 1, lambda s: s.up(size=SIZE + 1)),
    ("out-of-bounds", 1, lambda s: s.kernel(size=SIZE + 1)),
    ("not-device-memory", 1, lambda s: s.kernel(reads=s.host)),
    ("not-device-memory", 1, lambda s: s.kernel(writes=1 << 53)),
    ("empty-allocation", 1, lambda s: s.world.malloc(0)),
    ("empty-allocation", 1, lambda s: s.world.host_alloc(0)),
    ("empty-copy", 1, lambda s: s.up(size=0)),
    ("copy-kind", 1, lambda s: s.world.copy(s.device, s.host, SIZE, TO_HOST, s.stream)),
    ("copy-kind", 1, lambda s: s.world.copy(s.host, s.device, SIZE, TO_DEVICE, s.stream)),
    ("copy-kind", 1, lambda s: s.world.copy(s.device, s.host, SIZE, DEVICE_TO_DEVICE, s.stream)),
    ("copy-kind", 1, lambda s: s.world.copy(s.device, s.host, SIZE, 7, s.stream)),
    ("pageable-memory", 1, lambda s: s.world.copy(s.device, id(s), 8, TO_DEVICE, s.stream)),
    ("overwritten-in-flight", 0, _overwrite),
    ("written-after-free", 0, _write_after_free),
]


@each(BROKEN)
def test_a_broken_rule_is_recorded(rule: str, code: int, broken: Callable[[Scene], object]) -> None:
    check_recorded(rule, code, broken)


@pytest.mark.parametrize("call", ["cudaFree", "cudaFreeHost", "cudaStreamDestroy", "cudaEventDestroy"])
def test_a_release_that_was_made_to_fail_has_released_and_may_be_tried_again(call: str) -> None:
    scene = Scene(World(Config(faults=(Fault(call=call, nth=1),)), Virtual()))
    release = {
        "cudaFree": lambda: scene.world.free(scene.device),
        "cudaFreeHost": lambda: scene.world.host_free(scene.host),
        "cudaStreamDestroy": lambda: scene.world.stream_destroy(scene.stream),
        "cudaEventDestroy": lambda: scene.world.event_destroy(scene.event),
    }[call]
    before = len(scene.world.leaks())
    with pytest.raises(CudaFailure):
        release()
    assert len(scene.world.leaks()) == before - 1
    release()
    assert scene.world.violations == []
