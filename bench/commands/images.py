"""`bench images`: outputs that msame, ais_bench or `bench translate` left as files -> the published picture grids."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import ExitCode, UsageError
from bench.pool import map_pieces
from bench.progress import counted
from bench.translation.folder import PICTURES, picture_name, record_of
from datasets.errors import DatasetError
from datasets.outputs import OutputFolder, find_outputs
from datasets.pictures import grid, write_picture
from datasets.prepared import TARGETS
from datasets.preprocess import SHAPE
from datasets.tensors import nonfinite, read_tensor
from reports.files import atomic_path

#: From here on starting processes costs less than it saves (some 0.5 s against 0.1 s a batch of text).
_WORTH_PROCESSES = 8


@dataclass(frozen=True, slots=True)
class ImagesOptions:
    """`batch` None: as translate.json says; `dtype` is what .bin files hold; `limit` counts images."""

    outputs: Path
    batch: int | None
    limit: int | None
    dtype: str
    picture_format: str
    out: Path | None

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> ImagesOptions:
        return cls(
            outputs=given.outputs, batch=given.bs, limit=given.limit, dtype=given.dtype,
            picture_format=given.pictures, out=given.out,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Job:
    """One picture: the five outputs of a batch, of which the first `count` images are real."""

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    dtype: str
    count: int
    target: Path


def images(options: ImagesOptions) -> int:
    """Make the pictures; 1 when outputs hold values that are no numbers. Raises UsageError."""
    try:
        found = find_outputs(options.outputs)
        jobs = _jobs(found, options)
        broken = _run(jobs)
    except DatasetError as error:
        raise UsageError(f"{error}.") from None
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror or error}; name another --out.") from None
    count = sum(job.count for job in jobs)
    print(f"pictures: {jobs[0].target.parent}: {len(jobs)} grids of {count} images in {TARGETS} translations")
    if broken:
        name, values = next(iter(broken.items()))
        print(f"wrong: {values} values in the outputs of {name} are NaN or infinite (shown in magenta); "
              f"{len(broken)} of {len(jobs)} grids hold such values")  # fmt: skip
        return ExitCode.NO
    return ExitCode.DONE


def _jobs(found: OutputFolder, options: ImagesOptions) -> list[_Job]:
    record = record_of(found.path)
    batch = options.batch or (record.source.batch if record else None)
    if batch is None:
        raise UsageError(f"{found.path} does not tell its batch size; give it with --bs.")
    if len(found.files) % TARGETS:
        raise UsageError(
            f"{found.path}: {len(found.files)} outputs, no multiple of {TARGETS} target attributes; some are missing at"
            f" the end, run input {len(found.files)} and those after it."
        )
    batches = len(found.files) // TARGETS
    count = min(batches * batch, record.images if record else batches * batch, options.limit or batches * batch)
    folder = options.out or options.outputs / PICTURES
    return [
        _Job(
            files=found.files[TARGETS * number : TARGETS * (number + 1)], shape=(batch, *SHAPE), dtype=options.dtype,
            count=min(batch, count - number * batch), target=folder / picture_name(number, options.picture_format),
        )
        for number in range(-(-count // batch))
    ]  # fmt: skip


def _run(jobs: Sequence[_Job]) -> dict[str, int]:
    """Do all jobs; by picture, how many of its values are NaN or infinite, where there are some."""
    broken: dict[str, int] = {}
    # Reading text holds the interpreter's lock, so threads would take turns.
    done = map_pieces(_draw, jobs, many=len(jobs) >= _WORTH_PROCESSES)
    with counted("pictures", len(jobs)) as show:
        for number, (job, values) in enumerate(zip(jobs, done, strict=True), start=1):
            show(number)
            if values:
                broken[job.target.name] = values
    return broken


def _draw(job: _Job) -> int:
    """Make one picture; how many of its values are NaN or infinite. Raises DatasetError and OSError."""
    outputs = [read_tensor(path, job.shape, np.dtype(job.dtype)) for path in job.files]
    with atomic_path(job.target) as path:
        write_picture(path, grid(outputs, job.count))
    return sum(nonfinite(output[: job.count]) for output in outputs)
