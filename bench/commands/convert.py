"""`bench convert`: StarGAN's weights -> StarGAN.onnx -> StarGAN_bs<N>.om or StarGAN_bs<N>.engine, in one folder.

With a dynamic batch one StarGAN_dyn<N>-<N>.om for several batch sizes; of .onnx files in fp16 a StarGAN_fp16.onnx. What
the tools make is kept in the cache; the folder gets copies, each with a note on how it was made.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backends import nvidia
from backends.base import ConversionError, Precision
from backends.convert import ArtifactCache, Conversion, Graph, atc, cann, half, om, read_graph, shell_text, trtexec
from backends.telemetry import TelemetryUnavailable, list_chips
from bench.commands.delivery import deliver
from bench.commands.folders import output_folder
from bench.commands.options import cache_folder
from bench.errors import ExitCode, UsageError
from bench.workloads.base import CACHE_VERSION, CONVERTED
from bench.workloads.stargan import exported, load_network

#: The names of the published guide.
_NAME = "StarGAN"
_ONNX = f"{_NAME}.onnx"
_HALF = f"{_NAME}_fp16.onnx"
_WAITING = "waiting for another process that builds the same"
_DIGITS_SHOWN = 12  # all of them are in the note beside the file


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """The options of `convert`. None stands for what was not given; `to` is onnx, om or engine."""

    weights: Path | None
    opset: int
    to: str
    batches: list[int]
    precision: Precision | None
    soc_version: str | None
    precision_mode: str | None
    out: Path
    cache: Path
    dynamic_batch: bool = False

    @classmethod
    def from_namespace(cls, given: argparse.Namespace) -> ConvertOptions:
        return cls(
            weights=given.weights, opset=given.opset, to=given.to, batches=sorted(set(given.bs or (1, 4, 8, 16))),
            precision=Precision(given.precision) if given.precision else None, soc_version=given.soc_version,
            precision_mode=given.precision_mode, out=given.out, cache=cache_folder(given.cache),
            dynamic_batch=given.dynamic_batch,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Target:
    """What is made of the .onnx file: a file for each of `files`, which are the batch sizes that it takes.

    Without `convert` the tool is missing, and `elsewhere` is the command line.
    """

    suffix: str
    tool: str
    files: tuple[tuple[int, ...], ...]
    elsewhere: Callable[[Graph, Sequence[int]], list[str]]
    convert: Callable[[Graph, Sequence[int], ArtifactCache], Conversion] | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class _Made:
    """A line of the table."""

    path: Path
    precision: str
    how: str
    seconds: float
    sha256: str
    notes: tuple[str, ...] = ()


def convert(options: ConvertOptions) -> int:
    """Make what was asked for and tell what was made; returns the exit status.

    Raises UsageError for what could not be done; then everything that was made before is there and told.
    """
    _check(options)
    target = _target(options)
    made: list[_Made] = []
    commands: list[list[str]] = []
    failure = ""
    status = Console(file=sys.stderr).status("preparing")
    with output_folder(options.out), status:

        def say(text: str) -> None:
            status.update(escape(text))

        try:
            onnx, graph = _export(options, say)
            made.append(onnx)
            folder = options.cache / CACHE_VERSION / CONVERTED
            if target is None and options.precision is Precision.FP16:
                made.append(_half(graph, options.out / _HALF, folder, say))
            if target is not None and target.convert is not None:
                cache = ArtifactCache(folder, waiting=lambda: say(_WAITING))
                for sizes in target.files:
                    say(f"{target.tool}: batch size {', '.join(map(str, sizes))}")
                    begun = time.perf_counter()
                    done = target.convert(graph, sizes, cache)
                    made.append(_keep(done, options.out / f"{om.stem(_NAME, sizes)}.{target.suffix}", begun))
            elif target is not None:
                failure = target.missing
                commands = [target.elsewhere(graph, sizes) for sizes in target.files]
        except (ConversionError, UsageError) as error:
            # The cause is nearly always the same for every batch size, so the others are not tried.
            failure = str(error)
    _show(made, options.out)
    if commands and target is not None:
        print(f"Where {target.tool} is, in a folder with {_ONNX}:")
        for command in commands:
            print(shell_text(command))
    if failure:
        raise UsageError(failure)
    return ExitCode.DONE


def _check(options: ConvertOptions) -> None:
    """Raise UsageError for options that do not belong together."""
    if options.to != "om" and (options.soc_version or options.precision_mode):
        name = "--soc-version" if options.soc_version else "--precision-mode"
        raise UsageError(f"{name} belongs to --to om; leave it out.")
    if options.dynamic_batch:
        if options.to != "om":
            raise UsageError("--dynamic-batch belongs to --to om; leave it out.")
        try:
            atc.check_gears(options.batches)
        except ConversionError as error:
            raise UsageError(f"--dynamic-batch: {error}") from None
    fp16_by_default = options.precision is Precision.FP16 and not options.precision_mode
    if options.to == "om" and options.precision is not None and not fp16_by_default:
        raise UsageError(
            "what an .om computes in is set by --precision-mode (must_keep_origin_dtype keeps fp32); without it atc"
            " takes fp16. Leave --precision out."
        )


def _target(options: ConvertOptions) -> _Target | None:
    """What to make after the .onnx file; None if nothing. Raises UsageError."""
    if options.to == "om":
        return _om(options)
    if options.to == "engine":
        return _engine(options)
    return None


def _om(options: ConvertOptions) -> _Target:
    settings = atc.Settings(options.soc_version or _soc_version_here(), options.precision_mode or "")
    gears = tuple(options.batches) if options.dynamic_batch else ()
    files = (gears,) if gears else _one_each(options)

    def elsewhere(graph: Graph, sizes: Sequence[int]) -> list[str]:
        shapes = graph.open_shapes() if gears else graph.shapes(sizes[0])
        return atc.command("atc", _ONNX, om.stem(_NAME, sizes), shapes, settings, gears)

    try:
        tool = atc.locate()
    except ConversionError as error:
        return _Target("om", "atc", files, elsewhere, missing=str(error))
    if refusal := cann.refused_opset(tool.cann, options.opset):
        raise UsageError(refusal)

    def here(graph: Graph, sizes: Sequence[int], cache: ArtifactCache) -> Conversion:
        return atc.convert(tool, graph, gears or sizes[0], settings, cache)

    return _Target("om", "atc", files, elsewhere, here)


def _engine(options: ConvertOptions) -> _Target:
    precision = options.precision or Precision.FP32
    files = _one_each(options)

    def elsewhere(graph: Graph, sizes: Sequence[int]) -> list[str]:
        engine = f"{om.stem(_NAME, sizes)}.engine"
        return trtexec.command("trtexec", _ONNX, engine, graph.shapes(sizes[0]), precision)

    try:
        tool = trtexec.locate()
    except ConversionError as error:
        return _Target("engine", "trtexec", files, elsewhere, missing=str(error))
    card = _card_here()

    def here(graph: Graph, sizes: Sequence[int], cache: ArtifactCache) -> Conversion:
        return trtexec.convert(tool, graph, sizes[0], precision, card, cache)

    return _Target("engine", "trtexec", files, elsewhere, here)


def _one_each(options: ConvertOptions) -> tuple[tuple[int, ...], ...]:
    """A file for every batch size."""
    return tuple((batch,) for batch in options.batches)


def _soc_version_here() -> str:
    """--soc_version of the chips in this machine. Raises UsageError when there is no single sure one."""
    advice = "give it with --soc-version, such as Ascend310."
    try:
        chips = list_chips()
    except TelemetryUnavailable as error:
        raise UsageError(
            f"--to om needs the chip's exact name, which cannot be found out here ({error}); {advice}"
        ) from None
    names = sorted({chip.name for chip in chips})
    if len(names) != 1 or not chips[0].soc_version:
        raise UsageError(f"--to om needs the chip's exact name, and npu-smi lists {', '.join(names)}; {advice}")
    return chips[0].soc_version


def _card_here() -> str:
    """Name of the card that CUDA numbers first, "" if it is not sure which one that is, or it is a part of one."""
    if "MIG-" in os.environ.get("CUDA_VISIBLE_DEVICES", ""):
        return ""
    devices = nvidia.nvidia_devices()
    sure = devices and (devices[0].address or len({device.card for device in devices}) == 1)
    return devices[0].card if sure else ""


def _export(options: ConvertOptions, say: Callable[[str], None]) -> tuple[_Made, Graph]:
    """StarGAN.onnx in the output folder. Raises ConversionError, UsageError."""
    begun = time.perf_counter()
    network = load_network(options.weights, options.cache / CACHE_VERSION, say)
    exporting: list[str] = []

    def told(text: str) -> None:
        exporting.append(text)
        say(text)

    path, opset = exported(network, options.cache / CACHE_VERSION, told, options.opset)
    graph = read_graph(path)
    target = options.out / _ONNX
    source = {"network": network.title, "weights_sha256": network.sha256, "opset": str(opset)}
    written = deliver(path, graph.sha256, target, {"precision": "fp32", "made_from": source})
    notes = () if options.weights else ("its weights come from a fixed seed, and its pictures mean nothing",)
    how = _how(not exporting, written)
    return _Made(target, f"fp32, opset {opset}", how, time.perf_counter() - begun, graph.sha256, notes), graph


def _half(graph: Graph, target: Path, cache: Path, say: Callable[[str], None]) -> _Made:
    """The .onnx file in fp16 in the output folder. Raises ConversionError, UsageError."""
    begun = time.perf_counter()
    say("converting to fp16 and checking it")
    done = half.to_fp16(graph.path, cache, waiting=lambda: say(_WAITING))
    source = {"onnx": graph.sha256, "tool": done.tool}
    note = {"precision": "fp16", "made_from": source, "notes": [done.summary, *done.notes]}
    how = _how(done.hit, deliver(done.path, done.sha256, target, note))
    notes = (f"converted by {done.tool}: {done.summary}", *done.notes)
    return _Made(target, "fp16", how, time.perf_counter() - begun, done.sha256, notes)


def _keep(done: Conversion, path: Path, begun: float) -> _Made:
    """One batch size's file in the output folder. Raises UsageError."""
    note = {"precision": done.precision, "made_from": dict(done.settings), "notes": list(done.notes)}
    how = _how(done.hit, deliver(done.path, done.sha256, path, note))
    return _Made(path, done.precision, how, time.perf_counter() - begun, done.sha256, done.notes)


def _how(cached: bool, written: bool) -> str:
    return ("from cache" if cached else "built") + ("" if written else ", up to date")


def _show(made: list[_Made], folder: Path) -> None:
    """The table of what lies in the folder now, and what the tools had to say."""
    if not made:
        return
    console = Console(highlight=False)
    table = Table(title=escape(f"in {folder}"), title_justify="left")
    table.add_column("file", no_wrap=True)
    for name in ("computes in", "made"):
        table.add_column(name, overflow="fold")
    for name in ("seconds", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("SHA-256", no_wrap=True)
    for each in made:
        table.add_row(
            escape(each.path.name), escape(each.precision), each.how, f"{each.seconds:.1f}",
            f"{each.path.stat().st_size / 1e6:.1f}", f"{each.sha256[:_DIGITS_SHOWN]}…",
        )  # fmt: skip
    console.print(table)
    for text in dict.fromkeys(note for each in made for note in each.notes):
        names = ", ".join(each.path.name for each in made if text in each.notes)
        console.print(escape(f"{names}: {text}"), soft_wrap=True)
