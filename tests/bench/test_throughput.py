"""FPS of a whole card, measured: the pipeline on virtual time, and the command with several workers."""

from __future__ import annotations

import re
import signal
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import Scope
from bench import timing
from reports import store
from reports.records import CellRecord
from reports.throughput import Lane, images_between, summarise_throughput
from tests.command import FAST, Bench, one_line
from tests.doubles.virtual import SPEC, VirtualClock, VirtualQueue, VirtualSession, feeds

BATCH = SPEC.shape[0]
FOREVER = 2**63 - 1


def pipeline(streams: int, scope: Scope, samples: int, copy_ns: int = 0) -> timing.Stamps:
    clock, queue = VirtualClock(), VirtualQueue()
    sessions = [VirtualSession(clock, copy_ns=copy_ns, queue=queue) for _ in range(streams)]
    stamps = timing.Stamps(samples)
    requests = [timing.compose(session, scope, feeds(8)) for session in sessions]
    timing.run_pipeline(requests, clock, stamps, FOREVER)
    return stamps


def lane(stamps: timing.Stamps, streams: int = 1, device: str = "npu:0") -> Lane:
    return Lane(device, [], streams, stamps.starts[: stamps.count], stamps.ends[: stamps.count])


def test_two_in_flight_fill_the_device_and_queue() -> None:
    """Enqueue 5 us, job 1 ms, a copy of 0.2 ms on the host that overlaps the other request's job."""
    stamps = pipeline(2, Scope.END_TO_END, 200, copy_ns=100_000)
    assert stamps.count == 200
    found = summarise_throughput([lane(stamps, streams=2)], BATCH, 1, single_fps=BATCH / 0.001205)
    assert found.fps == pytest.approx(BATCH / 0.001, rel=1e-9)
    assert found.queueing
    assert found.median_latency_ms > 1.0
    assert found.streams == 2


def test_one_in_flight_is_the_plain_loop() -> None:
    stamps = pipeline(1, Scope.COMPUTE, 50)
    assert stamps.durations_ns() == [1_005_000] * 50
    found = summarise_throughput([lane(stamps)], BATCH, 1, single_fps=BATCH / 0.001005)
    assert found.fps == pytest.approx(BATCH / 0.001005, rel=1e-9)
    assert found.efficiency == pytest.approx(1.0)
    assert not found.queueing


def test_alternating_latencies_give_fps_of_the_time_they_took() -> None:
    ends = np.cumsum([1_000_000, 9_000_000] * 100)
    starts = np.concatenate([[0], ends[:-1]])
    found = summarise_throughput([Lane("cpu", [], 1, starts.tolist(), ends.tolist())], BATCH, 1, 200 * BATCH)
    assert found.fps == pytest.approx(200 * BATCH)


