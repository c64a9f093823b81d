"""Preparing inputs for other tools: the pairs of .bin files that msame and ais_bench read, made from CelebA."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.errors import UsageError
from bench.translation.inputs import InputPlan, read_batches
from datasets.errors import DatasetError
from datasets.prepared import ATTRIBUTES, IMAGES, RECORD, TARGETS, Batch, Pairs, PreparedRecord, read_record
from datasets.preprocess import SHAPE
from datasets.tensors import write_tensor
from reports.files import atomic_path, remove_temporaries

_FLOAT_BYTES = 4


def write_pairs(plan: InputPlan, folder: Path, workers: int, progress: Callable[[int, int], None]) -> int:
    """Write what is missing of `folder`/bin and `folder`/prepare.json; returns how many batches that were.

    `progress` is told batches done and to do. Files of one batch's images are one file under five names (hard links)
    where the file system can do that. Raises DatasetError, and UsageError for a folder with something else in it or a
    full disk; what is finished is kept.
    """
    pairs = Pairs(folder / "bin", plan.batch, plan.pairs)
    try:
        _claim(plan, folder, pairs)
        for name in (IMAGES, ATTRIBUTES):
            (pairs.folder / name).mkdir(parents=True, exist_ok=True)
            remove_temporaries(pairs.folder / name)
        wanted = [batch for batch in range(plan.batches) if not _finished(pairs, batch)]
        progress(0, len(wanted))
        for done, (number, batch) in enumerate(read_batches(plan, wanted, workers), start=1):
            _write(pairs, number, batch)
            progress(done, len(wanted))
    except OSError as error:
        raise UsageError(
            f"cannot write in {folder}: {error.strerror or error}; free some space, or name a writable folder with"
            " --out, then give the same command again: what is finished is kept."
        ) from None
    return len(wanted)


def _claim(plan: InputPlan, folder: Path, pairs: Pairs) -> None:
    """See that the folder is new, empty, or begun with the same inputs, and write its record. Raises UsageError."""
    path = folder / RECORD
    record = PreparedRecord(
        inputs_sha256=plan.sha256, inputs=plan.text, attributes=plan.attributes, batch=plan.batch, images=plan.images
    )
    if path.is_file():
        try:
            old = read_record(path)
        except DatasetError as error:
            raise UsageError(str(error)) from None
        for name in ("batch", "attributes", "inputs_sha256"):
            was, asked = getattr(old, name), getattr(record, name)
            if was != asked:
                what = "other inputs" if name == "inputs_sha256" else f"{name} {was}, asked for is {asked}"
                raise UsageError(f"{folder} was prepared with {what}; name another folder with --out.")
        if old.images > record.images:
            raise UsageError(
                f"{folder} holds {old.images} images already, asked for are {record.images}; name another folder with"
                " --out."
            )
        if old.images < record.images and old.images % old.batch:
            _forget(pairs, old.images // old.batch)  # its padding gives way to real images
    elif folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and was not made by prepare; name another folder with --out.")
    with atomic_path(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def _finished(pairs: Pairs, batch: int) -> bool:
    image_bytes = pairs.batch * SHAPE[0] * SHAPE[1] * SHAPE[2] * _FLOAT_BYTES
    attribute_bytes = pairs.batch * TARGETS * _FLOAT_BYTES
    return all(
        path.is_file() and path.stat().st_size == size
        for target in range(TARGETS)
        for path, size in zip(pairs.paths(TARGETS * batch + target), (image_bytes, attribute_bytes), strict=True)
    )


def _forget(pairs: Pairs, batch: int) -> None:
    for target in range(TARGETS):
        for path in pairs.paths(TARGETS * batch + target):
            path.unlink(missing_ok=True)


def _write(pairs: Pairs, number: int, batch: Batch) -> None:
    first, _ = pairs.paths(TARGETS * number)
    with atomic_path(first) as path:
        write_tensor(path, batch.images)
    for target, labels in enumerate(batch.targets):
        images, attributes = pairs.paths(TARGETS * number + target)
        if target:
            _same_file(first, images, batch)
        with atomic_path(attributes) as path:
            write_tensor(path, labels)


def _same_file(first: Path, path: Path, batch: Batch) -> None:
    """A second name for the first file, or a copy where the file system has no links."""
    path.unlink(missing_ok=True)
    try:
        os.link(first, path)
    except OSError:
        with atomic_path(path) as temporary:
            write_tensor(temporary, batch.images)
