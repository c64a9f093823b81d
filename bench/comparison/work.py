"""Every image of two folders compared, on all cores where it pays; a batch at a time in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.comparison.sides import Agreement, Side
from bench.errors import UsageError
from bench.pool import map_pieces
from datasets.preprocess import SHAPE
from datasets.tensors import Array32, read_tensor
from reports.accuracy import PictureAccuracy

#: From so many images on processes pay. An image takes 4 to 5 ms (SSIM alone 3.7), and 1,920 images of .bin files took
#: 9.1 s in this process and 5.5 s in two, on two cores. Two threads gain nothing: SSIM holds the interpreter's lock.
_WORTH_PROCESSES = 600


@dataclass(frozen=True, slots=True)
class _Job:
    """One pair: a file of each side with its dtype, the images that count, and the first one's number."""

    reference: tuple[Path, str]
    candidate: tuple[Path, str]
    batch: int
    images: int
    first: int


def compare_images(agreement: Agreement, progress: Callable[[int], None]) -> PictureAccuracy:
    """Compare all real images; `progress` is told how many pairs are done.

    Raises DatasetError for a file that cannot be read, UsageError when a reference is NaN or infinite.
    """
    jobs = [_job(agreement, pair) for pair in range(agreement.pairs)]
    many = sum(job.images for job in jobs) >= _WORTH_PROCESSES
    seen = PictureAccuracy()
    # In the order of the jobs, so that equal folders give equal sums.
    for done, part in enumerate(map_pieces(_compare, jobs, many), start=1):
        if part.broken_references:
            number = part.broken_references[0]
            file = agreement.reference.outputs.files[number // agreement.batch]
            raise UsageError(
                f"{file}: image {number % agreement.batch} of the reference has values that are NaN or infinite, so"
                " nothing can be compared with it; make the reference again."
            )
        seen.extend(part)
        progress(done)
    return seen


def read_pictures(agreement: Agreement, number: int) -> tuple[Array32, Array32]:
    """One image of both sides, (3, 128, 128) float32 each. Raises DatasetError."""
    pair, row = divmod(number, agreement.batch)

    def image(side: Side) -> Array32:
        shape = (agreement.batch, *SHAPE)
        array: Array32 = read_tensor(side.outputs.files[pair], shape, np.dtype(side.dtype))[row]
        return array

    return image(agreement.reference), image(agreement.candidate)


def _job(agreement: Agreement, pair: int) -> _Job:
    reference, candidate = agreement.reference, agreement.candidate
    return _Job(
        (reference.outputs.files[pair], reference.dtype), (candidate.outputs.files[pair], candidate.dtype),
        agreement.batch, agreement.real(pair), pair * agreement.batch,
    )  # fmt: skip


def _compare(job: _Job) -> PictureAccuracy:
    shape = (job.batch, *SHAPE)
    reference, candidate = (
        read_tensor(path, shape, np.dtype(dtype))[: job.images] for path, dtype in (job.reference, job.candidate)
    )
    seen = PictureAccuracy()
    seen.add(reference, candidate, first=job.first)
    return seen