def test_four_chips_of_which_one_is_slower() -> None:
    lanes = []
    for chip, job in enumerate((1_000_000, 1_000_000, 1_000_000, 2_000_000)):
        ends = [(index + 1) * job for index in range(1_000_000_000 // job)]
        lanes.append(Lane(f"npu:{chip}", [], 1, [0, *ends[:-1]], ends))
    found = summarise_throughput(lanes, BATCH, 4, single_fps=BATCH * 1000)
    assert found.fps == pytest.approx(3500 * BATCH)
    assert found.fps_per_card == pytest.approx(found.fps), "four chips are the whole card"
    assert found.efficiency == pytest.approx(3.5 / 4)
    assert [worker.fps for worker in found.workers] == pytest.approx([4000, 4000, 4000, 2000])
    assert summarise_throughput(lanes[:3], BATCH, 4, 4000).fps_per_card is None, "three are not"
    assert summarise_throughput(lanes, BATCH, 2, 4000).fps_per_card == pytest.approx(1750 * BATCH), "two cards"


def test_only_the_window_in_which_all_were_at_work_counts() -> None:
    early = Lane("npu:0", [], 1, list(range(0, 1000, 10)), list(range(10, 1010, 10)))
    late = Lane("npu:1", [], 1, list(range(500, 1500, 10)), list(range(510, 1510, 10)))
    found = summarise_throughput([early, late], 1, 2, single_fps=1e8)
    assert found.window_s == pytest.approx(500e-9)
    assert found.images == pytest.approx(100)
    apart = Lane("npu:2", [], 1, [2000], [2010])
    with pytest.raises(ValueError, match="never all at work"):
        summarise_throughput([early, apart], 1, 2, single_fps=1e8)


def two_lanes(generator: np.random.Generator, count: int, phi: float) -> list[Lane]:
    lanes = []
    for chip in range(2):
        noise = generator.normal(size=count)
        for i in range(1, count):
            noise[i] = phi * noise[i - 1] + np.sqrt(1 - phi**2) * noise[i]
        ends = np.cumsum(1e6 * (1 + 0.1 * noise)).astype(int)
        lanes.append(Lane(f"npu:{chip}", [], 1, [0, *ends[:-1].tolist()], ends.tolist()))
    return lanes


@pytest.mark.parametrize(("count", "phi", "at_least"), [(150, 0.0, 0.92), (1000, 0.0, 0.92), (2000, 0.8, 0.90)])
def test_the_interval_of_the_rate_covers_it(count: int, phi: float, at_least: float) -> None:
    generator, hits, trials = np.random.default_rng(5), 0, 300
    for _ in range(trials):
        found = summarise_throughput(two_lanes(generator, count, phi), 1, 2, single_fps=1000)
        assert found.fps_low is not None
        assert found.fps_high is not None
        hits += found.fps_low <= 2000 <= found.fps_high
    assert at_least <= hits / trials <= 0.99


def test_an_interval_is_marked_or_left_out_where_it_cannot_be_had() -> None:
    generator = np.random.default_rng(5)
    assert summarise_throughput(two_lanes(generator, 50, 0.0), 1, 2, 1000).fps_low is None
    assert summarise_throughput(two_lanes(generator, 300, 0.9), 1, 2, 1000).optimistic
    assert not summarise_throughput(two_lanes(generator, 3000, 0.5), 1, 2, 1000).optimistic


@given(
    durations=st.lists(st.integers(1, 10**9), min_size=1, max_size=50),
    cuts=st.lists(st.floats(0, 1), max_size=10),
    batch=st.integers(1, 64),
)
def test_no_image_is_lost_or_counted_twice(durations: list[int], cuts: list[float], batch: int) -> None:
    ends = np.cumsum(durations)
    one = Lane("cpu", [], 1, [0, *ends[:-1].tolist()], ends.tolist())
    edges = np.sort(np.concatenate([[0.0], np.asarray(cuts) * ends[-1], [float(ends[-1])]]))
    assert images_between(one, batch, edges).sum() == pytest.approx(batch * len(durations))


def test_all_chips_of_a_card_run_at_once(bench: Bench) -> None:
    bench("--model", bench.model, "--backend", "chips", "--bs", "2", "--chips", "all", *FAST, "--out", "o")
    (cell,) = store.read(bench.folder / "o").cells
    together = cell.throughput
    assert together is not None, cell.throughput_failure
    assert (together.chips, together.streams, cell.chips) == (4, 1, 4)
    assert [worker.device for worker in together.workers] == ["npu:0", "npu:1", "npu:2", "npu:3"]
    assert cell.fps_per_card is not None
    assert together.fps_per_card == pytest.approx(together.fps)
    assert together.fps == pytest.approx(sum(worker.fps for worker in together.workers))
    assert together.efficiency == pytest.approx(together.fps / cell.fps_per_card)
    # Nobody can be faster than the 4 ms a job that the double takes.
    assert all(0 < worker.fps <= 2 / 0.004 for worker in together.workers)
    report = (bench.folder / "o" / "report.md").read_text()
    assert "## Throughput, measured (compute)" in report
    assert "SIMULATED" in report


def test_streams_queue_on_their_chip_and_are_labelled(bench: Bench) -> None:
    bench("--model", bench.model, "--backend", "chips", "--bs", "1", "--chips", "2", "--streams", "3", *FAST,
          "--out", "o")  # fmt: skip
    (cell,) = store.read(bench.folder / "o").cells
    assert cell.throughput is not None, cell.throughput_failure
    assert (cell.throughput.chips, cell.throughput.streams) == (2, 3)
    assert cell.throughput.queueing
    assert cell.throughput.fps_per_card is None, "two of four chips are no card"
    assert cell.throughput.median_latency_ms > 4.0
    assert "(with queueing)" in (bench.folder / "o" / "report.md").read_text()


def test_cpu_streams_are_workers_on_disjoint_cores(bench: Bench) -> None:
    from backends.host import core_groups, physical_cores

    if physical_cores() < 2:
        pytest.skip("needs two cores")
    bench("--model", bench.model, "--backend", "ort", "--bs", "1", "--streams", "2", *FAST, "--out", "o")
    (cell,) = store.read(bench.folder / "o").cells
    assert cell.throughput is not None, cell.throughput_failure
    used = [set(worker.cpus) for worker in cell.throughput.workers]
    assert used == [set(group) for group in core_groups(2)]
    assert not used[0] & used[1]
    assert cell.throughput.fps_per_card == pytest.approx(cell.throughput.fps)
    assert cell.throughput.fps > 0
    assert not cell.throughput.queueing


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, CellRecord], str, str]:
    """One run of every card with a chip that is not as it should be: cells by backend, the report, the terminal."""
    bench = Bench(tmp_path_factory.mktemp("faulty"))
    done = bench("--model", bench.model, "--backend", "onebadchip", "onechipelsewhere", "onechipfallsback", "--bs", "1",
                 "--chips", "2", *FAST, "--out", "o")  # fmt: skip
    cells = {cell.identity.backend: cell for cell in store.read(bench.folder / "o").cells}
    return cells, (bench.folder / "o" / "report.md").read_text(), done.stdout + done.stderr


