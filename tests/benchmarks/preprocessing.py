"""How fast preprocessing is: a torch DataLoader with the published Pillow transforms against ours, in one run.

    python tests/benchmarks/preprocessing.py [--images N] [--rounds R]

Every round runs every candidate once, in another order each round, on the same files, with workers that are already
running, theirs and ours; the table holds medians over the rounds. By default there are so many images that two workers
of ours are processes (see `datasets/processes.py`). Before that, up to 100 images of ours are compared byte for byte
with the published transforms. torchvision is not needed: its transforms are written out below with Pillow and torch, as
torchvision does them on Pillow images.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets import CelebA, iter_batches, sample_folder
from datasets.preprocess import decode

BATCH = 16


class TorchCelebA(Dataset[tuple[torch.Tensor, torch.Tensor]]):  # type: ignore[misc]
    """The dataset of the published loader: a folder of files, Pillow transforms, a tensor of labels."""

    def __init__(self, folder: Path, names: list[str], labels: torch.Tensor) -> None:
        self.folder, self.names, self.rows = folder, names, labels

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        with (self.folder / self.names[index]).open("rb") as file:
            image = Image.open(file).convert("RGB")
        return published_transform(image), self.rows[index]


def published_transform(image: Image.Image) -> torch.Tensor:
    """torchvision's CenterCrop(178), Resize(128), ToTensor, Normalize(0.5, 0.5)."""
    width, height = image.size
    top, left = int(round((height - 178) / 2.0)), int(round((width - 178) / 2.0))  # noqa: RUF046
    image = image.crop((left, top, left + 178, top + 178)).resize((128, 128), Image.Resampling.BILINEAR)
    tensor = torch.from_numpy(np.array(image, np.uint8, copy=True)).view(128, 128, 3)
    tensor = tensor.permute((2, 0, 1)).contiguous().to(torch.float32).div(255)
    tensor = tensor.clone()
    mean = torch.as_tensor((0.5, 0.5, 0.5), dtype=tensor.dtype).view(-1, 1, 1)
    std = torch.as_tensor((0.5, 0.5, 0.5), dtype=tensor.dtype).view(-1, 1, 1)
    return tensor.sub_(mean).div_(std)


def make_files(folder: Path, count: int) -> tuple[Path, Path]:
    """`count` images in CelebA's layout, the bundled sample over and over, as a folder and as a zip."""
    sample = sample_folder()
    _, names, *lines = (sample / "list_attr_celeba.txt").read_text("utf-8").splitlines()
    root = folder / "celeba"
    (root / "images").mkdir(parents=True)
    listed = [str(count), names]
    for index in range(count):
        name, values = lines[index % len(lines)].split(maxsplit=1)
        target = f"{index + 1:06d}.jpg"
        (root / "images" / target).write_bytes((sample / "images" / name).read_bytes())
        listed.append(f"{target} {values}")
    (root / "list_attr_celeba.txt").write_text("\n".join(listed) + "\n", "utf-8")
    archive = folder / "celeba.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target_zip:
        for file in sorted(root.rglob("*.*")):
            target_zip.write(file, file.relative_to(folder).as_posix())
    return root, archive


def candidates(folder: CelebA, archive: CelebA) -> dict[str, Callable[[], int]]:
    """Each runs over every image once and returns how many there were."""
    torch_data = TorchCelebA(
        folder.path / "images",
        [entry.filename for entry in folder.entries],
        torch.from_numpy(folder.labels(folder.entries)),
    )

    # The workers live on between rounds, so that starting them is never part of DataLoader's time.
    loaders = {n: DataLoader(torch_data, BATCH, num_workers=n, persistent_workers=True) for n in (1, 2)}

    def loader(workers: int) -> int:
        return sum(len(images) for images, _ in loaders[workers])

    def ours(data: CelebA, workers: int) -> int:
        return sum(len(images) for images in iter_batches(data, data.entries, BATCH, workers))

    def decoding() -> int:
        return sum(decode(folder.read(entry)).width > 0 for entry in folder.entries)

    return {
        "DataLoader, 1 worker": lambda: loader(1),
        "DataLoader, 2 workers": lambda: loader(2),
        "ours, 1 worker": lambda: ours(folder, 1),
        "ours, 2 workers": lambda: ours(folder, 2),
        "ours from a zip, 1 worker": lambda: ours(archive, 1),
        "ours from a zip, 2 workers": lambda: ours(archive, 2),
        "reading and decoding alone, 1 thread": decoding,
    }


def check_equal(data: CelebA) -> int:
    """Compare up to 100 images byte for byte, with both numbers of workers; return how many were compared."""
    entries = data.entries[:100]
    for workers in (1, 2):
        # All of them are asked for: so many are loaded as they are when it is timed.
        for start, batch in enumerate(iter_batches(data, data.entries, BATCH, workers)):
            if start * BATCH >= len(entries):
                break
            for entry, image in zip(entries[start * BATCH :], batch, strict=False):
                with Image.open(data.path / "images" / entry.filename) as file:
                    expected = published_transform(file.convert("RGB")).numpy()
                if image.tobytes() != expected.tobytes():
                    raise SystemExit(f"{entry.filename}: not equal to the published transforms")
    return len(entries)


def measure(runs: dict[str, Callable[[], int]], images: int, rounds: int) -> dict[str, list[float]]:
    """Images a second of each candidate in each round."""
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for run in runs.values():  # starts DataLoader's workers, fills the file cache
        run()
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            begin = time.perf_counter()
            done = runs[name]()
            speeds[name].append(done / (time.perf_counter() - begin))
            if done != images:
                raise SystemExit(f"{name}: gave {done} of {images} images")
    return speeds


def report(speeds: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    print(f"{'':38}{'images/s, median':>18}{'lowest':>10}{'highest':>10}")
    for name, values in speeds.items():
        print(f"{name:38}{medians[name]:>18,.0f}{min(values):>10,.0f}{max(values):>10,.0f}")
    print(f"\n{'ratio':38}{'of medians':>18}{'lowest':>10}{'highest':>10}   (of one round)")
    for count, word in ((1, "1 worker"), (2, "2 workers")):
        mine, theirs = f"ours, {word}", f"DataLoader, {word}"
        ratios = [a / b for a, b in zip(speeds[mine], speeds[theirs], strict=True)]
        ratio = medians[mine] / medians[theirs]
        print(f"{f'ours / DataLoader, {count} each':38}{ratio:>17.2f}x{min(ratios):>9.2f}x{max(ratios):>9.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000, help="images a candidate loads in a round (default 2000)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default 7)")
    arguments = parser.parse_args()
    if arguments.images < 1 or arguments.rounds < 1:
        parser.error("--images and --rounds take at least 1")
    versions = f"Pillow {PIL.__version__}, numpy {np.__version__}, torch {torch.__version__}"
    print(f"Python {platform.python_version()}, {versions}")
    print(f"{arguments.images} images, {arguments.rounds} rounds, batch {BATCH}")
    with tempfile.TemporaryDirectory() as scratch:
        root, packed = make_files(Path(scratch), arguments.images)
        with CelebA.open(root) as folder, CelebA.open(packed) as archive:
            print(f"{check_equal(folder)} images are byte-equal to the published transforms\n")
            report(measure(candidates(folder, archive), arguments.images, arguments.rounds))


if __name__ == "__main__":
    main()
