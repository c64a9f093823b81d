"""From a command line to the command that it names; the parser is in `bench.parser`."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from bench.arguments import Parser
from bench.errors import ExitCode, UsageError
from bench.parser import COMMANDS, add_run, build_parser

#: 128 + SIGPIPE
_CLOSED_PIPE = 141


def _with_default_command(arguments: Sequence[str]) -> list[str]:
    """`python -m bench --bs 1` means `python -m bench run --bs 1`."""
    if arguments and (arguments[0] in COMMANDS or arguments[0] in ("-h", "--help")):
        return list(arguments)
    if arguments and not arguments[0].startswith("-"):
        return list(arguments)  # an unknown command: argparse names the known ones
    return ["run", *arguments]


def parse(given: Sequence[str]) -> argparse.Namespace:
    """The options in a command line; exits with status 2 and one line for a mistake."""
    return build_parser().parse_args(_with_default_command(given))


def typed(given: Sequence[str]) -> set[str]:
    """Names of the options of `run` that stand in a command line which `parse` accepts, default values or not."""
    parser = Parser()
    add_run(parser)
    for action in parser._actions:
        action.default = argparse.SUPPRESS
    return set(vars(parser.parse_args(_with_default_command(given)[1:])))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 141, as a shell's own for SIGPIPE, when nobody reads the output any more.

    Then the answer did not arrive, so it is neither 0 nor 1, which means wrong outputs.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a ± that the terminal lacks must not cost hours of measuring
    try:
        status = _answer(given)
        print(end="", flush=True)
        return status
    except SystemExit as ended:
        # rich ends the process with 1 for a closed pipe
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
    except BrokenPipeError:
        pass
    except OSError as error:
        _discard(sys.stdout)
        print(f"bench: cannot write to standard output: {error.strerror or error}; redirect it.", file=sys.stderr)
        return ExitCode.USAGE
    _discard(sys.stdout)
    _discard(sys.stderr)
    return _CLOSED_PIPE


def _discard(stream: TextIO) -> None:
    """Let what is still buffered go nowhere, or Python would fail on it once more when it exits."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _answer(given: list[str]) -> int:
    options = parse(given)
    try:
        return _dispatch(options, given)
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        print(end="", flush=True)  # raises again when standard output is what failed
        # The last resort; places that can say more about a file do so themselves.
        where = f" ({error.filename})" if error.filename else ""
        print(f"bench: {error.strerror or error}{where}; check the place and its free space.", file=sys.stderr)
        return ExitCode.USAGE


def _dispatch(options: argparse.Namespace, given: list[str]) -> int:
    # Each command's imports happen only when it is called, so that --help stays quick.
    if options.command == "backends":
        from bench.commands.backends import list_backends

        return list_backends(verbose=options.verbose)
    if options.command == "report":
        from bench.commands.report import ReportOptions, report

        return report(ReportOptions.from_namespace(options))
    if options.command == "import":
        from bench.commands.import_logs import ImportOptions, import_logs

        return import_logs(ImportOptions.from_namespace(options), ["python", "-m", "bench", *given])
    if options.command == "compare":
        from bench.commands.compare import CompareOptions, compare

        return compare(CompareOptions.from_namespace(options))
    if options.command == "merge":
        from bench.commands.merge import MergeOptions, merge

        return merge(MergeOptions.from_namespace(options))
    if options.command == "history":
        from bench.commands.history import HistoryOptions, show_history

        return show_history(HistoryOptions.from_namespace(options))
    if options.command == "check" and (options.baseline or options.run):
        from bench.commands.stored_check import StoredOptions, stored_check

        return stored_check(StoredOptions.from_namespace(options))
    if options.command == "check":
        from bench.commands.check import check
        from bench.commands.check_options import CheckOptions

        return check(CheckOptions.from_namespace(options), ["python", "-m", "bench", *given])
    if options.command == "prepare":
        from bench.commands.prepare import PrepareOptions, prepare

        return prepare(PrepareOptions.from_namespace(options))
    if options.command == "translate":
        from bench.commands.translate import TranslateOptions, translate

        return translate(TranslateOptions.from_namespace(options))
    if options.command == "images":
        from bench.commands.images import ImagesOptions, images

        return images(ImagesOptions.from_namespace(options))
    if options.command == "accuracy":
        from bench.commands.accuracy_sides import SidesOptions, accuracy

        return accuracy(SidesOptions.from_namespace(options, ["python", "-m", "bench", *given]))
    if options.command == "convert":
        from bench.commands.convert import ConvertOptions, convert
        from bench.process import take_charge

        take_charge()
        return convert(ConvertOptions.from_namespace(options))
    if options.command == "selftest":
        from bench.commands.selftest import run_selftest

        return run_selftest(options.pairs, options.lock_timeout)
    if options.resume:
        from bench.commands.resume import resume

        return resume(options, typed(given), parse)
    from bench.commands.options import RunOptions
    from bench.commands.run import run

    return run(RunOptions.from_namespace(options), ["python", "-m", "bench", *given])
