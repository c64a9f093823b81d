"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import arguments
from bench.phases import PHASES

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")


def add_include_flagged(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--include-flagged", action="store_true", help="let cells enter ratios that a verdict went against"
    )


def add_weights(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--weights", type=Path, metavar="FILE.pth", help="StarGAN's generator; default: weights from a fixed seed"
    )


def add_compiled(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--compiled", metavar="FILE|DIR",
        help="what was compiled before: an .om, an engine (see tensorrt:trust), or a folder with one a batch size"
             " (*_bs<N>.om)",
    )  # fmt: skip


def add_cache(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="exported models, references; default: ~/.cache/bench"
    )


def add_phase_limit(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--phase-limit", nargs="+", action="extend", type=arguments.phase_limit, default=[], metavar="PHASE=S",
        help=f"seconds without a sign of life after which a worker is killed; phases: "
             f"{', '.join(phase.replace(' ', '-') for phase in PHASES)}",
    )  # fmt: skip


def add_lock_timeout(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--lock-timeout", type=arguments.patience, default=600.0, metavar="S",
        help="seconds to wait for a device that another run uses (default 600)",
    )  # fmt: skip


def add_work(parser: argparse.ArgumentParser) -> None:
    add_cache(parser)
    add_phase_limit(parser)
    add_lock_timeout(parser)


def add_data(parser: argparse.ArgumentParser, batches: str) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="ZIP|DIR", help="celeba.zip or its folder; default: the bundled sample"
    )
    parser.add_argument("--attributes", nargs="+", metavar="NAME", help="five CelebA attributes to translate to")
    parser.add_argument("--bs", type=arguments.batch, metavar="N", help=batches)
    parser.add_argument(
        "--limit", type=arguments.images, metavar="N", help="only the first N images (default: the whole test split)"
    )
    parser.add_argument("--drop-last", action="store_true", help="leave out a last batch that is not full")


def add_dtype(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="what .bin files hold (default float32)"
    )


def add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pictures", choices=("jpg", "png", "none"), default="jpg", help="format (default jpg), or none"
    )


def add_what(group: argparse._ActionsContainer) -> None:
    """What is to be measured."""
    group.add_argument(
        "--backend", nargs="+", action="extend", default=[], metavar="NAME[:KEY=VALUE,...]",
        help="pytorch, onnxruntime, openvino, tensorrt, acl, or a plug-in's; default: all usable here",
    )  # fmt: skip
    group.add_argument(
        "--bs", nargs="+", action="extend", type=arguments.batch, metavar="N", help="batch sizes (default 1 4 8 16)"
    )
    group.add_argument("--workload", choices=("stargan", "onnx"), default=None, help="default: stargan")
    group.add_argument("--weights", metavar="FILE.pth", help="StarGAN's generator; default: weights from a fixed seed")
    group.add_argument("--data", metavar="ZIP|DIR", help="celeba.zip or its folder; default: the bundled sample")
    group.add_argument("--attributes", nargs="+", metavar="NAME", help="five CelebA attributes to translate to")
    group.add_argument(
        "--model", metavar="FILE",
        help="any .onnx file, on random inputs; or what --compiled takes, for StarGAN",
    )  # fmt: skip
    add_compiled(group)
    group.add_argument("--shape", nargs="+", action="extend", type=arguments.shape, default=[],
                      metavar="INPUT:1x3x224x224",
                      help="shapes of inputs whose dimensions the .onnx file leaves open")  # fmt: skip


def add_where(group: argparse._ActionsContainer) -> None:
    """In which precisions, on which device, and what a sample covers."""
    group.add_argument(
        "--precision",
        nargs="+",
        action="extend",
        choices=PRECISIONS,
        help="default: fp32; acl: fp16, which is what atc makes by default",
    )
    group.add_argument("--device", metavar="DEVICE", help="cpu, cuda:N, npu:N; default: each backend's first")
    group.add_argument(
        "--scope", nargs="+", action="extend", choices=("compute", "end-to-end"),
        help="compute (default): inputs on the device; end-to-end: with both copies",
    )  # fmt: skip
