"""What a command line of trtexec says about a figure, by the defaults that its version documents.

Defaults changed in TensorRT 11: data transfers off, CUDA graph on, spin-wait on; before, the reverse. Precision flags
exist up to 10; from 11 on, and with --stronglyTyped, only the ONNX file tells.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from reports.records import RecordedPrecision

_SHAPE = re.compile(r"([^,'\"=]+):(\d+(?:x\d+)*)(?=,|$)")
#: The first that never had precision flags.
_FLAGLESS = 11
#: Words of the option dump -> flags that turn it on and off, on by default from 11, and before.
_SWITCHES = {
    "Data transfers": ("--includeDataTransfers", "--noDataTransfers", False, True),
    "CUDA Graph": ("--useCudaGraph", "--noCudaGraph", True, False),
    "Spin-wait": ("--useSpinWait", "--noSpinWait", True, False),
    "ExposeDMA": ("--exposeDMA", "", False, False),
}
_WORDS = {"Enabled": "on", "Disabled": "off"}
#: Noted where they are given; each bears on the figures.
_NOTED = (
    "--noTF32", "--workspace", "--memPoolSize", "--builderOptimizationLevel", "--sparsity", "--useDLACore",
    "--precisionConstraints", "--layerPrecisions", "--warmUp", "--duration", "--iterations", "--avgRuns",
    "--sleepTime", "--idleTime",
)  # fmt: skip
#: Flags, or words of the option dump, that allow kernels of a lower precision.
_LOWER = {"--fp16": ("fp16",), "--bf16": ("bf16",), "--int8": ("int8",), "--best": ("fp16", "int8"),
          "--fp8": ("fp8",), "--int4": ("int4",)}  # fmt: skip
_ONE_AHEAD = "GPU Compute: the device's own events, without copies, with the next query enqueued already"
_ONE_BY_ONE = "GPU Compute: the device's own events, without copies, one query after another (--exposeDMA)"
_MIXED = "layers may run in a higher precision than named, where the builder finds that faster or has no other kernel"


@dataclass(frozen=True, slots=True)
class Flags:
    """What could be told of one run."""

    model: str = ""
    shapes: dict[str, list[int]] = field(default_factory=dict)
    #: of `--batch=N`, up to 8.6: then queries and throughput count images, not batches
    implicit_batch: int | None = None
    precision: RecordedPrecision = "unknown"
    tf32_allowed: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, command: str, major: int, options: Mapping[str, str], known: bool) -> Flags:
        """From the command of a log, its major version (0: not told), and its option dump; `known`: it has one."""
        values: dict[str, str] = {}
        for word in _words(command):
            if word.startswith("--"):
                flag, _, value = word.partition("=")
                values.setdefault(flag, value)
        shapes = _shapes(values.get("--shapes") or values.get("--optShapes") or "")
        precision, allowed, more = _precision(values, major, options.get("Precision", ""), known)
        settings = _settings(values, major, options, known)
        remarks = [_ONE_BY_ONE if settings.get("ExposeDMA") == "on" else _ONE_AHEAD, *more]
        if values.get("--shapes") and not shapes:
            remarks.append("its --shapes cannot be read (NAME:1x3x224x224 is right), so trtexec ignored it")
        streams = settings.get("streams", "1").partition(" ")[0]
        if streams != "1":
            remarks.append(f"{streams} inference streams: a latency includes the wait for the others")
        dumped = _number(options.get("Batch", "")) or 0  # 1 stands there for an engine with batches, too
        return cls(
            model=next((values[flag] for flag in ("--onnx", "--loadEngine", "--model", "--deploy", "--uff")
                        if values.get(flag)), ""),
            shapes=shapes, implicit_batch=_number(values.get("--batch", "")) or (dumped if dumped > 1 else None),
            precision=precision, tf32_allowed=allowed, settings=settings, remarks=tuple(remarks),
        )  # fmt: skip


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quote that was cut off
        return command.split()


def _number(text: str) -> int | None:
    return (int(text) or None) if text.isascii() and text.isdecimal() and len(text) < 7 else None


def _shapes(text: str) -> dict[str, list[int]]:
    """`real_img:16x3x128x128,attr:16x5`; names may hold colons, and quotes around them. Empty for anything else."""
    text = re.sub(r"['\"]", "", text)
    found = _SHAPE.findall(text)
    if ",".join(f"{name}:{dims}" for name, dims in found) != text:
        return {}
    return {name: [int(part[:9]) for part in dims.split("x")] for name, dims in found}


def _precision(
    values: Mapping[str, str], major: int, dump: str, known: bool
) -> tuple[RecordedPrecision, bool, list[str]]:
    """What it computed in, whether fp32 may have been TF32, and what to say of it."""
    if "--loadEngine" in values:
        return "unknown", False, ["the engine was built elsewhere: its precision is not in the log"]
    if major >= _FLAGLESS or "--stronglyTyped" in values or "strongly" in dump.casefold():
        return "unknown", False, ["the types in the ONNX file decide the precision, and the log does not tell them"]
    if not known and not dump:
        return "unknown", False, []
    lower = {name for flag, names in _LOWER.items() if flag in values for name in names}
    lower |= {part for part in re.split(r"[^a-z0-9]+", dump.casefold()) if f"--{part}" in _LOWER}
    if not lower:
        return "fp32", "--noTF32" not in values, []
    if lower & {"fp8", "int4"} or lower == {"fp16", "bf16"}:
        return "unknown", False, [f"{' and '.join(sorted(lower))} were allowed; which of them ran is not in the log"]
    told: RecordedPrecision = "int8" if "int8" in lower else "bf16" if "bf16" in lower else "fp16"
    return told, False, [_MIXED]


def _settings(values: Mapping[str, str], major: int, options: Mapping[str, str], known: bool) -> dict[str, str]:
    """What bears on the figures: from the dump, else the flags, else the documented default, which says that it is."""
    settings = {}
    for name, (on, off, from_11, before) in _SWITCHES.items():
        if name in options:
            settings[name] = _WORDS.get(options[name], options[name])
        elif on in values or off in values:
            settings[name] = "on" if on in values else "off"
        elif known and major:
            default = from_11 if major >= _FLAGLESS else before
            settings[name] = f"{'on' if default else 'off'} (default of TensorRT {major})"
    streams = [options.get("Inference Streams"), options.get("Streams"),
               values.get("--infStreams"), values.get("--streams")]  # fmt: skip
    told = next(filter(None, streams), "")
    if told:
        settings["streams"] = told[:20]
    elif known:
        settings["streams"] = "1 (default)"
    return settings | {flag: values[flag][:100] or "given" for flag in _NOTED if flag in values}
