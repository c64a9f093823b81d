"""Run files: append a line, flush and sync it; read them back strictly, tolerating only a torn last line.

A file that `merge` made holds several runs one after another, each with a header of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from reports.records import SCHEMA_VERSION, CellRecord, Record, ResumeRecord, Run, RunRecord

#: Raw times in a line; a list of numbers cannot hold a quote or a bracket, and inside a string quotes are escaped.
_RAW_TIMES = re.compile(rb'"(samples_ns|warmup_ns|starts_ns|ends_ns)":\[[0-9, ]*\]')

_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(RunRecord | ResumeRecord | CellRecord)


class RunFileError(ValueError):
    """A run file cannot be read or written; one line with the file, the line and what to do."""


class RunWriter:
    """Appends records to a run file; each is on the disk when `append` returns.

    The file is locked while a writer has it open, so two runs never write one file. Raises RunFileError when that is
    the case, when a new file exists already or cannot be created, or when the disk is full: then the file keeps
    exactly the whole lines that were written before, and is not left behind without its header.
    """

    def __init__(self, path: Path, header: RunRecord) -> None:
        self.path = path
        try:
            self._file = path.open("xb", buffering=0)
        except FileExistsError:
            raise RunFileError(f"{path} exists already; name another folder with --out.") from None
        except OSError as error:
            raise RunFileError(f"cannot write {path}: {error.strerror}; name a writable folder with --out.") from error
        self._end = 0
        self._lock()
        try:
            self.append(header)
            _sync_folder(path.parent)
        except BaseException:
            self.close()
            path.unlink()
            raise

    @classmethod
    def resume(cls, path: Path) -> tuple[RunWriter, Run]:
        """Open an existing run file to go on with it, and what it holds.

        Nothing is changed before the first `append`, which takes the place of a torn last line.
        Raises RunFileError for a file that cannot be read or written, is damaged, or is being written by another run.
        """
        path = run_file(path)
        writer = cls.__new__(cls)
        writer.path = path
        try:
            writer._file = path.open("r+b", buffering=0)
        except OSError as error:
            raise RunFileError(f"cannot resume {path}: {error.strerror}; name a run folder or its run.jsonl.") from None
        try:
            writer._lock()
            run = read(path)
            writer._end = path.read_bytes().rfind(b"\n") + 1
        except BaseException:
            writer.close()
            raise
        return writer, run

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise RunFileError(f"{self.path} is being written by another run; wait until that one has ended.") from None

    def append(self, record: Record) -> None:
        """Write one line. Raises RunFileError; a line that did not fit is taken back.

        A record that could not be read again (JSON has no NaN) is a bug: ValueError, and nothing is written.
        """
        line = msgspec.json.encode(record) + b"\n"
        try:
            _DECODER.decode(line)
        except msgspec.DecodeError as error:
            raise ValueError(f"a {type(record).__name__} that could not be read again: {error}") from error
        start = self._end
        try:
            self._file.truncate(start)
            self._file.seek(start)
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
        self._end = start + len(line)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def run_file(path: Path) -> Path:
    """The run.jsonl of a run folder, or the file itself."""
    return path / "run.jsonl" if path.is_dir() else path


def _sync_folder(folder: Path) -> None:
    """Have the file's name survive a power loss, too; file systems that cannot sync a folder are left alone."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(path: Path) -> Run:
    """Read a run file, or the run.jsonl of a run folder, that holds one run.

    A last line without its newline (a crash while writing) is dropped with a warning. Anything else that is
    wrong raises RunFileError naming the line.
    """
    runs = read_all(path)
    if len(runs) > 1:
        raise RunFileError(
            f"{run_file(path)} holds {len(runs)} merged runs, and one is wanted here; name that one's file."
        )
    return runs[0]


def read_all(path: Path, with_samples: bool = True) -> list[Run]:
    """Read a run file that may hold several runs, at least one; faults as for `read`.

    `with_samples=False` leaves the raw times out (their lists are empty, the statistics of them stay): a hundredth of
    the memory, for reports on many runs.
    """
    path = run_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunFileError(f"cannot read {path}: {error.strerror}; name a run folder or its run.jsonl.") from error
    warnings: list[str] = []
    *lines, tail = data.split(b"\n")
    if tail:
        warnings.append(f"{path.name}: the last line is cut off (the run was killed while writing) and was dropped.")
    if not lines:
        raise RunFileError(
            f"{path} holds no complete line: if its run died at once, delete the run's folder and start it anew;"
            " else name a run folder or its run.jsonl."
        )
    runs: list[Run] = []
    seen: dict[tuple[str, int], int] = {}
    for number, line in enumerate(lines, start=1):
        if number == 1 or line.startswith(_HEADER_START):
            _check_schema(path, number, line)
        record = _decode(path, number, line if with_samples else _RAW_TIMES.sub(rb'"\1":[]', line))
        if isinstance(record, RunRecord):
            runs.append(Run(run=record, cells=[], warnings=[], resumed=[]))
            seen = {}
        elif not runs:
            raise RunFileError(
                f"{path}, line 1: the first line must be the run, not a cell; the file was cut or edited."
            )
        elif isinstance(record, ResumeRecord):
            runs[-1].resumed.append(record)
        else:
            key = (record.id, record.invocation)
            if key in seen:
                which = record.id + (f", invocation {record.invocation}," if record.invocation else "")
                raise RunFileError(
                    f"{path}, line {number}: cell {which} is in line {seen[key]} already; keep one of them."
                )
            seen[key] = number
            runs[-1].cells.append(record)
    runs[-1].warnings.extend(warnings)
    return runs


#: How a header's line begins, as RunWriter writes it.
_HEADER_START = b'{"kind":"run"'


class _Header(msgspec.Struct):
    schema: str


def _check_schema(path: Path, number: int, line: bytes) -> None:
    """Refuse another major, or a newer minor, before the strict decoder stumbles over fields it does not know."""
    try:
        schema = msgspec.json.decode(line, type=_Header).schema
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(
            f"{path}, line {number}: no run file ({error}); name a run.jsonl that bench wrote."
        ) from None
    try:
        major, minor = (int(part) for part in schema.split("."))
    except ValueError:
        raise RunFileError(
            f"{path}, line {number}: schema {schema!r} is no version; the file was edited, restore it."
        ) from None
    ours_major, ours_minor = (int(part) for part in SCHEMA_VERSION.split("."))
    if major != ours_major or minor > ours_minor:
        which = "the newer bench that wrote it" if (major, minor) > (ours_major, ours_minor) else "the older bench"
        raise RunFileError(f"{path}: written in schema {schema}, this version reads {SCHEMA_VERSION}; use {which}.")


def _decode(path: Path, number: int, line: bytes) -> Record:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(f"{path}, line {number}: {error}; the file was edited or damaged, restore it.") from None
