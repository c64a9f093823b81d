"""What is known of two folders of outputs, and whether they can be compared at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from bench.errors import UsageError
from bench.translation.folder import record_of
from datasets.celeba import DEFAULT_ATTRIBUTES
from datasets.outputs import OutputFolder, find_outputs
from datasets.prepared import TARGETS
from reports import translation
from reports.comparison import ComparedFolder, Numbering
from reports.records import PrecisionName
from reports.translation import TranslationRecord

_T = TypeVar("_T")
#: From exact to coarse; tf32 and fp16 have mantissas of one length, and thresholds of one height.
_COARSER: tuple[PrecisionName, ...] = ("fp32", "tf32", "fp16", "bf16", "int8")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two folders; `record` None where it was not made by `bench translate`."""

    role: Literal["reference", "candidate"]
    given: Path
    outputs: OutputFolder
    record: TranslationRecord | None
    #: what .bin files hold
    dtype: str

    @classmethod
    def find(cls, role: Literal["reference", "candidate"], path: Path, dtype: str) -> Side:
        """Look a folder through. Raises UsageError for an unfinished translation, and DatasetError."""
        outputs = find_outputs(path)
        record = record_of(outputs.path)
        if record is None:
            return cls(role, path, outputs, None, dtype)
        if not record.complete or record.precision is None:
            raise UsageError(f"{path}: its translation is unfinished; give the same `bench translate` command again.")
        if record.pairs != len(outputs.files):
            raise UsageError(
                f"{path}: {translation.FILE} tells of {record.pairs} outputs, here are {len(outputs.files)}; give the"
                " same `bench translate` command again."
            )
        return cls(role, path, outputs, record, "float32")

    @property
    def maker(self) -> str:
        """What made it, in words."""
        if self.record is None:
            return f"not known (files named as {self.outputs.scheme} does)"
        source = self.record.source
        return f"{source.label()} on {source.card} ({source.device}); {self.record.model}"

    def told(self) -> ComparedFolder:
        record = self.record
        settings = ", ".join(f"{key}: {value}" for key, value in record.session.items()) if record else ""
        return ComparedFolder(
            path=str(self.given), maker=self.maker, precision=record.precision if record else None,
            provenance=record.provenance if record else None, session=settings,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two folders that can be compared; `images` are real ones, each translated once for every target attribute.

    `images` None: not known, so every one in the files counts.
    """

    reference: Side
    candidate: Side
    batch: int
    images: int | None
    precision: PrecisionName
    notes: tuple[str, ...]

    @property
    def pairs(self) -> int:
        return len(self.reference.outputs.files)

    @property
    def numbering(self) -> Numbering:
        return Numbering(self.batch, self.attributes, TARGETS)

    @property
    def attributes(self) -> list[str]:
        """Of the side that tells them, else those that StarGAN was published with."""
        told = [side.record.source.attributes for side in (self.reference, self.candidate) if side.record]
        return next((attributes for attributes in told if attributes), list(DEFAULT_ATTRIBUTES))

    def real(self, pair: int) -> int:
        """How many images of a pair are no padding."""
        if self.images is None:
            return self.batch
        return min(self.batch, self.images - pair // TARGETS * self.batch)

    @property
    def padding(self) -> int:
        return self.pairs * self.batch - sum(map(self.real, range(self.pairs)))


def agree(
    reference: Side, candidate: Side, batch: int | None, precision: PrecisionName | None, images: int | None
) -> Agreement:
    """Whether the two can be compared, with what the options add to what is known of them.

    Raises UsageError: other inputs, batch sizes or numbers of files, something that nobody tells, or an option that
    contradicts a folder.
    """
    _same_inputs(reference, candidate)
    sides = (reference, candidate)
    size = _told(sides, "--bs", batch, lambda record: record.source.batch, "in batches of {}")
    if size is None:
        raise UsageError(
            f"{reference.given} and {candidate.given}: neither tells its batch size; give it with --bs (the number of"
            " images in a file)."
        )
    real = _told(sides, "--limit", images, lambda record: record.images, "of {} images")
    counts = [len(side.outputs.files) for side in sides]
    if counts[0] != counts[1]:
        raise UsageError(
            f"{reference.given} holds {counts[0]} outputs, {candidate.given} {counts[1]}: one is unfinished, or they"
            " are of other inputs; make both of the same inputs."
        )
    if real is not None:
        _check_images(counts[0], size, real)
    executed = _executed(candidate, precision)
    notes = _notes(reference, candidate)
    coarser = max(executed, _of(reference) or executed, key=_COARSER.index)
    if coarser != executed:
        notes.append(
            f"The reference itself was executed in {coarser}, which is coarser than {executed}: the thresholds are"
            f" those of {coarser}."
        )
    return Agreement(reference, candidate, size, real, coarser, tuple(notes))


def _of(side: Side) -> PrecisionName | None:
    return side.record.precision if side.record else None


def _same_inputs(reference: Side, candidate: Side) -> None:
    ours, theirs = reference.record, candidate.record
    if ours is None or theirs is None:
        return
    one, other = ours.source.inputs_sha256, theirs.source.inputs_sha256
    # Fingerprints of two kinds say nothing of each other; `_notes` tells so.
    if one != other and _kind(one) == _kind(other):
        raise UsageError(
            f"{reference.given} and {candidate.given} are translations of other inputs ({ours.inputs};"
            f" {theirs.inputs}); translate both from the same."
        )


def _kind(fingerprint: str) -> str:
    """What a fingerprint was taken of: CelebA's files, or pairs of unknown origin."""
    return fingerprint.partition(":")[0]


def _told(
    sides: tuple[Side, Side], option: str, given: _T | None, of: Callable[[TranslationRecord], _T], words: str
) -> _T | None:
    """What the option or the folders' records say, all of them the same. Raises UsageError."""
    known = [(side, of(side.record)) for side in sides if side.record]
    for side, value in known:
        if given is not None and value != given:
            raise UsageError(
                f"{option} {given}: {side.given} was made {words.format(value)}, says its {translation.FILE}; leave"
                f" {option} out."
            )
    if len(known) == 2 and known[0][1] != known[1][1]:
        (one, ours), (other, theirs) = known
        raise UsageError(
            f"{one.given} was made {words.format(ours)}, {other.given} {words.format(theirs)}; translate both alike."
        )
    return known[0][1] if known else given


def _check_images(files: int, batch: int, images: int) -> None:
    if files % TARGETS:
        raise UsageError(
            f"{files} outputs are no multiple of {TARGETS} target attributes, so it is not known which of them are"
            " padding; leave --limit out, or add the missing outputs."
        )
    most = files // TARGETS * batch
    if not most - batch < images <= most:
        raise UsageError(
            f"{files} outputs in batches of {batch} are {most - batch + 1} to {most} images, not {images}; check --bs"
            " and --limit."
        )


def _executed(candidate: Side, given: PrecisionName | None) -> PrecisionName:
    """What the candidate was executed in: it decides the thresholds, so it is never guessed. Raises UsageError."""
    known = _of(candidate)
    if known is not None:
        if given is not None and given != known:
            raise UsageError(
                f"--precision {given}: {candidate.given} was executed in {known}, says its {translation.FILE}; leave"
                " --precision out."
            )
        return known
    if given is None:
        raise UsageError(
            f"{candidate.given} does not tell which precision it was executed in, and that decides the thresholds;"
            " give --precision (atc makes fp16 models unless told otherwise, trtexec fp32)."
        )
    return given


def _notes(reference: Side, candidate: Side) -> list[str]:
    """What a reader should know of the two, a sentence each."""
    notes = []
    ours, theirs = reference.record, candidate.record
    if ours is None or theirs is None:
        unknown = " and ".join(f"the {side.role}" for side in (reference, candidate) if side.record is None)
        notes.append(
            f"Nothing is known of {unknown} but the files: that both are of the same inputs is taken on trust."
        )
    elif _kind(ours.source.inputs_sha256) != _kind(theirs.source.inputs_sha256):
        notes.append(
            "One was made of pairs whose origin is not recorded, the other of CelebA itself: that both are of the same"
            " inputs is taken on trust."
        )
    if theirs is None:
        notes.append("The candidate's precision is as given with --precision.")
    if ours is None:
        notes.append("The reference's precision is not known; it is taken for fp32.")
    if ours and theirs and ours.source.model_sha256 != theirs.source.model_sha256:
        notes.append(f"The weights are not the same: {ours.model} (reference), {theirs.model} (candidate).")
    if ours and any(not output.passed for output in ours.check):
        notes.append("The reference's own check batch was wrong when it was made.")
    if reference.outputs.path.resolve() == candidate.outputs.path.resolve():
        notes.append("Both are the same folder.")
    for side in (reference, candidate):
        if side.outputs.kind == "txt":
            notes.append(
                f"The {side.role} is text, which keeps six digits of a value: differences of 1e-6 are its own."
            )
        if side.outputs.kind == "bin" and side.dtype != "float32":
            notes.append(f"The {side.role}'s .bin files were read as {side.dtype}.")
    return notes
