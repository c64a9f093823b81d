"""The device's own times of a call, on simulated devices whose times are set."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.base import Session
from bench.device_time import TOGETHER, device_times
from reports.device_time import clocks_agree, figures
from reports.records import DeviceTimes
from tests.backends.acl import machines as acl
from tests.backends.tensorrt import machines as tensorrt
from tests.backends.tiny import feeds, tiny_model
from tests.doubles.virtual import VirtualClock, VirtualSession


def loaded(session: Session, inputs: dict[str, object]) -> Session:
    session.copy_inputs(inputs)  # type: ignore[arg-type]
    session.synchronize()
    return session


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("api", ["cuda-bindings", "pycuda"])
def test_a_gpu_tells_its_own_time_without_the_launch(tmp_path: Path, api: str, graph: bool) -> None:
    if api == "pycuda" and graph:
        pytest.skip("pycuda has no graphs")
    with (
        tensorrt.machine({"launch_us": 50.0}, base_ms=1.0, image_ms=0.5) as here,
        here.open(tiny_model(tmp_path, 4), cuda_api=api, graph=graph) as session,
    ):
        loaded(session, feeds(1))
        begin = here.time.now()
        times = device_times(session, here.time.now)
        seen_ms = (here.time.now() - begin) / 1e6
    assert times is not None
    device = figures(times)
    assert device.median_ms == pytest.approx(3.0, rel=1e-6)
    assert device.mean_ms == pytest.approx(3.0, rel=1e-6)
    assert device.count >= 200
    assert device.count % (TOGETHER - 1) == 0
    assert seen_ms >= device.count * 3.0


@pytest.mark.parametrize("api", ["old", "new", "both"])
def test_a_chip_tells_its_own_time_and_the_events_go_before_their_stream(tmp_path: Path, api: str) -> None:
    model = tiny_model(tmp_path, 4, acl.compiled(tmp_path))
    with acl.machine(api=api, base_ms=2.0) as here, here.open(model) as session:
        loaded(session, feeds(1))
        times = device_times(session, here.time.now)
    assert times is not None
    assert figures(times).median_ms == pytest.approx(2.0, rel=1e-6)


def test_blocking_executions_have_no_stream_to_put_events_on(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, 4, acl.compiled(tmp_path))
    with acl.machine(base_ms=2.0) as here, here.open(model, mode="sync") as session:
        assert device_times(loaded(session, feeds(1)), here.time.now) is None


def test_a_session_without_events_has_no_times() -> None:
    clock = VirtualClock()
    session = VirtualSession(clock)
    assert device_times(session, clock) is None
    assert session.jobs == 0


def test_the_time_is_limited_but_one_round_is_taken(tmp_path: Path) -> None:
    with (
        tensorrt.machine(base_ms=400.0) as here,
        here.open(tiny_model(tmp_path)) as session,
    ):
        times = device_times(loaded(session, feeds(1)), here.time.now, budget_ns=1_000_000_000)
    assert times is not None
    assert len(times.times_ns) == TOGETHER - 1


@pytest.mark.parametrize(
    ("host_ms", "verdict"),
    [(3.05, True), (2.9, True), (2.5, False), (0.005, False)],
    ids=["launch on top", "slower afterwards", "too short", "never waited"],
)
def test_a_host_that_saw_less_than_the_device_is_found_out(host_ms: float, verdict: bool) -> None:
    assert clocks_agree(DeviceTimes(times_ns=[3_000_000] * 7, together=8), host_ms) is verdict


def test_without_device_times_nothing_is_said() -> None:
    assert clocks_agree(None, 1.0) is None
    assert clocks_agree(DeviceTimes(times_ns=[], together=8), 1.0) is None
