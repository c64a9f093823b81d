"""The options of the commands that read what was measured."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import arguments
from bench.parser import shared


def add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="+", metavar="RUN",
        help="run folders, run files, folders of runs; published:stargan for the model zoo's figures",
    )  # fmt: skip
    parser.add_argument(
        "--ratio", metavar="A/B", help='FPS per card of one card or backend over another\'s, such as "Ascend 310/T4"'
    )
    parser.add_argument("--baseline", metavar="BACKEND", help="backend that ratios are against; default: the first")
    shared.add_include_flagged(parser)
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE.md",
        help="the report; HTML, plots and CSV lie beside it (default: beside a single run, else in runs/report-<time>)",
    )  # fmt: skip
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="language of headings (default en)")
    parser.add_argument("--no-plots", action="store_true", help="a report without pictures")


def add_compare(parser: argparse.ArgumentParser) -> None:
    runs = "run folder, run file (merged, too), or folder of runs"
    parser.add_argument("base", type=Path, metavar="A", help=f"what is compared against: {runs}")
    parser.add_argument("new", type=Path, metavar="B", help="what is held against it, likewise")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE.md", help="also as a page, with accuracy and all that differs"
    )
    parser.add_argument("--include-flagged", action="store_true", help="compare cells that a verdict went against, too")


def add_merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders, run files, folders of runs")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.jsonl", help="a new file")


def add_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="all run files below, or a run file")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="plots and history.csv go there; default: the table only"
    )
    parser.add_argument("--include-flagged", action="store_true", help="count figures that a verdict went against")
    parser.add_argument("--no-plots", action="store_true", help="only history.csv")


def add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tool", choices=("msame", "ais_bench", "trtexec"), help="whose logs they are")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="LOG",
        help="what the tool printed; of ais_bench also _summary.json, of trtexec also what --exportTimes wrote",
    )  # fmt: skip
    parser.add_argument(
        "--card", required=True, metavar="NAME", help='the card that it ran on, such as "Ascend 310", "Atlas 300I", T4'
    )
    parser.add_argument(
        "--bs", nargs="+", action="extend", type=arguments.batch, metavar="N",
        help="batch size of all logs, or of each in turn; not needed where the log tells it",
    )  # fmt: skip
    parser.add_argument("--workload", default="stargan", metavar="NAME", help="what was run (default stargan)")
    parser.add_argument(
        "--precision", choices=shared.PRECISIONS, help="what it computed in, where the log does not tell"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: runs/import-<time>")
