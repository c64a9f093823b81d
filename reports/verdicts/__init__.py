"""A check's verdicts for machines: JUnit XML, GitHub's annotations and summary, JSON for benchmark services."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from reports.files import atomic_path
from reports.regression import Check
from reports.verdicts import exports, github
from reports.verdicts.junit import render as render_junit
from reports.verdicts.words import figures, headline, outcome, rule

__all__ = ["VerdictFileError", "figures", "headline", "outcome", "rule", "write_all"]

#: GitHub's runner names the file of the job's summary in it.
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


class VerdictFileError(ValueError):
    """A file that was asked for cannot be written; one line."""


def write_all(
    check: Check,
    junit: Path | None,
    github_benchmark: Path | None,
    bencher: Path | None,
    annotate: bool,
    environment: Mapping[str, str],
) -> None:
    """Write what was asked for, each file whole or not at all; annotations go to standard output.

    `environment` is the process's: where it names a job's summary, the check is appended to that. All files are
    tried; raises VerdictFileError for the first that could not be written.
    """
    faults = []
    wanted: list[tuple[Path | None, str, Callable[[Check], bytes]]] = [
        (junit, "--junit", render_junit),
        (github_benchmark, "--github-benchmark", exports.github_benchmark),
        (bencher, "--bencher", exports.bencher),
    ]
    for path, option, render in wanted:
        if path is None:
            continue
        try:
            with atomic_path(path) as temporary:
                temporary.write_bytes(render(check))
        except OSError as error:
            faults.append(f"cannot write {path}: {error.strerror or error}; name another file with {option}.")
    if summary := environment.get(SUMMARY_VARIABLE):
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(github.summary(check))
        except OSError as error:
            faults.append(
                f"cannot write the job's summary {summary}: {error.strerror or error}; unset {SUMMARY_VARIABLE}."
            )
    if annotate:
        sys.stdout.write("".join(f"{line}\n" for line in github.annotation_lines(check)))
    if faults:
        raise VerdictFileError(faults[0])
