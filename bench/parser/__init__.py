"""The parser of the command line: every command with its options; no logic.

argparse, not a richer library: it takes several values after one option, and `--help` must appear within 150 ms,
of which the import of the alternatives alone takes 120.
"""

from __future__ import annotations

import argparse

from bench import arguments
from bench.arguments import Parser
from bench.parser import check, results, shared, stargan
from bench.parser.run import add_run

__all__ = ["COMMANDS", "add_run", "build_parser"]

COMMANDS = (
    "run", "prepare", "translate", "images", "accuracy", "convert", "import", "report", "compare", "check", "merge",
    "history", "backends", "selftest",
)  # fmt: skip

_EXAMPLE = """\
example: python -m bench --backend pytorch onnxruntime openvino --bs 1 4 8 16
options of the default command: python -m bench run --help

"""
_EPILOG = """\
exit status: 0 done or passed; 1 wrong outputs or a regression; 2 usage, bad input, or nothing measured or comparable;
3 inconclusive; 130 interrupted (what was measured is kept); 141 standard output was closed.
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = Parser(
        prog="python -m bench",
        description="Measure inference backends under one timing loop. The default command is run.",
        epilog=_EXAMPLE + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, words: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=words, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    add_run(add("run", "measure and report (default)"))
    stargan.add_prepare(add("prepare", "CelebA -> .bin inputs for msame and ais_bench, and the baseline"))
    stargan.add_translate(add("translate", "inference over whole sets of pictures, with any backend"))
    stargan.add_images(add("images", "outputs of msame, ais_bench or translate -> pictures"))
    stargan.add_accuracy(add("accuracy", "are two sets of translated pictures the same? Image by image"))
    stargan.add_convert(add("convert", ".pth -> .onnx -> .om for Ascend, or a TensorRT engine"))
    results.add_import(add("import", "logs of msame, ais_bench or trtexec -> a run"))
    results.add_report(add("report", "one report of any mix of runs, imported logs, published figures"))
    results.add_compare(add("compare", "two runs, cell by cell: ratios with intervals"))
    check.add_check(add("check", "is it slower than before? For CI: both sides measured in turns"))
    results.add_merge(add("merge", "several run files -> one"))
    results.add_history(add("history", "what runs have measured over time: table, plots, CSV"))
    backends = add("backends", "what is usable here, and what to do about the rest")
    backends.add_argument("-v", "--verbose", action="store_true", help="show versions, options and the environment")
    selftest = add("selftest", "what differences the timing of this machine can tell")
    selftest.add_argument(
        "--pairs", type=arguments.pairs, default=12, metavar="N", help="pairs of processes (default 12)"
    )
    shared.add_lock_timeout(selftest)
    return parser
