"""How fast msame's .txt becomes pictures: ours against a plain Python parse (float(x) for each token), in one run.

    python tests/benchmarks/text_tensors.py [--batches N] [--bs N] [--rounds R]

Files as msame writes them for StarGAN: N batches of five outputs each. Both make the same JPEG grids of them; the plain
way is the published post-processing's: read lines, float() every token, nest the lists, one process. Rounds alternate;
the table holds medians. Before that, the pixels of both are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.commands.images import ImagesOptions, images
from datasets.outputs import output_name
from datasets.pictures import grid, write_picture
from datasets.tensors import read_tensor, write_tensor

TARGETS = 5


def make_outputs(folder: Path, batches: int, batch: int) -> None:
    """Smooth random pictures in [-1, 1], as text with six digits."""
    random = np.random.default_rng(0)
    for index in range(batches * TARGETS):
        coarse = random.uniform(-1, 1, (batch, 3, 16, 16)).astype(np.float32)
        smooth = coarse.repeat(8, axis=2).repeat(8, axis=3) * np.float32(0.9)
        noise = random.normal(0, 0.03, smooth.shape).astype(np.float32)
        write_tensor(folder / output_name(index, "txt"), np.tanh(smooth + noise))


def plain_read(path: Path, batch: int) -> np.ndarray:
    """Every token through float(), into nested lists of 128 rows, then one array."""
    planes: list[list[list[float]]] = []
    rows: list[list[float]] = []
    with path.open(encoding="ascii") as file:
        for line in file:
            rows.append([float(token) for token in line.split()])
            if len(rows) == 128:
                planes.append(rows)
                rows = []
    return np.array(planes).astype(np.float32).reshape(batch, 3, 128, 128)


def plain(folder: Path, out: Path, batches: int, batch: int) -> None:
    for number in range(batches):
        outputs = [plain_read(folder / output_name(TARGETS * number + i, "txt"), batch) for i in range(TARGETS)]
        write_picture(out / f"{number + 1}-images.jpg", grid(outputs))


def ours(folder: Path, out: Path, batch: int) -> None:
    options = ImagesOptions(outputs=folder, batch=batch, limit=None, dtype="float32", picture_format="jpg", out=out)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if images(options) != 0:
            raise SystemExit("images failed")


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=32)
    parser.add_argument("--bs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder, plain_out, our_out = (root / part for part in ("outputs", "plain", "ours"))
        for path in (folder, plain_out):
            path.mkdir()
        make_outputs(folder, options.batches, options.bs)
        shape = (options.bs, 3, 128, 128)
        times: dict[str, list[float]] = {"plain": [], "ours": [], "plain read": [], "our read": []}
        one = folder / output_name(0, "txt")
        for _ in range(options.rounds):
            times["plain"].append(seconds(lambda: plain(folder, plain_out, options.batches, options.bs)))
            times["ours"].append(seconds(lambda: ours(folder, our_out, options.bs)))
            times["plain read"].append(seconds(lambda: plain_read(one, options.bs)))
            times["our read"].append(seconds(lambda: read_tensor(one, shape)))
        for number in range(1, options.batches + 1):
            with Image.open(plain_out / f"{number}-images.jpg") as a, Image.open(our_out / f"{number}-images.jpg") as b:
                if not np.array_equal(np.asarray(a), np.asarray(b)):
                    raise SystemExit(f"{number}-images.jpg differs")
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} CPUs, Python {platform.python_version()};"
          f" {options.batches} batches of {options.bs}, {options.rounds} rounds, pictures equal")  # fmt: skip
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:12} {medians[name]:8.3f} s   ({min(values):.3f} to {max(values):.3f})")
    for over, under, what in (
        ("plain", "ours", ".txt -> pictures"),
        ("plain read", "our read", "reading one file, one process"),
    ):
        single = [a / b for a, b in zip(times[over], times[under], strict=True)]
        print(f"{what}: {medians[over] / medians[under]:.1f} x (single rounds {min(single):.1f} to {max(single):.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
