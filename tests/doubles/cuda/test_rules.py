"""Each rule of the simulated machine, broken once: it is recorded by its name, and the call answers as CUDA does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.doubles.cuda import Config, CudaFailure, Fault, Range, Virtual, World
from tests.doubles.cuda.queueing import DEVICE_TO_DEVICE, TO_DEVICE, TO_HOST

SIZE = 64


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


def _race(scene: Scene) -> None:
    second = scene.world.stream_create(1)
    scene.up()
    scene.kernel(second)


def _race_of_writers(scene: Scene) -> None:
    second = scene.world.stream_create(1)
    scene.kernel()
    scene.kernel(second)


def _destroyed(scene: Scene) -> None:
    scene.world.stream_destroy(scene.stream)
    scene.up()


def _destroyed_event(scene: Scene) -> None:
    scene.world.event_destroy(scene.event)
    scene.world.event_record(scene.event, scene.stream)


def _destroyed_graph(scene: Scene) -> None:
    graph = _captured(scene)
    scene.world.graph_destroy(graph)
    scene.world.graph_instantiate(graph)


def _destroyed_executable(scene: Scene) -> None:
    executable = scene.world.graph_instantiate(_captured(scene))
    scene.world.graph_exec_destroy(executable)
    scene.world.graph_launch(executable, scene.stream)


def _captured(scene: Scene, mode: int = 1) -> int:
    scene.world.capture_begin(scene.stream, mode)
    scene.kernel()
    return scene.world.capture_end(scene.stream)


def _destroyed_in_flight(scene: Scene) -> None:
    scene.kernel()
    scene.world.stream_destroy(scene.stream)


def _destroyed_in_capture(scene: Scene) -> None:
    scene.world.capture_begin(scene.stream, 1)
    scene.world.stream_destroy(scene.stream)


def _foreign_stream(scene: Scene) -> None:
    scene.world.set_device(1)
    scene.sync()


def _foreign_event(scene: Scene) -> None:
    scene.world.set_device(1)
    scene.world.event_synchronize(scene.event)


def _elapsed(scene: Scene, wait: bool) -> None:
    end = scene.world.event_create(0)
    scene.world.event_record(scene.event, scene.stream)
    scene.kernel()
    scene.world.event_record(end, scene.stream)
    if wait:
        scene.sync()
    scene.world.event_elapsed_ms(scene.event, end)


def _elapsed_unrecorded(scene: Scene) -> None:
    scene.world.event_elapsed_ms(scene.event, scene.event)


def _elapsed_untimed(scene: Scene) -> None:
    event = scene.world.event_create(2)
    scene.world.event_record(event, scene.stream)
    scene.sync()
    scene.world.event_elapsed_ms(event, event)


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
    executable = scene.world.graph_instantiate(_captured(scene))
    scene.world.free(scene.other)
    scene.world.graph_launch(executable, scene.stream)


def _release_context_twice(scene: Scene) -> None:
    context = scene.world.context_retain(0)
    scene.world.context_release(context)
    scene.world.context_release(context)


def _write_after_free(scene: Scene) -> None:
    scene.world.host_free(scene.host)
    scene.view[:] = 1
    scene.world.end()


#: rule, the code with which the call fails (0: it does what was asked), how it is broken
BROKEN: list[tuple[str, int, Callable[[Scene], object]]] = [
    ("freed-twice", 1, _free_twice),
    ("freed-twice", 1, _free_pinned_twice),
    ("not-device-memory", 1, lambda s: s.world.free(s.host)),
    ("not-device-memory", 1, lambda s: s.world.free(s.device + 8)),
    ("not-pinned-memory", 1, lambda s: s.world.host_free(s.device)),
    ("freed-in-flight", 0, _free_in_flight),
    ("freed-in-flight", 0, _free_pinned_in_flight),
    ("used-after-free", 1, _use_freed),
    ("used-after-free", 1, _use_freed_pinned),
    ("used-after-free", 1, _graph_of_freed_memory),
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
    ("race", 0, _race),
    ("race", 0, _race_of_writers),
    ("default-stream", 0, lambda s: s.up(stream=0)),
    ("default-stream", 0, lambda s: s.kernel(stream=0)),
    ("flags", 1, lambda s: s.world.stream_create(4)),
    ("stream-used-after-destroy", 400, _destroyed),
    ("stream-used-after-destroy", 400, lambda s: (s.world.stream_destroy(s.stream), s.world.stream_destroy(s.stream))),
    ("event-used-after-destroy", 400, _destroyed_event),
    ("event-used-after-destroy", 400, lambda s: (s.world.event_destroy(s.event), s.world.event_destroy(s.event))),
    ("graph-used-after-destroy", 400, _destroyed_graph),
    ("executable-graph-used-after-destroy", 400, _destroyed_executable),
    ("not-a-stream", 400, lambda s: s.world.stream_synchronize(s.event)),
    ("not-a-event", 400, lambda s: s.world.event_synchronize(s.stream)),
    ("not-a-executable-graph", 400, lambda s: s.world.graph_launch(_captured(s), s.stream)),
    ("destroyed-in-flight", 0, _destroyed_in_flight),
    ("destroyed-in-capture", 0, _destroyed_in_capture),
    ("foreign-stream", 400, _foreign_stream),
    ("foreign-event", 400, _foreign_event),
    ("event-not-recorded", 400, _elapsed_unrecorded),
    ("event-not-recorded", 0, lambda s: s.world.event_synchronize(s.event)),
    ("event-not-reached", 600, lambda s: _elapsed(s, wait=False)),
    ("event-without-timing", 400, _elapsed_untimed),
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
    ("context-released-twice", 201, _release_context_twice),
    ("own-context", 0, lambda s: s.world.contexts.make(0)),
    ("pop-without-push", 201, lambda s: [s.world.context_pop() for _ in range(3)]),
    ("written-after-free", 0, _write_after_free),
]


@pytest.mark.parametrize(("rule", "code", "broken"), BROKEN, ids=[f"{rule}-{n}" for n, (rule, *_) in enumerate(BROKEN)])
def test_a_broken_rule_is_recorded(rule: str, code: int, broken: Callable[[Scene], object]) -> None:
    scene = Scene()
    if code:
        with pytest.raises(CudaFailure) as caught:
            broken(scene)
        assert caught.value.code == code
    else:
        broken(scene)
    assert rule in [entry.rule for entry in scene.world.violations]
    assert all(entry.call and entry.text for entry in scene.world.violations)


def test_the_scene_itself_breaks_none() -> None:
    scene = Scene()
    scene.up()
    scene.kernel()
    scene.down()
    scene.sync()
    _elapsed(scene, wait=True)
    graph = _captured(scene)
    executable = scene.world.graph_instantiate(graph)
    scene.world.graph_launch(executable, scene.stream)
    scene.world.device_synchronize()
    assert scene.world.violations == []
    assert [line.partition(":")[0] for line in scene.world.leaks()] == [
        "executable graph", "graph", "event", "event", "stream", "device memory", "device memory", "pinned memory",
    ]  # fmt: skip


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


def test_a_forked_process_is_refused() -> None:
    scene = Scene()
    scene.world.pid += 1
    for _ in range(2):
        with pytest.raises(CudaFailure):
            scene.sync()
    assert [entry.rule for entry in scene.world.violations] == ["fork"]


def test_a_stream_that_waits_for_the_default_one_is_remarked_on() -> None:
    scene = Scene()
    scene.world.stream_create(0)
    assert [entry.rule for entry in scene.world.remarks] == ["blocking-stream"]


def test_what_a_kernel_needs_is_in_flight_until_somebody_has_waited() -> None:
    scene, needed = Scene(), Released()
    scene.world.launch(scene.stream, 0.001, lambda _: [], [], [], needs=[needed])
    assert scene.world.in_flight(needed)
    scene.sync()
    assert not scene.world.in_flight(needed)


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
