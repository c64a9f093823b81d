"""`bench compare A B`: two runs, or sets of runs, cell by cell, with intervals."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bench.errors import ExitCode, UsageError
from reports import collection, stored
from reports.files import atomic_path
from reports.markdown import MARK
from reports.store import RunFileError
from reports.stored import text


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """The two sides, the base first; `out` is a markdown file to write, too."""

    base: Path
    new: Path
    out: Path | None
    include_flagged: bool

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> CompareOptions:
        return cls(base=given.base, new=given.new, out=given.out, include_flagged=given.include_flagged)


def compare(options: CompareOptions) -> int:
    """Show the comparison; 0 whatever it says, since it answers a question for figures. Raises UsageError."""
    if options.out:
        refuse_foreign(options.out, MARK)
    try:
        base, new = collection.collect([options.base]), collection.collect([options.new])
        comparison = stored.compare(base.runs, new.runs, str(options.base), str(options.new), options.include_flagged)
    except RunFileError as error:
        raise UsageError(str(error)) from None
    except stored.NothingComparableError as error:
        raise UsageError(f"{options.new} against {options.base}: {error}.") from None
    comparison.warnings.extend([*base.warnings, *new.warnings])
    console = Console(highlight=False)
    console.print(text.table(comparison, console.width))
    for line in text.lines(comparison):
        console.print(escape(line), soft_wrap=True)
    if options.out:
        write_page(options.out, text.markdown(comparison))
        print(f"comparison: {options.out}")
    return ExitCode.DONE


def refuse_foreign(path: Path, mark: str) -> None:
    """Raises UsageError for a file that is there already and was not written by us: it does not begin with `mark`."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            if file.readline(1000).rstrip() == mark:
                return
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name another file with -o.") from None
    raise UsageError(f"{path} was not written by bench and is not overwritten; name another file with -o.")


def write_page(path: Path, page: str) -> None:
    """Write a text file whole or not at all. Raises UsageError."""
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; name another file with -o.") from None
