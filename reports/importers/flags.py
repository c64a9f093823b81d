"""What a command line of trtexec says about a figure, by the defaults that its version documents.

Defaults changed in TensorRT 11: data transfers off, CUDA graph on, spin-wait on; before, the reverse. Precision flags
exist up to 10; from 11 on only the ONNX file tells.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from reports.records import RecordedPrecision

_SHAPE = re.compile(r"([^,'\"=]+):(\d+(?:x\d+)*)(?=,|$)")
#: The first that never had precision flags.
_FLAGLESS = 11
_SWITCHES = {
    # words of the option dump -> (flag that turns it on, flag that turns it off, on by default from 11, before 11)
    "Data transfers": ("--includeDataTransfers", "--noDataTransfers", False, True),
    "CUDA Graph": ("--useCudaGraph", "--noCudaGraph", True, False),
    "Spin-wait": ("--useSpinWait", "--noSpinWait", True, False),
}


@dataclass(frozen=True, slots=True)
class Flags:
    """What could be told of one run."""

    model: str = ""
    shapes: dict[str, list[int]] = field(default_factory=dict)
    #: of `--batch=N`, up to 8.6: then throughput counts images, not batches
    implicit_batch: int | None = None
    precision: RecordedPrecision = "unknown"
    tf32_allowed: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, command: str, version: str, options: dict[str, str], headed: bool) -> Flags:
        """From the command of a log, its version, and the lines of its option dump; `headed`: the command is known."""
        words = _words(command)
        values = dict(word.partition("=")[::2] for word in words if word.startswith("--"))
        major = int(version.partition(".")[0] or 0)
        shapes = _shapes(values.get("--shapes") or values.get("--optShapes") or "")
        remarks = []
        if values.get("--shapes") and not shapes:
            remarks.append("its --shapes cannot be read (NAME:1x3x224x224 is right), so trtexec ignored it")
        precision, allowed, more = _precision(values, major, options, headed)
        settings = _settings(values, major, options, headed)
        streams = settings.get("streams", "1").partition(" ")[0]
        if streams not in ("1", ""):
            more.append(f"{streams} inference streams: a latency includes the wait for the others")
        return cls(
            model=values.get("--onnx") or values.get("--loadEngine") or values.get("--uff") or "",
            shapes=shapes, implicit_batch=_number(values.get("--batch", "")), precision=precision,
            tf32_allowed=allowed, settings=settings, remarks=(*remarks, *more),
        )  # fmt: skip


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quote that was cut off
        return command.split()


def _number(text: str) -> int | None:
    return (int(text) or None) if text.isascii() and text.isdecimal() and len(text) < 7 else None


def _shapes(text: str) -> dict[str, list[int]]:
    """`real_img:16x3x128x128,attr:16x5`; names may hold colons. Empty for anything else."""
    found = _SHAPE.findall(text)
    if ",".join(f"{name}:{dims}" for name, dims in found) != text.strip("'\""):
        return {}
    return {name: [int(part[:9]) for part in dims.split("x")] for name, dims in found}


def _precision(
    values: dict[str, str], major: int, options: dict[str, str], headed: bool
) -> tuple[RecordedPrecision, bool, list[str]]:
    """What it computed in, whether fp32 may have been TF32, and what to say of it."""
    if "--loadEngine" in values:
        return "unknown", False, ["the engine was built elsewhere: its precision is not in the log"]
    if major >= _FLAGLESS or (not headed and not options.get("Precision")):
        return "unknown", False, []
    dump = {part for part in options.get("Precision", "").upper().replace(" ", "+").split("+") if part}
    mixed = "layers may run in higher precision than named, as the builder finds them faster"
    for flag, name in (
        ("--int8", "INT8"),
        ("--best", "BEST"),
        ("--fp8", "FP8"),
        ("--bf16", "BF16"),
        ("--fp16", "FP16"),
    ):
        if flag in values or name in dump:
            told: RecordedPrecision = {"--fp16": "fp16", "--bf16": "bf16", "--int8": "int8"}.get(flag, "unknown")  # type: ignore[assignment]
            return told, False, [mixed]
    if dump and "FP32" not in dump:
        return "unknown", False, []
    return "fp32", "--noTF32" not in values, []


def _settings(values: dict[str, str], major: int, options: dict[str, str], headed: bool) -> dict[str, str]:
    """What bears on the figures: from the dump, else the flags, else the documented default, which says that it is."""
    settings = {}
    for name, (on, off, from_11, before) in _SWITCHES.items():
        if name in options:
            settings[name] = options[name]
        elif on in values or off in values:
            settings[name] = "on" if on in values else "off"
        elif headed and major:
            default = from_11 if major >= _FLAGLESS else before
            settings[name] = f"{'on' if default else 'off'} (default of TensorRT {major})"
    streams = options.get("Inference Streams") or options.get("Streams")
    streams = streams or values.get("--infStreams") or values.get("--streams")
    if streams:
        settings["streams"] = streams[:20]
    elif headed:
        settings["streams"] = "1 (default)"
    for flag in ("--noTF32", "--workspace", "--builderOptimizationLevel", "--sparsity", "--useDLACore", "--avgRuns"):
        if flag in values:
            settings[flag] = values[flag] or "given"
    return settings
