"""Runs of several files in one: whole lines as they are, so that nothing is lost or computed anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reports import store
from reports.collection import find_run_files
from reports.files import atomic_path
from reports.store import RunFileError


@dataclass(frozen=True, slots=True)
class _Section:
    """The whole lines of one run in a file: bytes `start` to `end`."""

    path: Path
    start: int
    end: int
    cells: int

    def read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                return file.read(self.end - self.start)
        except OSError as error:
            raise RunFileError(f"cannot read {self.path}: {error.strerror}; name a file that you may read.") from None


@dataclass(slots=True)
class Merged:
    """What went into a merged file, and what a reader should know about it."""

    runs: int = 0
    cells: int = 0
    notes: list[str] = field(default_factory=list)


def merge(paths: Iterable[Path], target: Path) -> Merged:
    """Write the runs of run files, run folders, and folders of runs into a new file, whole or not at all.

    Lines are kept byte for byte; torn last lines are left out with a note. Of a run that is given more than once, one
    copy is kept: the longest, of which the others are the beginning.
    Raises RunFileError where a file cannot be read or the target exists, and where two copies of a run contradict
    each other; OSError where the target cannot be written.
    """
    if target.exists():
        raise RunFileError(f"{target} exists already; name another file with -o.")
    merged = Merged()
    sections: dict[str, _Section] = {}
    for path in _files(paths):
        for name, section in _sections(path, merged):
            known = sections.get(name)
            sections[name] = section if known is None else _longer(name, known, section, merged)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        for section in sections.values():
            file.write(section.read())
            merged.runs += 1
            merged.cells += section.cells
    return merged


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir() and not (path / "run.jsonl").exists():
            found = find_run_files(path)
            if not found:
                raise RunFileError(f"{path} holds no run file; name a run folder, its run.jsonl, or a folder of runs.")
            yield from found
        else:
            yield store.run_file(path)


class _Line(msgspec.Struct):
    kind: str
    id: str = ""


def _sections(path: Path, merged: Merged) -> Iterator[tuple[str, _Section]]:
    """The runs of a file, which is checked as every reader does it."""
    for run in store.read_all(path, with_samples=False):
        merged.notes += run.warnings
    data = path.read_bytes()
    start = end = cells = 0
    name = ""
    for line in data.split(b"\n")[:-1]:
        told = msgspec.json.decode(line, type=_Line)
        if told.kind == "run":
            if name:
                yield name, _Section(path, start, end, cells)
            start, cells, name = end, 0, told.id
        cells += told.kind == "cell"
        end += len(line) + 1
    yield name, _Section(path, start, end, cells)


def _longer(name: str, known: _Section, other: _Section, merged: Merged) -> _Section:
    """The copy of a run that holds the other. Raises RunFileError where neither does."""
    mine, theirs = known.read(), other.read()
    if not (mine.startswith(theirs) or theirs.startswith(mine)):
        raise RunFileError(
            f"run {name} is in {known.path} and, with other lines, in {other.path}; leave one of them out."
        )
    merged.notes.append(f"run {name} is in {known.path} and in {other.path}; it is kept once.")
    return other if len(theirs) > len(mine) else known
