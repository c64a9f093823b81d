"""Several runs at once: the run files that a path stands for, and what they hold, each run once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reports import store
from reports.records import Run

#: How the first line of a run file begins; folders hold other files of JSON lines, too.
_FIRST = b'{"kind":"run"'


@dataclass(slots=True)
class Collection:
    """Runs in the order of their start, and what a reader should know about the files."""

    runs: list[Run] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def find_run_files(folder: Path) -> list[Path]:
    """All run files below a folder, by name. Hidden files and folders, and links to folders, are passed over.

    Raises RunFileError.
    """

    def refuse(error: OSError) -> None:
        raise store.RunFileError(f"cannot read {error.filename}: {error.strerror}; name a folder that you may read.")

    found = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent) / name for name in names if name.endswith(".jsonl") and not name.startswith(".")]
    return sorted(path for path in found if _is_run_file(path))


def _is_run_file(path: Path) -> bool:
    """Whether it begins as a run file does; what cannot be opened is left to the reader, who says why."""
    try:
        with path.open("rb") as file:
            return file.read(len(_FIRST)) == _FIRST
    except OSError:
        return True


def collect(paths: Iterable[Path], every_file: bool = False, with_samples: bool = False) -> Collection:
    """The runs of run files, run folders, and folders of runs; the same run given twice is taken once.

    A folder with a run.jsonl stands for that file, unless `every_file` asks for all that lie below, too. Faults of a
    file that was named raise RunFileError; of files that were found in a folder, the bad ones are left out with a
    warning. Raw times are left out unless `with_samples`.
    """
    collection = Collection()
    seen: dict[str, int] = {}
    for path in paths:
        if path.is_dir() and (every_file or not (path / "run.jsonl").exists()):
            files = find_run_files(path)
            if not files:
                raise store.RunFileError(
                    f"{path} holds no run file; name a run folder, its run.jsonl, or a folder of runs."
                )
            for file in files:
                try:
                    _add(collection, seen, store.read_all(file, with_samples))
                except store.RunFileError as error:
                    collection.warnings.append(f"left out: {error}")
        else:
            _add(collection, seen, store.read_all(path, with_samples))
    if not collection.runs:
        raise store.RunFileError(next(iter(collection.warnings), "no run was named").removeprefix("left out: "))
    collection.runs.sort(key=lambda run: run.run.started)
    return collection


def _add(collection: Collection, seen: dict[str, int], runs: Sequence[Run]) -> None:
    for run in runs:
        collection.warnings += run.warnings
        at = seen.setdefault(run.run.id, len(collection.runs))
        if at == len(collection.runs):
            collection.runs.append(run)
            continue
        collection.warnings.append(f"run {run.run.id} was given more than once; it is taken once.")
        # A copy that was made while the run was going on holds less of it.
        if len(run.cells) > len(collection.runs[at].cells):
            collection.runs[at] = run
