"""The parser of the command line: every command with its options; no logic.

argparse, not a richer library: it takes several values after one option, and `--help` must appear within 150 ms,
of which the import of the alternatives alone takes 120.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import arguments
from bench.arguments import Parser
from bench.phases import PHASES

COMMANDS = ("run", "prepare", "translate", "images", "accuracy", "convert", "backends", "report", "selftest")

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")

_EXAMPLE = """\
example: python -m bench --backend pytorch onnxruntime openvino --bs 1 4 8 16
options of the default command: python -m bench run --help

"""
_EPILOG = """\
exit status: 0 done; 1 a cell's outputs are wrong; 2 usage, bad input, or nothing measured;
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
    add_run(commands.add_parser("run", help="measure and report (default)", epilog=_EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter))  # fmt: skip
    backends = commands.add_parser("backends", help="what is usable here, and what to do about the rest")
    backends.add_argument("-v", "--verbose", action="store_true", help="show versions, options and the environment")
    _add_report(commands.add_parser("report", help="one report of any mix of runs, imported logs, published figures"))
    _add_prepare(commands.add_parser("prepare", help="CelebA -> .bin inputs for msame and ais_bench, and the baseline"))
    _add_translate(commands.add_parser("translate", help="inference over whole sets of pictures, with any backend"))
    _add_images(commands.add_parser("images", help="outputs of msame, ais_bench or translate -> pictures"))
    _add_accuracy(commands.add_parser("accuracy", help="are two sets of translated pictures the same? Image by image"))
    _add_convert(commands.add_parser("convert", help=".pth -> .onnx -> .om for Ascend, or a TensorRT engine"))
    selftest = commands.add_parser("selftest", help="what differences the timing of this machine can tell")
    selftest.add_argument(
        "--pairs", type=arguments.pairs, default=12, metavar="N", help="pairs of processes (default 12)"
    )
    _add_lock_timeout(selftest)
    return parser


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="+", metavar="RUN",
        help="run folders, run files, folders of runs; published:stargan for the model zoo's figures",
    )  # fmt: skip
    parser.add_argument(
        "--ratio", metavar="A/B", help='FPS per card of one card or backend over another\'s, such as "Ascend 310/T4"'
    )
    parser.add_argument("--baseline", metavar="BACKEND", help="backend that ratios are against; default: the first")
    _add_include_flagged(parser)
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE.md",
        help="the report; HTML, plots and CSV lie beside it (default: beside a single run, else in runs/report-<time>)",
    )  # fmt: skip
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="language of headings (default en)")
    parser.add_argument("--no-plots", action="store_true", help="a report without pictures")


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    _add_data(parser, batches="images in a .bin (default 16)")
    _add_weights(parser)
    parser.add_argument(
        "--no-baseline", action="store_true", help="only the inputs: no outputs and pictures by PyTorch"
    )
    _add_pictures(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="bin/img, bin/attr and baseline go there"
    )
    _add_work(parser)


def _add_translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend", nargs="+", required=True, metavar="NAME[:KEY=VALUE,...]",
        help="pytorch, onnxruntime, openvino, tensorrt, acl, or a plug-in's; of several each has a folder in DIR",
    )  # fmt: skip
    _add_data(parser, batches="batch size (default 16, or as the .bin files are)")
    parser.add_argument("--bins", type=Path, metavar="DIR", help="inputs that prepare made, instead of --data")
    _add_weights(parser)
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="default: fp32")
    parser.add_argument("--device", metavar="DEVICE", help="cpu, cuda:N, npu:N; default: the backend's first")
    parser.add_argument(
        "--format", choices=("bin", "npy", "txt"), default="bin",
        help="of the outputs: raw float32 (default), numpy's, or msame's text with 6 digits",
    )  # fmt: skip
    _add_pictures(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="outputs and pictures go there")
    _add_work(parser)


def _add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--outputs", type=Path, required=True, metavar="DIR", help="folder with a tool's output files")
    parser.add_argument("--bs", type=arguments.batch, metavar="N", help="batch size that the tool ran with")
    parser.add_argument("--limit", type=arguments.images, metavar="N", help="only the first N images")
    _add_dtype(parser)
    parser.add_argument("--pictures", choices=("jpg", "png"), default="jpg", help="format (default jpg)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: the folder pictures in --outputs")


