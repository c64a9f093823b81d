"""Rules about streams and events, each broken once: it is recorded by its name, and the call answers as CUDA does."""

from __future__ import annotations

from collections.abc import Callable

from tests.doubles.cuda.scene import Broken, Released, Scene, check_recorded, each, elapsed


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


def _destroyed_in_flight(scene: Scene) -> None:
    scene.kernel()
    scene.world.stream_destroy(scene.stream)


def _foreign_stream(scene: Scene) -> None:
    scene.world.set_device(1)
    scene.sync()


def _foreign_event(scene: Scene) -> None:
    scene.world.set_device(1)
    scene.world.event_synchronize(scene.event)


def _elapsed_unrecorded(scene: Scene) -> None:
    scene.world.event_elapsed_ms(scene.event, scene.event)


def _elapsed_untimed(scene: Scene) -> None:
    event = scene.world.event_create(2)
    scene.world.event_record(event, scene.stream)
    scene.sync()
    scene.world.event_elapsed_ms(event, event)


BROKEN: list[Broken] = [
    ("race", 0, _race),
    ("race", 0, _race_of_writers),
    ("default-stream", 0, lambda s: s.up(stream=0)),
    ("default-stream", 0, lambda s: s.kernel(stream=0)),
    ("flags", 1, lambda s: s.world.stream_create(4)),
    ("stream-used-after-destroy", 400, _destroyed),
    ("stream-used-after-destroy", 400, lambda s: (s.world.stream_destroy(s.stream), s.world.stream_destroy(s.stream))),
    ("event-used-after-destroy", 400, _destroyed_event),
    ("event-used-after-destroy", 400, lambda s: (s.world.event_destroy(s.event), s.world.event_destroy(s.event))),
    ("not-a-stream", 400, lambda s: s.world.stream_synchronize(s.event)),
    ("not-a-event", 400, lambda s: s.world.event_synchronize(s.stream)),
    ("destroyed-in-flight", 0, _destroyed_in_flight),
    ("foreign-stream", 400, _foreign_stream),
    ("foreign-event", 400, _foreign_event),
    ("event-not-recorded", 400, _elapsed_unrecorded),
    ("event-not-recorded", 0, lambda s: s.world.event_synchronize(s.event)),
    ("event-not-reached", 600, lambda s: elapsed(s, wait=False)),
    ("event-without-timing", 400, _elapsed_untimed),
]


@each(BROKEN)
def test_a_broken_rule_is_recorded(rule: str, code: int, broken: Callable[[Scene], object]) -> None:
    check_recorded(rule, code, broken)


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