def test_a_chip_that_fails_costs_the_throughput_and_not_the_latency(
    faulty: tuple[dict[str, CellRecord], str, str],
) -> None:
    cell, report = faulty[0]["onebadchip"], faulty[1]
    assert cell.status == "ok"
    assert cell.latency is not None
    assert cell.throughput is None
    assert cell.throughput_failure is not None
    assert "npu:1" in cell.throughput_failure.phase
    assert "507033" in cell.throughput_failure.message
    assert "507033" in report
    assert re.search(r"failed in phase 'throughput, npu:1, \w+': .*507033", faulty[2])


def test_chips_that_are_all_the_same_one_are_found_out(faulty: tuple[dict[str, CellRecord], str, str]) -> None:
    cell = faulty[0]["onechipelsewhere"]
    assert cell.throughput is None
    assert cell.throughput_failure is not None
    assert "asked for npu:1, the session runs on npu:0" in cell.throughput_failure.message


def test_a_chip_that_falls_back_is_named_beside_the_figure(faulty: tuple[dict[str, CellRecord], str, str]) -> None:
    cell, report = faulty[0]["onechipfallsback"], faulty[1]
    assert cell.throughput is not None
    assert "on npu:1 nodes may run on the CPU" in cell.throughput.flags
    assert "nodes may run on the CPU" in report


def test_ctrl_c_while_the_lanes_clean_up_keeps_the_throughput_and_ends_the_run(bench: Bench) -> None:
    process = bench.start("--model", bench.model, "--backend", "slowchips", "--bs", "1", "2", "--chips", "2", *FAST,
                          "--out", "o")  # fmt: skip
    path = bench.folder / "o" / "run.jsonl"
    deadline = time.monotonic() + 120
    while not (bench.folder / "leaving").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)  # the second lane's worker has told its result and sleeps in its clean-up
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    (cell,) = store.read(path).cells
    assert cell.throughput is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backend", "chips", "--chips", "5"], ["5 chips of Atlas 300I are wanted", "4 were found"]),
        (["--backend", "chips", "--chips", "all", "--device", "npu:2"], ["4 chips", "2 were found"]),
        (["--backend", "ort", "--chips", "2"], ["one chip, not 2", "--streams"]),
        (["--backend", "ort", "--streams", "4096"], ["--streams 4096", "cores"]),
        (["--backend", "tpu", "--streams", "2"], ["declares no streams"]),
        (["--chips", "none"], ["'none' is no number of chips"]),
        (["--streams", "0"], ["'0' is no number of streams"]),
    ],
)
def test_more_than_there_is_gets_one_line(bench: Bench, arguments: list[str], words: list[str]) -> None:
    one_line(bench("--model", bench.model, "--bs", "1", *arguments, code=2).stderr, *words)