def _add_accuracy(parser: argparse.ArgumentParser) -> None:
    for role, what in (("reference", "what is right"), ("candidate", "what is held against it")):
        parser.add_argument(
            f"--{role}", required=True, metavar="DIR|BACKEND",
            help=f"{what}: a folder of outputs (translate's, msame's, ais_bench's), or a backend that makes one first",
        )  # fmt: skip
    parser.add_argument(
        "--precision", choices=PRECISIONS,
        help="what the candidate was executed in: a backend's (default fp32), or where its folder does not tell",
    )  # fmt: skip
    _add_dtype(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: runs/accuracy-<start time>")
    _add_data(parser, batches="batch size of a tool's folder, or for backends (default 16)")
    parser.add_argument("--bins", type=Path, metavar="DIR", help="what backends translate, instead of --data")
    _add_weights(parser)
    parser.add_argument("--device", metavar="DEVICE", help="of a candidate that is a backend; default: its first")
    _add_work(parser)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    _add_weights(parser)
    parser.add_argument(
        "--to", choices=("onnx", "om", "engine"), default="onnx",
        help="onnx (default); om: with atc, for Ascend; engine: with trtexec, for TensorRT",
    )  # fmt: skip
    parser.add_argument(
        "--opset", type=arguments.opset, default=11, metavar="N",
        help="ONNX opset, 11 to 20 (default 11, which old CANN reads, too)",
    )  # fmt: skip
    parser.add_argument(
        "--bs", nargs="+", action="extend", type=arguments.batch, metavar="N",
        help="batch sizes of om and engine files, one file each (default 1 4 8 16)",
    )  # fmt: skip
    parser.add_argument(
        "--precision", choices=("fp32", "fp16"),
        help="what an engine computes in (default fp32, TF32 off); for om see --precision-mode",
    )  # fmt: skip
    parser.add_argument(
        "--soc-version", metavar="NAME",
        help="the chip's exact name for atc, such as Ascend310; default: as npu-smi names it",
    )  # fmt: skip
    parser.add_argument(
        "--precision-mode", metavar="MODE",
        help="atc's --precision_mode, such as must_keep_origin_dtype; default: atc's own, force_fp16",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("models"), metavar="DIR", help="where the files go (default models)"
    )
    _add_cache(parser)


def _add_data(parser: argparse.ArgumentParser, batches: str) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="ZIP|DIR", help="celeba.zip or its folder; default: the bundled sample"
    )
    parser.add_argument("--attributes", nargs="+", metavar="NAME", help="five CelebA attributes to translate to")
    parser.add_argument("--bs", type=arguments.batch, metavar="N", help=batches)
    parser.add_argument(
        "--limit", type=arguments.images, metavar="N", help="only the first N images (default: the whole test split)"
    )
    parser.add_argument("--drop-last", action="store_true", help="leave out a last batch that is not full")


def _add_weights(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--weights", type=Path, metavar="FILE.pth", help="StarGAN's generator; default: weights from a fixed seed"
    )


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pictures", choices=("jpg", "png", "none"), default="jpg", help="format (default jpg), or none"
    )


def _add_dtype(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="what .bin files hold (default float32)"
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="exported models, references; default: ~/.cache/bench"
    )
    _add_phase_limit(parser)
    _add_lock_timeout(parser)


def _add_cache(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="exported models, references; default: ~/.cache/bench"
    )


def _add_phase_limit(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--phase-limit", nargs="+", action="extend", type=arguments.phase_limit, default=[], metavar="PHASE=S",
        help=f"seconds without a sign of life after which a worker is killed; phases: "
             f"{', '.join(phase.replace(' ', '-') for phase in PHASES)}",
    )  # fmt: skip


def _add_include_flagged(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--include-flagged", action="store_true", help="let cells enter ratios that a verdict went against"
    )


def _add_lock_timeout(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--lock-timeout", type=arguments.patience, default=600.0, metavar="S",
        help="seconds to wait for a device that another run uses (default 600)",
    )  # fmt: skip


def add_run(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what to measure")
    what.add_argument(
        "--backend", nargs="+", action="extend", default=[], metavar="NAME[:KEY=VALUE,...]",
        help="pytorch, onnxruntime, openvino, tensorrt, acl, or a plug-in's; default: all usable here",
    )  # fmt: skip
    what.add_argument(
        "--bs", nargs="+", action="extend", type=arguments.batch, metavar="N", help="batch sizes (default 1 4 8 16)"
    )
    what.add_argument("--workload", choices=("stargan", "onnx"), default=None, help="default: stargan")
    what.add_argument("--weights", metavar="FILE.pth", help="StarGAN's generator; default: weights from a fixed seed")
    what.add_argument("--data", metavar="ZIP|DIR", help="celeba.zip or its folder; default: the bundled sample")
    what.add_argument("--attributes", nargs="+", metavar="NAME", help="five CelebA attributes to translate to")
    what.add_argument("--model", metavar="FILE.onnx", help="any ONNX model, on random inputs")
    what.add_argument("--shape", nargs="+", action="extend", type=arguments.shape, default=[],
                      metavar="INPUT:1x3x224x224",
                      help="shapes of inputs whose dimensions the .onnx file leaves open")  # fmt: skip
    how = parser.add_argument_group("how to measure it")
    how.add_argument(
        "--precision",
        nargs="+",
        action="extend",
        choices=PRECISIONS,
        help="default: fp32",
    )
    how.add_argument("--device", metavar="DEVICE", help="cpu, cuda:N, npu:N; default: each backend's first")
    how.add_argument(
        "--scope", nargs="+", action="extend", choices=("compute", "end-to-end"),
        help="compute (default): inputs on the device; end-to-end: with both copies",
    )  # fmt: skip
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
    _add_phase_limit(how)
    _add_lock_timeout(how)
    out = parser.add_argument_group("where the results go")
    out.add_argument("--out", type=Path, metavar="DIR", help="default: runs/<start time>")
    out.add_argument("--baseline", metavar="BACKEND", help="backend that ratios are against; default: the first")
    _add_include_flagged(out)
    out.add_argument("--no-plots", action="store_true", help="a report without pictures; bench report draws them later")
    out.add_argument("--resume", type=Path, metavar="RUN", help="go on with a run that was killed or interrupted")
    _add_cache(out)
