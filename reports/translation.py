"""The record of a folder of translated pictures, `translate.json` in it: what made it, of what, and how fast."""

from __future__ import annotations

from pathlib import Path

import msgspec

from reports.files import atomic_path
from reports.records import OutputAccuracy, PrecisionName, Provenance, variant_label

FILE = "translate.json"
SCHEMA = 1


class TranslationFileError(Exception):
    """A `translate.json` that cannot be used: one line with the file and what to do."""


class TranslationSource(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what the outputs are; folders with another one are never mixed."""

    backend: str
    options: dict[str, str]
    asked_precision: PrecisionName
    device: str
    card: str
    model_sha256: str
    #: identifies images and labels, as prepared: equal inputs give an equal value
    inputs_sha256: str
    batch: int
    attributes: list[str]
    #: bin, npy or txt
    output_format: str
    #: jpg, png, or empty for none
    picture_format: str
    #: of the compiled files that were named, empty where none were
    compiled_sha256: str = ""

    def label(self) -> str:
        """Backend with the options that were set."""
        return variant_label(self.backend, self.options)


class TranslationSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the outputs came about, reading and writing included, from the first batch's start to the last file.

    `infer_s` is the part of it that went by in the session's own calls (both copies included).
    """

    images: int
    wall_s: float
    infer_s: float


class TranslationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a folder of translations. `images` are real ones, without the last batch's padding."""

    schema: int
    source: TranslationSource
    images: int
    pairs: int
    provenance: Provenance
    model: str
    inputs: str
    #: as executed; null until the first batch is done
    precision: PrecisionName | None = None
    #: outputs of the workload's check batch against its fp32 reference, before anything was translated
    check: list[OutputAccuracy] = []
    session: dict[str, str] = {}
    #: of the last call that did something; null until it was complete
    speed: TranslationSpeed | None = None
    #: values in what the last call wrote that are NaN or infinite
    nonfinite: int = 0
    #: peak resident memory of that call's worker process
    peak_memory_bytes: int | None = None
    complete: bool = False


def write(folder: Path, record: TranslationRecord) -> None:
    """Write the folder's record, whole or not at all. Raises OSError."""
    with atomic_path(folder / FILE) as path:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def read(folder: Path) -> TranslationRecord | None:
    """The folder's record, None where there is none. Raises TranslationFileError for one that cannot be used."""
    path = folder / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TranslationFileError(f"{path}: cannot be read ({error.strerror or error}); check the file.") from None
    try:
        record = msgspec.json.decode(data, type=TranslationRecord)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TranslationFileError(f"{path}: is damaged ({error}); delete the folder and translate again.") from None
    if record.schema != SCHEMA:
        raise TranslationFileError(f"{path}: schema {record.schema}, this version reads {SCHEMA}; use the newer bench.")
    return record
