"""How often the regression check is wrong on this machine: real checks of a small network, nothing assumed.

    python tests/benchmarks/real_false_alarms.py [--aa 40] [--slower 20] [--effect 0.05]

Checks with nothing changed, and checks whose new side really takes longer by --effect; a line each, then the counts.
Each check is `python -m bench check` with 12 pairs of processes (noisy rows go on to 40, failing rows are measured
again), on one CPU unless --cpus says otherwise. About 40 s without a change, and twice that with one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.doubles import slowed  # noqa: E402
from tests.doubles.onnx_files import tiny_convnet  # noqa: E402
from tests.forked import python_path  # noqa: E402

_ANSWERS = {0: "passed", 1: "regressed", 2: "not measured", 3: "inconclusive"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aa", type=int, default=40, help="checks without a change (default 40)")
    parser.add_argument("--slower", type=int, default=20, help="checks of a slower new side (default 20)")
    parser.add_argument("--effect", type=float, default=0.05, help="how much slower, as a share (default 0.05)")
    parser.add_argument("--size", type=int, default=256, help="of the network's input (default 256: about 1 ms a call)")
    parser.add_argument("--cpus", default=str(max(os.sched_getaffinity(0))), help="default: the last one; 0,1 for two")
    parser.add_argument("options", nargs="*", help="further options of bench check, after --, such as --noisy-pairs 12")
    given = parser.parse_args()
    os.sched_setaffinity(0, {int(cpu) for cpu in given.cpus.split(",")})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny_convnet(folder / "tiny.onnx", size=given.size)
        slowed.install(folder)
        # Turn about, so that an hour in which the machine changes does not make one of the two look worse.
        plan = [0.0] * given.aa + [given.effect] * given.slower
        order = sorted(range(len(plan)), key=lambda index: (index % max(given.aa, 1)) if index < given.aa else
                       (index - given.aa) * given.aa / max(given.slower, 1))  # fmt: skip
        counts: dict[float, Counter[str]] = {0.0: Counter(), given.effect: Counter()}
        begin = time.monotonic()
        for number, index in enumerate(order):
            answer, figures, seconds = check(folder, number, plan[index], given.options)
            counts[plan[index]][answer] += 1
            print(f"{number + 1:3} {plan[index]:+.0%}: {answer:12} {figures} {seconds:.0f} s", flush=True)
        for effect, found in counts.items():
            shown = ", ".join(f"{answer} {count}" for answer, count in found.most_common())
            print(f"{effect:+.0%}: {shown or 'none'}")
        print(f"{len(order)} checks in {(time.monotonic() - begin) / 60:.0f} minutes")


def check(folder: Path, number: int, effect: float, options: list[str]) -> tuple[str, str, float]:
    """One real check: its answer, its row's figures, and how long it took."""
    out = folder / f"check-{number}"
    environment = os.environ | {
        "PYTHONPATH": python_path(ROOT, folder), "XDG_CACHE_HOME": str(folder / "cache"),
    }  # fmt: skip
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "bench", "check", "--backend", "slowed:threads=1", "--model", str(folder / "tiny.onnx"),
         "--bs", "1", "--new-env", f"BENCH_SLOWED_BY={effect}", "--out", str(out), *options],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    page = (out / "check.md").read_text() if (out / "check.md").exists() else ""
    rows = [line for line in page.splitlines() if line.startswith("| slowed")]
    if done.returncode not in _ANSWERS or not rows:
        sys.exit(f"bench check ended with exit status {done.returncode}\n{done.stdout}\n{done.stderr}")
    _, _, _, _, change, bounds, sd, pairs, found, _, _ = (cell.strip() for cell in rows[0].split("|"))
    figures = f"{change} ({bounds}), sd {sd}, {pairs} pairs, finds {found},"
    return _ANSWERS[done.returncode], figures, time.monotonic() - begin


if __name__ == "__main__":
    main()
