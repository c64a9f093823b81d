"""What the simulated machine does for who keeps its rules: time, content, faults and the journal."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.doubles.cuda import (
    Config,
    CudaFailure,
    Fault,
    Range,
    Timing,
    Virtual,
    World,
    faults_found,
    read,
    read_journal,
    write,
)
from tests.doubles.cuda.queueing import DEVICE_TO_DEVICE, TO_DEVICE, TO_HOST

SIZE = 32
ROOT = Path(__file__).parents[3]


class Line:
    """One stream, and what goes in, through a kernel and out."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stream = world.stream_create(1)
        self.input, self.output = world.malloc(SIZE), world.malloc(SIZE)
        self.given, self.got = world.host_alloc(SIZE), world.host_alloc(SIZE)
        self.calls = 0

    def work(self, parts: object) -> list[bytes]:
        self.calls += 1
        return [bytes(255 - value for value in parts[0])]  # type: ignore[index]

    def give(self, value: int) -> None:
        self.world.host_array(self.given)[:] = value
        self.world.copy(self.input, self.given, SIZE, TO_DEVICE, self.stream)

    def launch(self, seconds: float = 0.002) -> None:
        self.world.launch(self.stream, seconds, self.work, [Range(self.input, SIZE)], [Range(self.output, SIZE)])

    def take(self) -> int:
        """The value that all bytes of the output have."""
        self.world.copy(self.got, self.output, SIZE, TO_HOST, self.stream)
        self.world.stream_synchronize(self.stream)
        (value,) = set(self.world.host_array(self.got).tolist())
        return int(value)


@pytest.fixture
def line() -> Line:
    return Line(World(Config(), Virtual()))


def _ms(world: World) -> float:
    return world.timing.now() / 1e6


def test_only_what_is_read_is_computed_and_equal_inputs_once(line: Line) -> None:
    for value in (3, 4, 3, 3):
        line.give(value)
        line.launch()
        line.world.stream_synchronize(line.stream)
    assert line.calls == 0
    for value in (3, 4, 3, 3):
        line.give(value)
        line.launch()
        assert line.take() == 255 - value
    assert line.calls == 2


def test_a_kernel_sees_what_is_there_when_the_stream_comes_to_it(line: Line) -> None:
    line.give(1)
    line.launch()
    line.world.stream_synchronize(line.stream)
    line.give(2)  # after the kernel: not what it saw
    line.world.stream_synchronize(line.stream)
    assert line.take() == 254


def test_memory_holds_rubbish_at_first(line: Line) -> None:
    assert set(line.world.peek(line.input, SIZE)) == {0xC7}
    assert set(line.world.host_array(line.got).tolist()) == {0xC7}


def test_part_of_a_block_can_be_written_and_read(line: Line) -> None:
    world = line.world
    line.give(1)
    world.copy(line.input + 4, line.output, 4, DEVICE_TO_DEVICE, line.stream)
    world.stream_synchronize(line.stream)
    assert world.peek(line.input, 10) == b"\x01" * 4 + b"\xc7" * 4 + b"\x01" * 2
    world.poke(line.input + 1, b"xyz")
    assert world.peek(line.input, 6) == b"\x01xyz\xc7\xc7"


def test_time_passes_only_where_somebody_waits(line: Line) -> None:
    for _ in range(3):
        line.launch(0.002)
    assert _ms(line.world) == 0
    line.world.stream_synchronize(line.stream)
    assert _ms(line.world) == pytest.approx(6)


def test_what_ended_meanwhile_costs_no_time(line: Line) -> None:
    line.launch(0.002)
    line.world.timing.advance(5)  # type: ignore[attr-defined]
    line.world.stream_synchronize(line.stream)
    assert _ms(line.world) == pytest.approx(5)
    line.launch(0.002)
    line.world.stream_synchronize(line.stream)
    assert _ms(line.world) == pytest.approx(7)


