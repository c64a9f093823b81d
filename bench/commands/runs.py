"""From words of a command line to runs: run files, run folders, folders of runs, published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bench.errors import UsageError
from bench.workloads.flops import stargan_flop_per_image
from reports import published, store
from reports.collection import collect, find_run_files
from reports.logs import each_once
from reports.records import Run

RUN_FILE = "run.jsonl"
#: How the name of published figures begins where a run is asked for.
PUBLISHED = "published:"
#: Above so many bytes of run files their raw times are left out: no plot could show them all.
_MOST_BYTES = 100_000_000
_WITHOUT_SAMPLES = (
    "The run files hold so many samples that no plot here shows them one by one; the statistics of all are used."
)


@dataclass(frozen=True, slots=True)
class Found:
    """The runs, the names of their files, and what a reader should know about these."""

    runs: list[Run]
    sources: tuple[str, ...]
    notes: tuple[str, ...]


def read_run(path: Path) -> Run:
    """Read a run folder or file. Raises UsageError."""
    try:
        return store.read(path)
    except store.RunFileError as error:
        raise UsageError(str(error)) from None


def read_runs(given: Sequence[str]) -> Found:
    """The runs that words stand for, each once, in the order given. Raises UsageError."""
    paths = [Path(word) for word in given if not word.startswith(PUBLISHED)]
    runs: dict[str, Run] = {}
    notes: dict[str, None] = {}
    sources: dict[str, None] = {}
    try:
        with_samples = _size(paths) <= _MOST_BYTES
        for word in given:
            if word.startswith(PUBLISHED):
                several = _published(word.removeprefix(PUBLISHED))
            else:
                collection = collect([Path(word)], with_samples=with_samples)
                several = collection.runs
                notes |= dict.fromkeys(collection.warnings)
                sources.setdefault(_source(Path(word)))
            for run in several:
                known = runs.setdefault(run.run.id, run)
                if known is not run:
                    notes[f"run {run.run.id} was given more than once; it is taken once."] = None
                    # A copy that was made while the run was going on holds less of it.
                    runs[run.run.id] = max(known, run, key=lambda copy: len(copy.cells))
    except store.RunFileError as error:
        raise UsageError(str(error)) from None
    if not with_samples:
        notes[_WITHOUT_SAMPLES] = None
    once, repeated = each_once(list(runs.values()))
    return Found(once, tuple(sources), tuple(notes | dict.fromkeys(repeated)))


def _source(path: Path) -> str:
    """The run file that a path stands for; of a folder of runs the folder."""
    file = store.run_file(path)
    return str(file) if file.is_file() else f"{path}/"


def _size(paths: Sequence[Path]) -> int:
    """Bytes of all run files that the paths stand for; what cannot be read counts nothing here and is told later."""
    total = 0
    for path in paths:
        if path.is_dir() and not (path / RUN_FILE).exists():
            total += sum(file.stat().st_size for file in find_run_files(path))
        elif store.run_file(path).is_file():
            total += store.run_file(path).stat().st_size
    return total


def _published(name: str) -> list[Run]:
    if name not in published.names():
        raise UsageError(f"{PUBLISHED}{name}: there are published figures of {', '.join(published.names())} only.")
    run = published.load(name)
    if run.run.workload.name == "stargan":  # the network that this one's FLOP are counted of
        run = replace(
            run, run=replace(run.run, workload=replace(run.run.workload, flop_per_image=stargan_flop_per_image()))
        )
    return [run]
