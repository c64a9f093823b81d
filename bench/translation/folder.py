"""The folder that a translation fills: outputs, pictures, `translate.json`; finished batches are never done again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from bench.errors import UsageError
from bench.translation.inputs import InputPlan
from datasets.outputs import OUTPUTS, output_name
from datasets.pictures import grid, write_picture
from datasets.prepared import TARGETS
from datasets.preprocess import SHAPE
from datasets.tensors import Array32, TensorFormat, write_tensor
from reports import translation
from reports.files import atomic_path, remove_temporaries
from reports.translation import TranslationRecord

PICTURES = "pictures"
_FLOAT_BYTES = 4


def picture_name(batch: int, kind: str) -> str:
    """The published pre-processing's names, counted from 1: `1-images.jpg`. (Its post-processing counts from 0.)"""
    return f"{batch + 1}-images.{kind}"


class TranslationFolder:
    """Files of one translation; each appears whole or not at all."""

    def __init__(self, path: Path, plan: InputPlan, output_format: TensorFormat, picture_format: str) -> None:
        self.path = path
        self._plan = plan
        self._outputs = output_format
        self._pictures = picture_format

    def output(self, pair: int) -> Path:
        return self.path / OUTPUTS / output_name(pair, self._outputs)

    def picture(self, batch: int) -> Path | None:
        return self.path / PICTURES / picture_name(batch, self._pictures) if self._pictures else None

    def unfinished(self) -> list[int]:
        """Batches of which a file is missing, or has another size than it must have."""
        return [batch for batch in range(self._plan.batches) if not self._finished(batch)]

    def _finished(self, batch: int) -> bool:
        picture = self.picture(batch)
        return (picture is None or picture.is_file()) and all(
            self._whole(self.output(pair)) for pair in range(TARGETS * batch, TARGETS * (batch + 1))
        )

    def _whole(self, path: Path) -> bool:
        if self._outputs != "bin":
            return path.is_file()
        expected = self._plan.batch * SHAPE[0] * SHAPE[1] * SHAPE[2] * _FLOAT_BYTES
        return path.is_file() and path.stat().st_size == expected

    def store(self, batch: int, outputs: Sequence[Array32]) -> None:
        """Write a batch's five outputs, each (n, 3, 128, 128), and its picture. Raises UsageError for a full disk."""
        with self._writing():
            for target, output in enumerate(outputs):
                with atomic_path(self.output(TARGETS * batch + target)) as path:
                    write_tensor(path, output)
            picture = self.picture(batch)
            if picture is not None:
                with atomic_path(picture) as path:
                    write_picture(path, grid(outputs, self._plan.real(batch)))

    def save(self, record: TranslationRecord) -> None:
        """Write `translate.json`. Raises UsageError for a full disk."""
        with self._writing():
            translation.write(self.path, record)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"cannot write in {self.path}: {error.strerror or error}; free some space, then give the same command"
                " again: what is finished is kept."
            ) from None

    def forget(self, batch: int) -> None:
        """Remove a batch's files."""
        for target in range(TARGETS):
            self.output(TARGETS * batch + target).unlink(missing_ok=True)
        if picture := self.picture(batch):
            picture.unlink(missing_ok=True)


def record_of(outputs: Path) -> TranslationRecord | None:
    """The record of a translation's folder of outputs; None for another tool's. Raises UsageError."""
    try:
        record = translation.read(outputs)
        return translation.read(outputs.parent) if record is None and outputs.name == OUTPUTS else record
    except translation.TranslationFileError as error:
        raise UsageError(str(error)) from None


def claim(folder: TranslationFolder, record: TranslationRecord) -> TranslationRecord:
    """Make the folder this translation's own: new, empty, or begun by the same one. Returns what is known of it so far.

    A translation of more images of the same inputs goes on from what is there. Raises UsageError for a folder with
    something else in it, and OSError.
    """
    path = folder.path
    try:
        old = translation.read(path)
    except translation.TranslationFileError as error:
        raise UsageError(str(error)) from None
    if old is None:
        if path.exists() and any(path.iterdir()):
            raise UsageError(f"{path} is not empty and was not made by translate; name another folder with --out.")
        return record
    for name in record.source.__struct_fields__:
        was, asked = getattr(old.source, name), getattr(record.source, name)
        if was != asked:
            raise UsageError(
                f"{path} holds a translation with {name.replace('_', ' ')} {was or 'none'}, asked for is"
                f" {asked or 'none'}; name another folder with --out."
            )
    if old.images > record.images:
        raise UsageError(
            f"{path} holds {old.images} images already, asked for are {record.images}; name another folder with --out."
        )
    for place in (path, path / OUTPUTS, path / PICTURES):
        remove_temporaries(place)
    if old.images < record.images and old.images % record.source.batch:
        folder.forget(old.images // record.source.batch)  # its padding gives way to real images
    same = old.images == record.images
    return replace(
        record, precision=old.precision, check=old.check, session=old.session, nonfinite=old.nonfinite,
        speed=old.speed if same else None, complete=old.complete and same,
    )  # fmt: skip