def test_kernels_of_two_streams_share_the_device_and_those_of_two_devices_do_not() -> None:
    world = World(Config(devices=2), Virtual())
    one, two = Line(world), Line(world)
    one.launch()
    two.launch()
    world.device_synchronize()
    assert _ms(world) == pytest.approx(4)
    one.launch()
    world.set_device(1)
    Line(world).launch()
    world.device_synchronize()
    assert _ms(world) == pytest.approx(6)


def test_copies_take_their_time_and_go_both_ways_at_once() -> None:
    world = World(Config(copy_ms=3), Virtual())
    one, two = Line(world), Line(world)
    one.give(1)
    two.world.copy(two.got, two.output, SIZE, TO_HOST, two.stream)
    world.device_synchronize()
    assert _ms(world) == pytest.approx(3)
    one.give(1)
    two.give(2)
    world.device_synchronize()
    assert _ms(world) == pytest.approx(9)


def test_a_launch_costs_the_host_what_was_set() -> None:
    world = World(Config(launch_us=50), Virtual())
    line = Line(world)
    for _ in range(4):
        line.launch(0.001)
    assert _ms(world) == pytest.approx(0.2)
    world.stream_synchronize(line.stream)
    assert _ms(world) == pytest.approx(4)


def test_in_real_time_a_synchronise_sleeps_until_shortly_before_and_is_awake_at_the_end() -> None:
    slept: list[float] = []
    now = [0]

    def clock() -> int:
        now[0] += 1000
        return now[0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += round(seconds * 1e9)

    line = Line(World(Config(), Timing(clock, sleep, margin_ns=500_000)))
    line.launch(0.002)
    line.world.stream_synchronize(line.stream)
    assert 0.0014 < sum(slept) <= 0.0015
    assert now[0] == pytest.approx(2e6, rel=0.02)


def test_a_kernel_that_makes_another_number_of_bytes_is_the_tests_own_mistake(line: Line) -> None:
    line.world.launch(line.stream, 0.001, lambda _: [b"abc"], [], [Range(line.output, SIZE)])
    with pytest.raises(AssertionError, match=r"\(3,\) bytes, its ranges have \(32,\)"):
        line.take()


def test_memory_has_an_end_and_what_was_freed_can_be_had_again() -> None:
    world = World(Config(memory_bytes=4096), Virtual())
    first = world.malloc(3000)
    assert world.memory_info() == (4096 - 3072, 4096)
    with pytest.raises(CudaFailure) as caught:
        world.malloc(2000)
    assert caught.value.code == 2
    world.free(first)
    assert world.malloc(4000) != first
    assert world.violations == []


def test_addresses_of_devices_and_of_the_host_never_overlap() -> None:
    world = World(Config(devices=2), Virtual())
    host = [world.host_alloc(1000) for _ in range(5)]
    first = [world.malloc(1000) for _ in range(5)]
    world.set_device(1)
    second = [world.malloc(1000) for _ in range(5)]
    assert max(host) + 1000 < min(first) < max(first) + 1000 < min(second)


def test_a_fault_meets_the_nth_call_or_every() -> None:
    world = World(Config(faults=(Fault(call="cudaMalloc", nth=2, code=2), Fault(call="cudaEventCreateWithFlags"))))
    world.malloc(1)
    with pytest.raises(CudaFailure):
        world.malloc(1)
    world.malloc(1)
    for _ in range(3):
        with pytest.raises(CudaFailure) as caught:
            world.event_create(0)
        assert caught.value.code == 999
    assert world.violations == []


@pytest.mark.parametrize("code", [719, 999])
def test_work_that_fails_later_says_so_at_the_synchronise(code: int) -> None:
    world = World(Config(faults=(Fault(call="launch", nth=2, code=code, effect="later"),)), Virtual())
    line = Line(world)
    line.give(1)
    line.launch()
    line.launch()
    before = world.host_array(line.got).copy()
    with pytest.raises(CudaFailure) as caught:
        line.take()
    assert caught.value.code == code
    assert (world.host_array(line.got) == before).all()
    if code == 719:  # the context is lost
        with pytest.raises(CudaFailure):
            world.malloc(1)
    else:
        line.launch()
        world.stream_synchronize(line.stream)
    assert world.violations == []


def test_a_poisoned_kernel_gives_nan() -> None:
    world = World(Config(faults=(Fault(call="launch", nth=1, effect="nan"),)), Virtual())
    line = Line(world)
    line.give(1)
    line.launch()
    assert line.take() == 255
    assert np.isnan(world.host_array(line.got).view(np.float32)).all()
    line.launch()
    assert line.take() == 254


def test_a_slow_kernel_and_a_slow_call() -> None:
    faults = (Fault(call="launch", nth=1, effect="sleep:0.01"), Fault(call="cudaMalloc", nth=3, effect="sleep:0.5"))
    world = World(Config(faults=faults), Virtual())
    line = Line(world)
    line.launch(0.002)
    assert _ms(world) == 0
    world.stream_synchronize(line.stream)
    assert _ms(world) == pytest.approx(12)
    world.malloc(1)
    assert _ms(world) == pytest.approx(512)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"call": "cudaMalloc", "effect": "explode"}, "none of"),
        ({"call": "cudaMalloc", "effect": "sleep:"}, "sleep:SECONDS"),
        ({"call": "cudaMalloc", "effect": "nan"}, "is for launch"),
        ({"call": "cudaMalloc", "effect": "later"}, "is for launch"),
        ({"call": "cudaMalloc", "code": 0}, "success"),
        ({"call": "cudaMalloc", "nth": 0}, "number 1"),
    ],
)
def test_a_fault_that_cannot_be_is_a_mistake(fault: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Fault(**fault)


def test_a_fault_of_an_unknown_call_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"no call 'cudaMallocc' to fail; there are cuCtxPopCurrent, .*cudaMalloc"):
        World(Config(faults=(Fault(call="cudaMallocc"),)))


