"""Commands and options of `python -m bench`; no logic.

argparse, not a richer library: it takes several values after one option, and `--help` must appear within 150 ms,
of which the import of the alternatives alone takes 120.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from bench.errors import ExitCode, UsageError
from bench.phases import PHASES

#: 128 + SIGPIPE
_CLOSED_PIPE = 141
COMMANDS = ("run", "backends", "report", "selftest")

_EXAMPLE = """\
example: python -m bench --backend pytorch onnxruntime openvino --bs 1 4 8 16
options of the default command: python -m bench run --help

"""
_EPILOG = """\
exit status: 0 done; 1 a cell's outputs are wrong; 2 usage, bad input, or nothing measured;
3 inconclusive; 130 interrupted (what was measured is kept); 141 standard output was closed.
"""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        print(f"bench: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(ExitCode.USAGE)


def _number(text: str) -> int:
    """A whole number in the digits 0 to 9; 0 for anything else, and for what is too big to be meant."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _whole(words: str, divisor: int = 1) -> Callable[[str], int]:
    """The type of an option that takes positive multiples of `divisor`; `words` say so, and what to write."""

    def convert(text: str) -> int:
        number = _number(text)
        if number == 0 or number % divisor:
            raise argparse.ArgumentTypeError(f"{text!r} is no {words}")
        return number

    return convert


_batch = _whole("batch size; write whole numbers from 1, such as 1 4 8 16")
_streams = _whole("number of streams; write 1, 2, 4 or the like")
_pairs = _whole("number of pairs; write an even number such as 12", divisor=2)
_some_chips = _whole("number of chips; write all, or a whole number from 1")


def _chips(text: str) -> int:
    """0 stands for all."""
    return 0 if text == "all" else _some_chips(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:  # NaN fails this too
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write seconds above 0, such as 20")
    return value


def _patience(text: str) -> float:
    return 0.0 if text == "0" else _seconds(text)


def _phase_limit(text: str) -> tuple[str, float]:
    name, equals, seconds = text.partition("=")
    phase = name.replace("-", " ")
    if not equals or phase not in PHASES:
        known = ", ".join(phase.replace(" ", "-") for phase in PHASES)
        raise argparse.ArgumentTypeError(f"{text!r} is no limit; write PHASE=SECONDS with a phase of {known}")
    return phase, _seconds(seconds)


def _shape(text: str) -> tuple[str, list[int]]:
    name, colon, dims = text.rpartition(":")
    shape = [_number(part) for part in dims.lower().split("x")]
    if not colon or not name or not all(shape):
        raise argparse.ArgumentTypeError(f"{text!r} is no shape; write NAME:1x3x224x224")
    return name, shape


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="python -m bench",
        description="Measure inference backends under one timing loop. The default command is run.",
        epilog=_EXAMPLE + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="measure and report (default)", epilog=_EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter))  # fmt: skip
    backends = commands.add_parser("backends", help="what is usable here, and what to do about the rest")
    backends.add_argument("-v", "--verbose", action="store_true", help="show versions, options and the environment")
    report = commands.add_parser("report", help="write the report of a finished run again")
    report.add_argument("run", type=Path, metavar="RUN", help="run folder, or its run.jsonl")
    report.add_argument("--baseline", metavar="BACKEND", help="backend that ratios are against")
    _add_include_flagged(report)
    selftest = commands.add_parser("selftest", help="what differences the timing of this machine can tell")
    selftest.add_argument("--pairs", type=_pairs, default=12, metavar="N", help="pairs of processes (default 12)")
    _add_lock_timeout(selftest)
    return parser


def _add_include_flagged(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--include-flagged", action="store_true", help="let cells enter ratios that a verdict went against"
    )


def _add_lock_timeout(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--lock-timeout", type=_patience, default=600.0, metavar="S",
        help="seconds to wait for a device that another run uses (default 600)",
    )  # fmt: skip


def _add_run(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to measure")
    what.add_argument(
        "--backend", nargs="+", action="extend", default=[], metavar="NAME[:KEY=VALUE,...]",
        help="pytorch, onnxruntime, openvino, tensorrt, acl, or a plug-in's; default: all usable here",
    )  # fmt: skip
    what.add_argument(
        "--bs", nargs="+", action="extend", type=_batch, metavar="N", help="batch sizes (default 1 4 8 16)"
    )
    what.add_argument("--workload", choices=("stargan", "onnx"), default=None, help="default: stargan")
    what.add_argument("--weights", metavar="FILE.pth", help="StarGAN's generator; default: weights from a fixed seed")
    what.add_argument("--data", metavar="ZIP|DIR", help="celeba.zip or its folder; default: the bundled sample")
    what.add_argument("--attributes", nargs="+", metavar="NAME", help="five CelebA attributes to translate to")
    what.add_argument("--model", metavar="FILE.onnx", help="any ONNX model, on random inputs")
    what.add_argument("--shape", nargs="+", action="extend", type=_shape, default=[], metavar="INPUT:1x3x224x224",
                      help="shapes of inputs whose dimensions the .onnx file leaves open")  # fmt: skip
    how = parser.add_argument_group("how to measure it")
    how.add_argument(
        "--precision",
        nargs="+",
        action="extend",
        choices=("fp32", "tf32", "fp16", "bf16", "int8"),
        help="default: fp32",
    )
    how.add_argument("--device", metavar="DEVICE", help="cpu, cuda:N, npu:N; default: each backend's first")
    how.add_argument(
        "--scope", nargs="+", action="extend", choices=("compute", "end-to-end"),
        help="compute (default): inputs on the device; end-to-end: with both copies",
    )  # fmt: skip
    how.add_argument("--max-time", type=_seconds, metavar="S", help="seconds a cell measures at most (default 60)")
    how.add_argument("--quick", action="store_true", help="a first look: 3 s a cell, wide intervals")
    how.add_argument(
        "--chips", type=_chips, metavar="all|N", help="also measure FPS with all chips of the card, or N, at once"
    )
    how.add_argument(
        "--streams", type=_streams, default=1, metavar="K",
        help="also measure FPS with K requests in flight a chip; on the CPU K workers on cores of their own",
    )  # fmt: skip
    how.add_argument(
        "--phase-limit", nargs="+", action="extend", type=_phase_limit, default=[], metavar="PHASE=S",
        help=f"seconds without a sign of life after which a worker is killed; phases: "
             f"{', '.join(phase.replace(' ', '-') for phase in PHASES)}",
    )  # fmt: skip
    _add_lock_timeout(how)
    out = parser.add_argument_group("where the results go")
    out.add_argument("--out", type=Path, metavar="DIR", help="default: runs/<start time>")
    out.add_argument("--baseline", metavar="BACKEND", help="backend that ratios are against; default: the first")
    _add_include_flagged(out)
    out.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that was killed or interrupted")
    out.add_argument("--cache", type=Path, metavar="DIR", help="exported models, references; default: ~/.cache/bench")


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
    parser = _Parser()
    _add_run(parser)
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
        from bench.commands.report import rewrite_report

        return rewrite_report(options.run, options.baseline, options.include_flagged)
    if options.command == "selftest":
        from bench.commands.selftest import run_selftest

        return run_selftest(options.pairs, options.lock_timeout)
    if options.resume:
        from bench.commands.resume import resume

        return resume(options, typed(given), parse)
    from bench.commands.options import RunOptions
    from bench.commands.run import run

    return run(RunOptions.from_namespace(options), ["python", "-m", "bench", *given])
