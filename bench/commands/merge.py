"""`bench merge`: several run files into one, such as those of a 310 and of a T4, for one report."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from bench.errors import ExitCode, UsageError
from reports import merging
from reports.store import RunFileError


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """Run files, run folders or folders of runs, and the file to write."""

    runs: tuple[Path, ...]
    out: Path

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> MergeOptions:
        return cls(runs=tuple(given.runs), out=given.out)


def merge(options: MergeOptions) -> int:
    """Write the merged file. Raises UsageError."""
    try:
        merged = merging.merge(options.runs, options.out)
    except RunFileError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(
            f"cannot write {options.out}: {error.strerror or error}; name another file with -o."
        ) from error
    for note in dict.fromkeys(merged.notes):
        print(f"note: {note}")
    runs = "1 run" if merged.runs == 1 else f"{merged.runs} runs"
    print(f"merged: {options.out}: {runs}, {merged.cells} cells")
    return ExitCode.DONE