def test_a_configuration_is_written_and_read(tmp_path: Path) -> None:
    config = Config(devices=2, faults=(Fault(call="cudaMalloc", nth=1, code=2),), journal=str(tmp_path / "j"))
    assert read(write(tmp_path / "world.json", config)) == config
    (tmp_path / "world.json").write_text('{"device": 1}')
    with pytest.raises(ValueError, match=r"world.json: .*device"):
        read(tmp_path / "world.json")


PROGRAM = """
import sys
from pathlib import Path
from tests.doubles.cuda import World, read
world = World(read(Path(sys.argv[1])))
runtime = world.runtime()
runtime.cudaMalloc(10)
runtime.cudaFree(12345)
runtime.cudaEventCreateWithFlags(0)
world.end()
"""


def _process(tmp_path: Path, **settings: object) -> subprocess.CompletedProcess[bytes]:
    config = Config(journal=str(tmp_path / "journal.jsonl"), **settings)  # type: ignore[arg-type]
    described = write(tmp_path / "world.json", config)
    return subprocess.run([sys.executable, "-c", PROGRAM, str(described)], cwd=ROOT, check=False, timeout=60)


def test_other_processes_write_to_the_journal(tmp_path: Path) -> None:
    assert _process(tmp_path).returncode == 0
    entries = read_journal(tmp_path / "journal.jsonl")
    assert [(entry.kind, entry.rule) for entry in entries] == [
        ("violation", "not-device-memory"), ("leak", "event"), ("leak", "device-memory"), ("exit", ""),
    ]  # fmt: skip
    assert entries[-1].calls == {"cudaMalloc": 1, "cudaFree": 1, "cudaEventCreateWithFlags": 1}
    assert len(faults_found(entries)) == 3


def test_a_process_that_dies_leaves_what_was_noticed_before(tmp_path: Path) -> None:
    fault = Fault(call="cudaEventCreateWithFlags", nth=1, effect="exit")
    assert _process(tmp_path, faults=(fault,)).returncode == -signal.SIGSEGV
    assert [entry.rule for entry in read_journal(tmp_path / "journal.jsonl")] == ["not-device-memory"]
