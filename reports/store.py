"""Run files: append a line, flush and sync it; read them back strictly, tolerating only a torn last line."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from reports.records import SCHEMA_VERSION, CellRecord, Record, Run, RunRecord

_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(RunRecord | CellRecord)


class RunFileError(ValueError):
    """A run file cannot be read or written; one line with the file, the line and what to do."""


class RunWriter:
    """Appends records to a new run file; each is on the disk when `append` returns.

    Raises RunFileError when the file exists already, cannot be created, or the disk is full: then the file
    keeps exactly the whole lines that were written before, and is not left behind without its header.
    """

    def __init__(self, path: Path, header: RunRecord) -> None:
        self.path = path
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise RunFileError(f"{path} exists already; name another folder with --out.") from None
        except OSError as error:
            raise RunFileError(f"cannot write {path}: {error.strerror}; name a writable folder with --out.") from error
        try:
            self.append(header)
        except RunFileError:
            self.close()
            path.unlink()
            raise

    def append(self, record: Record) -> None:
        """Write one line. Raises RunFileError; a line that did not fit is taken back."""
        line = msgspec.json.encode(record) + b"\n"
        start = self._file.tell()
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(start)
            self._file.seek(start)
            raise RunFileError(
                f"cannot write {self.path}: {error.strerror}; free some space or name another disk with --out"
                " (what was measured before is kept)."
            ) from error

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(path: Path) -> Run:
    """Read a run file, or the run.jsonl of a run folder.

    A last line without its newline (a crash while writing) is dropped with a warning. Anything else that is
    wrong raises RunFileError naming the line.
    """
    if path.is_dir():
        path = path / "run.jsonl"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunFileError(f"cannot read {path}: {error.strerror}; name a run folder or its run.jsonl.") from error
    warnings: list[str] = []
    *lines, tail = data.split(b"\n")
    if tail:
        warnings.append(f"{path.name}: the last line is cut off (the run was killed while writing) and was dropped.")
    if not lines:
        raise RunFileError(f"{path} holds no complete line; it is no run file, or the run died at once.")
    _check_schema(path, lines[0])
    records = [_decode(path, number, line) for number, line in enumerate(lines, start=1)]
    header, cells = records[0], records[1:]
    if not isinstance(header, RunRecord):
        raise RunFileError(f"{path}, line 1: the first line must be the run, not a cell; the file was cut or edited.")
    seen: dict[str, int] = {}
    kept: list[CellRecord] = []
    for number, cell in enumerate(cells, start=2):
        if not isinstance(cell, CellRecord):
            raise RunFileError(f"{path}, line {number}: a second run begins here; keep one run a file.")
        if cell.id in seen:
            raise RunFileError(f"{path}, line {number}: cell {cell.id} is in line {seen[cell.id]} already; keep one.")
        seen[cell.id] = number
        kept.append(cell)
    return Run(run=header, cells=kept, warnings=warnings)


class _Header(msgspec.Struct):
    schema: str


def _check_schema(path: Path, line: bytes) -> None:
    """Refuse another major version before the strict decoder stumbles over fields it does not know."""
    try:
        schema = msgspec.json.decode(line, type=_Header).schema
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(f"{path}, line 1: no run file ({error}); name a run.jsonl that bench wrote.") from None
    major = schema.partition(".")[0]
    if major != SCHEMA_VERSION.partition(".")[0]:
        raise RunFileError(
            f"{path}: written in schema {schema}, this version reads {SCHEMA_VERSION}; use the bench that wrote it."
        )


def _decode(path: Path, number: int, line: bytes) -> Record:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(f"{path}, line {number}: {error}; the file was edited or damaged, restore it.") from None
