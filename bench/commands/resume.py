"""`bench --resume RUN`: go on with a run that was killed or interrupted, as if it had not been."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backends.base import Precision
from bench.commands.measure import Plan, choose, finish, measure, planned
from bench.commands.options import RunOptions
from bench.environment import describe_conditions, describe_host, git_state, package_versions
from bench.errors import ExitCode, UsageError
from bench.plan import key_of
from bench.progress import RunDisplay
from datasets import DEFAULT_ATTRIBUTES
from reports.records import ResumeRecord, Run
from reports.store import RunFileError, RunWriter

#: Options that change neither what is measured nor how, so a resumed run may have its own.
_FREE = ("lock_timeout", "include_flagged", "baseline", "cache", "phase_limit", "no_plots")
#: What the others mean once defaults are filled in: two values that give the same here measure the same.
_MEANING: Mapping[str, Callable[[RunOptions], object]] = {
    "backend": lambda options: {(wanted.name, *sorted(wanted.options.items())) for wanted in options.backends},
    "bs": lambda options: set(options.batches),
    "workload": lambda options: options.workload.name,
    "weights": lambda options: _resolved(options.workload.weights),
    "data": lambda options: _resolved(options.workload.data),
    "attributes": lambda options: options.workload.attributes or list(DEFAULT_ATTRIBUTES),
    "model": lambda options: (_resolved(options.workload.model), _resolved(options.workload.compiled)),
    "compiled": lambda options: _resolved(options.workload.compiled),
    "shape": lambda options: options.workload.shapes,
    # A backend whose default is another one is seen when the plans are compared.
    "precision": lambda options: set(options.precisions or [Precision.FP32]),
    "device": lambda options: options.device,
    "scope": lambda options: set(options.scopes),
    "max_time": lambda options: options.limits,
    "quick": lambda options: options.limits,
    "chips": lambda options: options.chips,
    "streams": lambda options: options.streams,
    "invocations": lambda options: options.invocations,
}
#: How a command begins in a run file.
_PROGRAM = ["python", "-m", "bench"]

Parser = Callable[[Sequence[str]], argparse.Namespace]


def resume(given: argparse.Namespace, typed: Collection[str], parse: Parser) -> int:
    """Measure the cells that the run lacks. Raises UsageError, with nothing changed, when it cannot be the same run.

    `typed` names the options that the user gave; the others in `given` are defaults and say nothing.
    """
    path: Path = given.resume
    if given.out is not None:
        raise UsageError("--resume goes on in the run's own folder; leave --out out.")
    try:
        writer, run = RunWriter.resume(path)
    except RunFileError as error:
        raise UsageError(str(error)) from None
    with writer:
        options = options_of(run, given, typed, parse)
        _check_environment(path, run)
        selection = choose(options)
        if not selection.variants:
            return ExitCode.USAGE
        with RunDisplay() as display, planned(options, selection, display) as plan:
            _check_plan(path, run, plan)
            done = {key_of(cell) for cell in run.cells}
            if len(done) < len(plan.cells):
                now = datetime.now(UTC).isoformat(timespec="seconds")
                writer.append(ResumeRecord(at=now, conditions=describe_conditions()))
            interrupted = measure(plan, writer, options, display, done)
    return finish(writer.path.parent, options, interrupted)


def options_of(run: Run, given: argparse.Namespace, typed: Collection[str], parse: Parser) -> RunOptions:
    """The original's options, with the free ones of this command. Raises UsageError where the others differ."""
    words = _original(run, given.resume, parse)
    original = RunOptions.from_namespace(words)
    for name in typed:
        if name in _MEANING and not _same(name, original, words, getattr(given, name)):
            raise UsageError(
                f"--{name.replace('_', '-')} is not what the run in {given.resume} was started with"
                f" ({_shown(name, original, words)}); leave it out to go on with that run, or start a new one without"
                " --resume."
            )
    free = {name: getattr(given, name) for name in typed if name in _FREE}
    return RunOptions.from_namespace(_changed(words, free))


def _original(run: Run, path: Path, parse: Parser) -> argparse.Namespace:
    """The stored command, its paths as seen from the folder in which it was given. Raises UsageError."""
    command = run.run.command
    words = None
    if command[: len(_PROGRAM)] == _PROGRAM:
        # What the parser says is for who types, and nobody typed this now.
        quiet = io.StringIO()
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            words = parse(command[len(_PROGRAM) :])
    if words is None or words.command != "run":
        shown = " ".join(command)
        raise UsageError(
            f"{path} cannot be resumed: its command is no run that this bench knows"
            f" ({''.join(c for c in shown if c.isprintable())[:200]}); start a new run."
        )
    start = Path(run.run.folder)
    for name in ("weights", "data", "model", "compiled"):
        if getattr(words, name):
            setattr(words, name, str(start / getattr(words, name)))
    if words.cache and not str(words.cache).startswith("~"):
        words.cache = start / words.cache
    return words


def _same(name: str, original: RunOptions, words: argparse.Namespace, value: object) -> bool:
    """Whether the original with this value for one option would be the same run."""
    try:
        changed = RunOptions.from_namespace(_changed(words, {name: value}))
    except UsageError:
        if name in ("backend", "device"):
            raise  # no such thing, in the original or anywhere
        return False  # it contradicts what the original has
    return _MEANING[name](changed) == _MEANING[name](original)


def _changed(words: argparse.Namespace, changes: Mapping[str, object]) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(words), **changes})


def _resolved(path: str | None) -> Path | None:
    return None if path is None else Path(path).resolve()


def _shown(name: str, original: RunOptions, words: argparse.Namespace) -> str:
    """The original's value of an option, in the words in which a user would give it."""
    match name:
        case "bs":
            value: object = original.batches
        case "precision":
            value = [precision.value for precision in original.precisions] or "each backend's default"
        case "scope":
            value = [scope.value for scope in original.scopes]
        case "workload":
            value = original.workload.name
        case "attributes":
            value = original.workload.attributes or list(DEFAULT_ATTRIBUTES)
        case "shape":
            value = [f"{key}:{'x'.join(map(str, dims))}" for key, dims in original.workload.shapes.items()]
        case "chips":
            value = "all" if original.chips == 0 else original.chips
        case "max_time" | "quick":
            value = "--quick" if words.quick else f"--max-time {original.limits.max_time_s:g}"
        case "backend":
            value = words.backend or "all that are usable"
        case "device":
            value = words.device or "each backend's first"
        case _:
            value = getattr(words, name)
    return (" ".join(map(str, value)) if isinstance(value, list) else str(value or "")) or "none"


def _check_environment(path: Path, run: Run) -> None:
    """A run is of one machine and one set of packages; its header would lie about cells of others."""
    before, host, git = run.run, describe_host(), git_state()
    if before.host is None:
        raise UsageError(f"{path} cannot be resumed: nothing in it was measured by bench; start a new run.")
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
        ("compiled files", run.run.workload.compiled_sha256, info.compiled_sha256),
    ):
        if was != now:
            raise UsageError(f"{path} cannot be resumed: its {what} changed since it began; start a new run.")
    unknown = {key_of(cell) for cell in run.cells} - {key_of(cell) for cell in plan.cells}
    if unknown or len(plan.cells) != run.run.cells_planned:
        raise UsageError(
            f"{path} cannot be resumed: it planned {run.run.cells_planned} cells, the same command now gives"
            f" {len(plan.cells)}{' others' if unknown else ''}; backends or devices changed. Start a new run."
        )
