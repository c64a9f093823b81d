"""The options of the regression check."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import arguments
from bench.parser import shared

#: As `reports.fingerprint.KINDS`, which is too slow to import for --help; a test holds them together.
CHANGES = ("model", "inputs", "host", "driver", "runtime", "settings", "clock")


def add_check(parser: argparse.ArgumentParser) -> None:
    add_stored(parser)
    add_paired(parser)
    add_verdict_files(parser)


def add_paired(parser: argparse.ArgumentParser) -> None:
    """Options of a check that measures both sides."""
    sides = parser.add_argument_group("what sets the two sides apart (nothing: what this machine can tell)")
    for side in ("base", "new"):
        sides.add_argument(f"--{side}-python", metavar="PYTHON", help=f"interpreter of the {side} side")
        sides.add_argument(f"--{side}-checkout", type=Path, metavar="DIR", help="another checkout of this project")
        sides.add_argument(
            f"--{side}-env", nargs="+", action="extend", type=arguments.setting, default=[], metavar="KEY=VALUE",
            help="environment variables",
        )  # fmt: skip
        sides.add_argument(
            f"--{side}-backend", nargs="+", action="extend", default=[], metavar="NAME[:KEY=VALUE,...]",
            help="its backends, instead of --backend; as many as the other side has",
        )  # fmt: skip
        sides.add_argument(f"--{side}-model", metavar="FILE.onnx", help="its model, instead of --model")
        sides.add_argument(
            f"--{side}-compiled", metavar="FILE|DIR", help="its compiled model (.om, .engine), instead of --compiled"
        )
        sides.add_argument(f"--{side}-weights", metavar="FILE.pth", help="its weights, instead of --weights")
        sides.add_argument(
            f"--{side}-cmd", metavar="COMMAND",
            help="a shell command to run instead, which leaves a run file in the folder that {out} stands for; for"
                 " other versions of bench, containers, other hosts",
        )  # fmt: skip
    sides.add_argument(
        "--cmd-timeout", type=arguments.seconds, default=3600.0, metavar="S",
        help="seconds that such a command may take (default 3600)",
    )  # fmt: skip
    what = parser.add_argument_group("what to measure on both")
    shared.add_what(what)
    shared.add_where(what)
    how = parser.add_argument_group("how to measure and judge it")
    how.add_argument(
        "--pairs", type=arguments.pairs, default=12, metavar="N", help="pairs of processes a row (default 12)"
    )
    how.add_argument(
        "--noisy-pairs", type=arguments.pairs, metavar="N",
        help="pairs of rows that differ by more than 2 %% from pair to pair (default 40, or --pairs if more)",
    )  # fmt: skip
    how.add_argument(
        "--samples",
        type=arguments.samples,
        default=100,
        metavar="N",
        help="samples a process, at least (default 100; 0.4 s of short ones)",
    )
    how.add_argument(
        "--max-time", type=arguments.seconds, default=10.0, metavar="S",
        help="seconds a process measures at most, but for its first 10 samples (default 10)",
    )  # fmt: skip
    how.add_argument(
        "--one-by-one", action="store_true",
        help="end the first process of a pair before the second starts, for devices that cannot hold both; by default"
             " they take turns of 20 ms, which cancels what else goes on there",
    )  # fmt: skip
    how.add_argument(
        "--margin",
        type=arguments.percent,
        default=0.01,
        metavar="PERCENT",
        help="up to here a change is noise (default 1)",
    )
    how.add_argument(
        "--tolerated", type=arguments.percent, default=0.03, metavar="PERCENT",
        help="a row passes when it is shown to be less slower than this (default 3)",
    )  # fmt: skip
    how.add_argument(
        "--alpha",
        type=arguments.level,
        default=0.01,
        metavar="PERCENT",
        help="false alarms over all rows, at most (default 1)",
    )
    shared.add_phase_limit(how)
    shared.add_lock_timeout(how)
    out = parser.add_argument_group("where the results go")
    out.add_argument("--out", type=Path, metavar="DIR", help="default: runs/check-<start time>")
    shared.add_cache(out)


def add_stored(parser: argparse.ArgumentParser) -> None:
    """The options of a check against a stored baseline."""
    stored = parser.add_argument_group("against a stored baseline, instead of measuring both sides in turns")
    stored.add_argument("run", nargs="?", type=Path, metavar="RUN", help="the run to judge: folder or file")
    stored.add_argument("--baseline", type=Path, metavar="RUN", help="the run that it is held against")
    stored.add_argument(
        "--history", nargs="+", action="extend", type=Path, default=[], metavar="RUN",
        help="earlier runs of the same cells, at least 5, that tell how much sessions differ; without: advisory",
    )  # fmt: skip
    stored.add_argument(
        "--allow-change", nargs="+", action="extend", choices=CHANGES, default=[], metavar="KIND",
        help=f"compare although this is not the same on both sides: {', '.join(CHANGES)}",
    )  # fmt: skip


def add_verdict_files(parser: argparse.ArgumentParser) -> None:
    """What any check writes for machines."""
    files = parser.add_argument_group("verdicts for machines (the summary of a GitHub job is written by itself)")
    files.add_argument("--junit", type=Path, metavar="FILE.xml", help="JUnit XML, a test case a row")
    files.add_argument(
        "--github-benchmark", type=Path, metavar="FILE.json", help="for github-action-benchmark, customSmallerIsBetter"
    )
    files.add_argument("--bencher", type=Path, metavar="FILE.json", help="Bencher Metric Format")
    files.add_argument("--annotate", action="store_true", help="print annotations for GitHub")
