"""What the loop adds to a sample and what a turn of it costs, beside a bare perf_counter_ns loop in the same run.

    python tests/benchmarks/loop_overhead.py [--rounds R] [--calls N]

Goals: bias <= 100 ns a sample, cost <= 250 ns a turn.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench import timing
from bench.overhead import NullSession


def bare(calls: int) -> tuple[float, float]:
    """(median sample, time of a turn) in ns of the shortest loop that keeps both stamps, with nothing to measure."""
    clock = time.perf_counter_ns
    starts, ends = [0] * calls, [0] * calls
    gc.disable()
    begin = clock()
    for i in range(calls):
        t0 = clock()
        t1 = clock()
        starts[i] = t0
        ends[i] = t1
    turn = (clock() - begin) / calls
    gc.enable()
    return statistics.median(b - a for a, b in zip(starts, ends, strict=True)), turn


def ours(calls: int) -> tuple[float, float]:
    """The same of the harness's loop over a session that does nothing, through bound methods as a real one's are."""
    null = NullSession()
    stamps = timing.Stamps(calls)
    with timing.collector_off():
        timing.run_block(null.enqueue, null.synchronize, time.perf_counter_ns, stamps, 2**63 - 1)
    turn = (stamps.ends[calls - 1] - stamps.starts[0]) / calls
    return statistics.median(stamps.durations_ns()), turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--calls", type=int, default=20_000)
    options = parser.parse_args()
    rounds = [(bare(options.calls), ours(options.calls)) for _ in range(options.rounds)]
    print(f"{options.rounds} interleaved rounds of {options.calls} calls, medians (min-max over rounds), ns")
    for name, index in (("bias a sample", 0), ("cost a turn", 1)):
        peer = [peer_round[index] for peer_round, _ in rounds]
        mine = [own_round[index] for _, own_round in rounds]
        ratio = statistics.median(m / p for m, p in zip(mine, peer, strict=True))
        print(
            f"{name:<14} bare {statistics.median(peer):6.0f} ({min(peer):.0f}-{max(peer):.0f})"
            f"   bench {statistics.median(mine):6.0f} ({min(mine):.0f}-{max(mine):.0f})   ratio {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
