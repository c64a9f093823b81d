"""`bench check RUN --baseline RUN`: a run against a stored baseline."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from bench.errors import ExitCode, UsageError
from reports import collection, stored, verdicts
from reports.fingerprint import Kind
from reports.regression import Check, Settings
from reports.store import RunFileError
from reports.verdicts import terminal


@dataclass(frozen=True, slots=True)
class StoredOptions:
    """The run, its baseline, the runs that tell how much sessions differ, and the files to write."""

    run: Path
    baseline: Path
    history: tuple[Path, ...]
    #: kinds of conditions that may differ between the run and its baseline
    allowed: frozenset[Kind]
    rule: Settings
    junit: Path | None
    github_benchmark: Path | None
    bencher: Path | None
    annotate: bool

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> StoredOptions:
        """Raises UsageError where the run to judge is missing."""
        if given.run is None or given.baseline is None:
            raise UsageError("a stored check takes two runs; write: check RUN --baseline RUN")
        if given.tolerated < given.margin:
            raise UsageError(f"--tolerated {given.tolerated} is less than --margin {given.margin}; give more.")
        return cls(
            run=given.run, baseline=given.baseline, history=tuple(given.history), allowed=frozenset(given.allow_change),
            rule=Settings(alpha=given.alpha, margin=given.margin, tolerated=given.tolerated),
            junit=given.junit, github_benchmark=given.github_benchmark, bencher=given.bencher, annotate=given.annotate,
        )  # fmt: skip


def stored_check(options: StoredOptions) -> int:
    """Judge the run, show the verdicts and write the files. Raises UsageError where nothing can be compared."""
    check, warnings = judge(options)
    console = Console(highlight=False)
    console.print(terminal.table(check))
    for line in [*warnings, *terminal.lines(check)]:
        console.print(escape(line), soft_wrap=True)
    try:
        verdicts.write_all(
            check, options.junit, options.github_benchmark, options.bencher, options.annotate, os.environ
        )
    except verdicts.VerdictFileError as error:
        raise UsageError(str(error)) from None
    return exit_code(check)


def judge(options: StoredOptions) -> tuple[Check, list[str]]:
    """The check, and what a reader should know about the files. Raises UsageError."""
    try:
        base, new = collection.collect([options.baseline]), collection.collect([options.run])
        past = collection.collect(options.history, every_file=True) if options.history else collection.Collection()
        check = stored.check_stored(base.runs, new.runs, past.runs, options.allowed, options.rule)
    except (RunFileError, stored.StartError) as error:
        raise UsageError(str(error)) from None
    except (stored.NothingComparableError, stored.BaselineError) as error:
        raise UsageError(f"{options.run} against {options.baseline}: {error}.") from None
    return check, [*base.warnings, *new.warnings, *past.warnings]


def exit_code(check: Check) -> ExitCode:
    """What the check says to its caller: an advisory verdict on times is no verdict, wrong outputs are wrong anyway."""
    if any(row.inaccurate for row in check.rows):
        return ExitCode.NO
    answer = check.answer
    if answer in ("nothing comparable", "incomplete"):
        return ExitCode.USAGE
    if check.advisory or answer == "inconclusive":
        return ExitCode.INCONCLUSIVE
    return ExitCode.NO if answer == "regressed" else ExitCode.DONE
