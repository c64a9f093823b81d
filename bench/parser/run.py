"""The options of `run`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import arguments
from bench.parser import shared


def add_run(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to measure")
    shared.add_what(what)
    how = parser.add_argument_group("how to measure it")
    shared.add_where(how)
    how.add_argument(
        "--max-time", type=arguments.seconds, metavar="S", help="seconds a cell measures at most (default 60)"
    )
    how.add_argument("--quick", action="store_true", help="a first look: 3 s a cell, wide intervals")
    how.add_argument(
        "--chips",
        type=arguments.chips,
        metavar="all|N",
        help="also measure FPS with all chips of the card, or N, at once",
    )
    how.add_argument(
        "--streams", type=arguments.streams, default=1, metavar="K",
        help="also measure FPS with K requests in flight a chip; on the CPU K workers on cores of their own",
    )  # fmt: skip
    how.add_argument(
        "--invocations", type=arguments.invocations, default=1, metavar="K",
        help="measure every cell K times, each in a process of its own (5 and more give ratios an interval; default 1)",
    )  # fmt: skip
    shared.add_phase_limit(how)
    shared.add_lock_timeout(how)
    out = parser.add_argument_group("where the results go")
    out.add_argument("--out", type=Path, metavar="DIR", help="default: runs/<start time>")
    out.add_argument("--baseline", metavar="BACKEND", help="backend that ratios are against; default: the first")
    shared.add_include_flagged(out)
    out.add_argument("--no-plots", action="store_true", help="a report without pictures; bench report draws them later")
    out.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that was killed or interrupted")
    shared.add_cache(out)
