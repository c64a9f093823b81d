"""Rules of capture and graphs, each broken once: it is recorded by its name, and the call answers as CUDA does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.doubles.cuda import CudaFailure
from tests.doubles.cuda.scene import Broken, Released, Scene, captured, check_recorded, each


def _destroyed_graph(scene: Scene) -> None:
    graph = captured(scene)
    scene.world.graph_destroy(graph)
    scene.world.graph_instantiate(graph)


def _destroyed_executable(scene: Scene) -> None:
    executable = scene.world.graph_instantiate(captured(scene))
    scene.world.graph_exec_destroy(executable)
    scene.world.graph_launch(executable, scene.stream)


def _destroyed_in_capture(scene: Scene) -> None:
    scene.world.capture_begin(scene.stream, 1)
    scene.world.stream_destroy(scene.stream)


def _captured_event(scene: Scene) -> None:
    scene.world.capture_begin(scene.stream, 1)
    scene.world.event_record(scene.event, scene.stream)
    scene.world.event_synchronize(scene.event)


def _end_in_another_thread(scene: Scene) -> None:
    scene.world.capture_begin(scene.stream, 1)
    raised: list[CudaFailure] = []

    def other() -> None:
        try:
            scene.world.capture_end(scene.stream)
        except CudaFailure as failure:
            raised.append(failure)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    raise raised[0]


def _in_capture(action: Callable[[Scene], object], mode: int = 1) -> Callable[[Scene], None]:
    def broken(scene: Scene) -> None:
        scene.world.capture_begin(scene.stream, mode)
        action(scene)

    return broken


def _default_stream_in_capture(scene: Scene) -> None:
    blocking = scene.world.stream_create(0)
    scene.world.capture_begin(blocking, 1)
    scene.up(stream=0)


def _needs_what_is_gone(scene: Scene) -> None:
    needed = Released()
    scene.world.capture_begin(scene.stream, 1)
    scene.world.launch(scene.stream, 0.001, lambda _: [], [], [], needs=[needed])
    executable = scene.world.graph_instantiate(scene.world.capture_end(scene.stream))
    needed.alive = False
    scene.world.graph_launch(executable, scene.stream)


def _graph_of_freed_memory(scene: Scene) -> None:
    executable = scene.world.graph_instantiate(captured(scene))
    scene.world.free(scene.other)
    scene.world.graph_launch(executable, scene.stream)


BROKEN: list[Broken] = [
    ("used-after-free", 1, _graph_of_freed_memory),
    ("graph-used-after-destroy", 400, _destroyed_graph),
    ("executable-graph-used-after-destroy", 400, _destroyed_executable),
    ("not-a-executable-graph", 400, lambda s: s.world.graph_launch(captured(s), s.stream)),
    ("destroyed-in-capture", 0, _destroyed_in_capture),
    ("captured-event", 907, _captured_event),
    ("capture-of-default-stream", 900, lambda s: s.world.capture_begin(0, 1)),
    ("capture-mode", 1, lambda s: s.world.capture_begin(s.stream, 3)),
    ("capture-twice", 401, lambda s: [s.world.capture_begin(s.stream, 1) for _ in range(2)]),
    ("end-without-capture", 401, lambda s: s.world.capture_end(s.stream)),
    ("capture-thread", 908, _end_in_another_thread),
    ("synchronise-in-capture", 900, _in_capture(lambda s: s.sync())),
    ("synchronise-in-capture", 900, _in_capture(lambda s: s.world.device_synchronize())),
    ("call-in-capture", 900, _in_capture(lambda s: s.world.malloc(8))),
    ("call-in-capture", 900, _in_capture(lambda s: s.world.host_alloc(8))),
    ("call-in-capture", 900, _in_capture(lambda s: s.world.free(s.device))),
    ("call-in-capture", 900, _in_capture(lambda s: s.world.host_free(s.host))),
    ("default-stream-in-capture", 906, _default_stream_in_capture),
    ("needed-thing-released", 400, _needs_what_is_gone),
]


@each(BROKEN)
def test_a_broken_rule_is_recorded(rule: str, code: int, broken: Callable[[Scene], object]) -> None:
    check_recorded(rule, code, broken)


@pytest.mark.parametrize("mode", [0, 1, 2])
@pytest.mark.parametrize("same_thread", [True, False])
def test_which_threads_a_capture_restricts(mode: int, same_thread: bool) -> None:
    scene = Scene()
    scene.world.capture_begin(scene.stream, mode)
    failed: list[int] = []

    def allocate() -> None:
        try:
            scene.world.malloc(8)
        except CudaFailure as failure:
            failed.append(failure.code)

    thread = threading.Thread(target=allocate)
    if same_thread:
        allocate()
    else:
        thread.start()
        thread.join()
    assert bool(failed) == (mode == 0 or (mode == 1 and same_thread))


def test_a_spoilt_capture_ends_with_an_error_and_the_stream_goes_on() -> None:
    scene = Scene()
    scene.world.capture_begin(scene.stream, 1)
    scene.kernel()
    with pytest.raises(CudaFailure):
        scene.sync()
    with pytest.raises(CudaFailure) as caught:
        scene.world.capture_end(scene.stream)
    assert caught.value.code == 901
    scene.kernel()
    scene.sync()
