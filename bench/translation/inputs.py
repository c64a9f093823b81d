"""What is to be translated: batches of images with five target attributes each, from CelebA or from prepared pairs."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

import datasets
from bench.errors import UsageError
from datasets import CelebA
from datasets.prepared import TARGETS, Batch, Pairs, find_pairs, fingerprint, iter_padded
from datasets.tensors import Array32

#: (n, 3, 128, 128) images and (n, 5) target attributes, float32
Pair = tuple[Array32, Array32]


class InputPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where batches come from, and how many there are. Batch b has the pairs 5·b to 5·b + 4.

    `images` are real ones; the last batch is filled up to `batch` with copies of the last one.
    """

    #: CelebA's folder or zip; `bins`: a folder of pairs. One of the two is given.
    data: str | None
    bins: str | None
    attributes: list[str]
    batch: int
    images: int
    #: identifies images and labels, whatever their number and batch size
    sha256: str
    #: one sentence for readers
    text: str

    @property
    def batches(self) -> int:
        return -(-self.images // self.batch)

    @property
    def pairs(self) -> int:
        return self.batches * TARGETS

    @property
    def padding(self) -> int:
        """Copies at the end of the last batch."""
        return self.batches * self.batch - self.images

    def real(self, batch: int) -> int:
        """How many images of that batch are no padding."""
        return min(self.batch, self.images - batch * self.batch)


def plan_data(
    path: Path | None, attributes: Sequence[str], batch: int, limit: int | None = None, drop_last: bool = False
) -> InputPlan:
    """The test split of CelebA (of the bundled sample for None), or its first `limit` images.

    Raises UsageError when nothing is left, and DatasetError.
    """
    if len(attributes) != TARGETS:
        raise UsageError(f"--attributes: StarGAN's generator takes {TARGETS} attributes, {len(attributes)} were given.")
    folder = path or datasets.sample_folder()
    with CelebA.open(folder, attributes) as celeba:
        entries = celeba.split().test
        if not entries:
            raise UsageError(f"{folder} has no entry in its test split; give a CelebA folder or zip with --data.")
        digest = fingerprint(celeba, entries)
    images = min(len(entries), limit or len(entries))
    if drop_last:
        images -= images % batch
        if not images:
            raise UsageError(
                f"--drop-last leaves nothing of {len(entries)} images at --bs {batch}; give a smaller --bs."
            )
    source = path.name if path else "the bundled sample"
    text = f"{images} of {len(entries)} test images of {source}, targets {', '.join(attributes)}"
    return InputPlan(
        data=str(folder), bins=None, attributes=list(attributes), batch=batch, images=images, sha256=digest, text=text
    )


def plan_pairs(path: Path, batch: int | None, limit: int | None = None, drop_last: bool = False) -> InputPlan:
    """The pairs of a folder; `batch` None: as their sizes say. Raises UsageError, and DatasetError."""
    pairs = find_pairs(path, batch)
    record = pairs.record()
    whole = pairs.count // TARGETS * pairs.batch
    if record and (record.batch != pairs.batch or not whole - pairs.batch < record.images <= whole):
        raise UsageError(
            f"{path}: prepare.json tells of {record.images} images in batches of {record.batch}, the files of {whole}"
            f" in batches of {pairs.batch}; finish it with the same `bench prepare` again, or prepare a new folder."
        )
    images = min(record.images if record else whole, limit or whole)
    if drop_last:
        images -= images % pairs.batch
        if not images:
            raise UsageError(f"--drop-last leaves nothing of {path}; leave it out.")
    return InputPlan(
        data=None, bins=str(pairs.folder), attributes=record.attributes if record else [], batch=pairs.batch,
        images=images, sha256=record.inputs_sha256 if record else pairs.fingerprint(),
        text=record.inputs if record else f"{images} images in the pairs of {pairs.folder}",
    )  # fmt: skip


def read_pairs(plan: InputPlan, wanted: Sequence[int]) -> Generator[tuple[int, list[Pair]], None, None]:
    """The five pairs of every wanted batch, with the batch's number, in order. Raises DatasetError."""
    if plan.bins is not None:
        pairs = Pairs(Path(plan.bins), plan.batch, plan.pairs)
        for number in wanted:
            yield number, [pairs.read(TARGETS * number + target) for target in range(TARGETS)]
        return
    with closing(read_batches(plan, wanted)) as batches:
        for number, batch in batches:
            yield number, [(batch.images, target) for target in batch.targets]


def read_batches(plan: InputPlan, wanted: Sequence[int], workers: int = 1) -> Generator[tuple[int, Batch], None, None]:
    """The wanted batches of CelebA with their numbers, in order. Raises DatasetError."""
    with CelebA.open(Path(plan.data or ""), plan.attributes) as celeba:
        entries = celeba.split().test[: plan.images]
        chosen = [entry for number in wanted for entry in entries[number * plan.batch : (number + 1) * plan.batch]]
        with closing(iter_padded(celeba, chosen, plan.batch, workers)) as batches:
            yield from zip(wanted, batches, strict=True)
