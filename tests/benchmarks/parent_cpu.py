"""CPU time that the parent takes while a child measures: the real command in a terminal, and without one.

Prints the share of one core, from /proc, over a window in which a worker measures ONNX Runtime on one core; a peer in
the same run is a process that only sleeps. Goal: at most 1 % of a core.
"""

from __future__ import annotations

import argparse
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.doubles.onnx_files import tiny_convnet  # noqa: E402
from tests.forked import python_path  # noqa: E402


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(process: subprocess.Popen[bytes], settle_s: float, window_s: float) -> float:
    """Share of a core that a process takes, in per cent."""
    time.sleep(settle_s)
    before, begin = cpu_s(process.pid), time.monotonic()
    time.sleep(window_s)
    used = cpu_s(process.pid) - before
    if process.poll() is not None:
        sys.exit("the command ended before the window did")
    return 100 * used / (time.monotonic() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--window", type=float, default=30.0, help="seconds (default 30)")
    window_s = parser.parse_args().window
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny_convnet(folder / "tiny.onnx", size=256)
        environment = os.environ | {"PYTHONPATH": python_path(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}

        def command(out: str) -> list[str]:
            # A target that is out of reach, so that the worker measures until its time is up.
            return [sys.executable, "-m", "bench", "--model", str(folder / "tiny.onnx"), "--backend", "ort:threads=1",
                    "--bs", "1", "--max-time", str(2 * window_s + 30), "--out", out]  # fmt: skip

        shares = {}
        for what in ("in a terminal", "without a terminal"):
            if what == "in a terminal":
                master, slave = pty.openpty()
                threading.Thread(target=_drain, args=(master,), daemon=True).start()
                process = subprocess.Popen(command("a"), cwd=folder, env=environment, stdout=slave, stderr=slave)
            else:
                process = subprocess.Popen(
                    command("b"), cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            shares[what] = share(process, settle_s=10, window_s=window_s)
            process.kill()
            process.wait()
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        shares["a process that only sleeps"] = share(sleeper, settle_s=1, window_s=5)
        sleeper.kill()
    for what, percent in shares.items():
        print(f"{what}: {percent:.2f} % of a core")


def _drain(master: int) -> None:
    """Read what a terminal would show, so that the command never waits for it."""
    while True:
        try:
            os.read(master, 65536)
        except OSError:
            return


if __name__ == "__main__":
    main()
