"""The options of the commands that take StarGAN from weights to a verdict."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import arguments
from bench.parser import shared


def add_prepare(parser: argparse.ArgumentParser) -> None:
    shared.add_data(parser, batches="images in a .bin (default 16)")
    shared.add_weights(parser)
    parser.add_argument(
        "--no-baseline", action="store_true", help="only the inputs: no outputs and pictures by PyTorch"
    )
    shared.add_pictures(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="bin/img, bin/attr and baseline go there"
    )
    shared.add_work(parser)


def add_translate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend", nargs="+", required=True, metavar="NAME[:KEY=VALUE,...]",
        help="pytorch, onnxruntime, openvino, tensorrt, acl, or a plug-in's; of several each has a folder in DIR",
    )  # fmt: skip
    shared.add_data(parser, batches="batch size (default 16, or as the .bin files are)")
    parser.add_argument("--bins", type=Path, metavar="DIR", help="inputs that prepare made, instead of --data")
    shared.add_weights(parser)
    shared.add_compiled(parser)
    parser.add_argument("--precision", choices=shared.PRECISIONS, help="default: fp32; acl: fp16")
    parser.add_argument("--device", metavar="DEVICE", help="cpu, cuda:N, npu:N; default: the backend's first")
    parser.add_argument(
        "--format", choices=("bin", "npy", "txt"), default="bin",
        help="of the outputs: raw float32 (default), numpy's, or msame's text with 6 digits",
    )  # fmt: skip
    shared.add_pictures(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="outputs and pictures go there")
    shared.add_work(parser)


def add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--outputs", type=Path, required=True, metavar="DIR", help="folder with a tool's output files")
    parser.add_argument("--bs", type=arguments.batch, metavar="N", help="batch size that the tool ran with")
    parser.add_argument("--limit", type=arguments.images, metavar="N", help="only the first N images")
    shared.add_dtype(parser)
    parser.add_argument("--pictures", choices=("jpg", "png"), default="jpg", help="format (default jpg)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: the folder pictures in --outputs")


def add_accuracy(parser: argparse.ArgumentParser) -> None:
    for role, what in (("reference", "what is right"), ("candidate", "what is held against it")):
        parser.add_argument(
            f"--{role}", required=True, metavar="DIR|BACKEND",
            help=f"{what}: a folder of outputs (translate's, msame's, ais_bench's), or a backend that makes one first",
        )  # fmt: skip
    parser.add_argument(
        "--precision", choices=shared.PRECISIONS,
        help="what the candidate was executed in: a backend's (default: its own), or where its folder does not tell",
    )  # fmt: skip
    shared.add_dtype(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: runs/accuracy-<start time>")
    shared.add_data(parser, batches="batch size of a tool's folder, or for backends (default 16)")
    parser.add_argument("--bins", type=Path, metavar="DIR", help="what backends translate, instead of --data")
    shared.add_weights(parser)
    shared.add_compiled(parser)
    parser.add_argument("--device", metavar="DEVICE", help="of a candidate that is a backend; default: its first")
    shared.add_work(parser)


def add_convert(parser: argparse.ArgumentParser) -> None:
    shared.add_weights(parser)
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
        "--dynamic-batch", action="store_true",
        help="one .om for all of --bs (atc's dynamic_batch_size) instead of one file each",
    )  # fmt: skip
    parser.add_argument(
        "--precision", choices=("fp32", "fp16"),
        help="of an engine or an .onnx (default fp32, an engine's with TF32 off); for om see --precision-mode",
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
    shared.add_cache(parser)
