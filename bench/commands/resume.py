"""`bench --resume RUN`: go on with a run that was killed or interrupted, as if it had not been."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.commands.measure import Plan, choose, finish, measure, planned
from bench.commands.options import RunOptions
from bench.environment import describe_conditions, describe_host, git_state, package_versions
from bench.errors import ExitCode, UsageError
from bench.progress import RunDisplay
from reports.records import ResumeRecord, Run
from reports.store import RunFileError, RunWriter

#: Options that change neither what is measured nor how, so a resumed run may have its own.
_FREE = ("resume", "lock_timeout", "include_flagged", "baseline", "cache", "phase_limit", "command", "out")
#: `python -m bench` at the start of a stored command.
_PROGRAM_WORDS = 3


def resume(given: argparse.Namespace, parse: Callable[[Sequence[str]], argparse.Namespace]) -> int:
    """Measure the cells that the run lacks. Raises UsageError, with nothing changed, when it cannot be the same run."""
    path: Path = given.resume
    if given.out is not None:
        raise UsageError("--resume goes on in the run's own folder; leave --out out.")
    try:
        writer, run = RunWriter.resume(path)
    except RunFileError as error:
        raise UsageError(str(error)) from None
    with writer:
        options = RunOptions.from_namespace(_original(given, run, parse))
        _check_environment(path, run)
        selection = choose(options)
        if not selection.variants:
            return ExitCode.USAGE
        with RunDisplay() as display, planned(options, selection, display) as plan:
            _check_plan(path, run, plan)
            done = {cell.id for cell in run.cells}
            if len(done) < len(plan.cells):
                now = datetime.now(UTC).isoformat(timespec="seconds")
                writer.append(ResumeRecord(at=now, conditions=describe_conditions()))
            interrupted = measure(plan, writer, options, display, done)
    return finish(writer.path.parent, options, interrupted)


def _original(
    given: argparse.Namespace, run: Run, parse: Callable[[Sequence[str]], argparse.Namespace]
) -> argparse.Namespace:
    """The original's options, with the free ones of this command. Raises UsageError where the others differ."""
    original = parse(run.run.command[_PROGRAM_WORDS:])
    untouched = parse(["--resume", str(given.resume)])
    for name, value in vars(given).items():
        if value == getattr(untouched, name):
            continue
        if name in _FREE:
            setattr(original, name, value)
        elif value != getattr(original, name):
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} is not what the run in {given.resume} was started with ({_shown(getattr(original, name))});"
                " leave it out to go on with that run, or start a new one without --resume."
            )
    return original


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _check_environment(path: Path, run: Run) -> None:
    """A run is of one machine and one set of packages; its header would lie about cells of others."""
    before, host, git = run.run, describe_host(), git_state()
    packages = package_versions()
    changed = [
        f"{name} was {before.packages.get(name, 'absent')} and is {packages.get(name, 'absent')}"
        for name in sorted({*before.packages, *packages})
        if before.packages.get(name) != packages.get(name)
    ]
    for what, was, now in (
        ("host", before.host.name, host.name),
        ("CPU", before.host.cpu, host.cpu),
        ("number of usable CPUs", before.host.logical_cpus, host.logical_cpus),
        ("Python", before.host.python, host.python),
        ("commit of bench", before.git and before.git.commit, git and git.commit),
    ):
        if was != now:
            changed.append(f"the {what} was {was} and is {now}")
    if changed:
        raise UsageError(f"{path} cannot be resumed here: {'; '.join(changed)}. Start a new run.")


def _check_plan(path: Path, run: Run, plan: Plan) -> None:
    """The plan must be the one that the run began with: same model, same inputs, same cells."""
    info = plan.materials.info
    for what, was, now in (
        ("model", run.run.workload.model_sha256, info.model_sha256),
        ("inputs", run.run.workload.inputs_sha256, info.inputs_sha256),
    ):
        if was != now:
            raise UsageError(f"{path} cannot be resumed: its {what} changed since it began; start a new run.")
    unknown = {cell.id for cell in run.cells} - {cell.id for cell in plan.cells}
    if unknown or len(plan.cells) != run.run.cells_planned:
        raise UsageError(
            f"{path} cannot be resumed: it planned {run.run.cells_planned} cells, the same command now gives"
            f" {len(plan.cells)}{' others' if unknown else ''}; backends or devices changed. Start a new run."
        )
