"""ONNX -> TensorRT engine with trtexec: one engine a batch size, min = opt = max. Not run on hardware.

An engine is bound to TensorRT's exact version, to the card that it was built on and to the operating system. Options
and texts: trtexec's own source (samples/trtexec, samples/common/sampleOptions.cpp, 7.0 to 11.1); which of them the
installed one has is read from its --help. Tested with a double that keeps these rules.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.base import ConversionError, Precision
from backends.convert import tensorrt_errors, tool
from backends.convert.cache import ArtifactCache
from backends.convert.graph import Graph
from backends.convert.tool import Conversion, Explained

_INSTALL = (
    "install TensorRT and put its bin folder on PATH (Debian packages: /usr/src/tensorrt/bin), and its lib folder on"
    " LD_LIBRARY_PATH."
)
_NO_FP16 = (
    "this trtexec has no --fp16 (TensorRT 11 removed it, precision is in the .onnx there); use TensorRT 10 or older, or"
    " let the backend convert the .onnx and build it: python -m bench --backend tensorrt --precision fp16."
)
_HELP_LIMIT_S = 60.0
_OPTION = re.compile(r"--[A-Za-z][A-Za-z0-9]*")
_BANNER = re.compile(r"RUNNING TensorRT\.trtexec \[TensorRT v(\d+)\](?: \[b(\d+)\])?")
_ERROR = re.compile(r"^(?:\[[^\]]*\] )?\[E\] (?:\[TRT\] )?(.*)$", re.MULTILINE)
#: trtexec quotes the node at fault over many lines; what is wrong with it stands in one that says so.
_TELLING = re.compile(r"error|assert|fail|unknown|cannot|could not|not found|does not", re.IGNORECASE)
#: What its own command line is refused with, before TensorRT says anything.
_REFUSED = (
    ("Unknown option: --fp16", _NO_FP16),
    ("Unknown option", "this trtexec is too old or too new for that option; see trtexec --help."),
)
_NO_CARD = "build on the machine with the card, with a driver that nvidia-smi works with"
#: What whoever builds with a tool can do, where it is not what whoever measures can do.
_INSTEAD = {
    "memory": "free the card's memory (nvidia-smi shows who uses it), or build a smaller batch",
    "driver": _NO_CARD,
    "cuda": _NO_CARD,
    "operator": "export with a lower --opset, or build with a newer TensorRT",
    "workspace": "free the card's memory (nvidia-smi shows who uses it), or build with a newer TensorRT",
    "parser": "export with a lower --opset, or build with a newer TensorRT",
}
_OTHER_ADVICE = "see the output, and that of trtexec --verbose."


@dataclass(frozen=True, slots=True)
class Trtexec:
    """An installed trtexec. `version` is empty where it prints none (TensorRT 7); `options` are those of its --help."""

    path: Path
    version: str
    identity: str
    options: frozenset[str]


def locate() -> Trtexec:
    """The trtexec on PATH, asked for its version and options. Raises ToolMissing, ConversionError."""
    path = tool.find("trtexec", _INSTALL)
    try:
        identity = tool.file_identity(path.resolve())
        done = subprocess.run(
            [path, "--help"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace", timeout=_HELP_LIMIT_S, check=False,
        )  # fmt: skip
    except OSError as error:
        raise ConversionError(f"{path} cannot be run: {error.strerror}; {_INSTALL}") from error
    except subprocess.TimeoutExpired as error:
        raise ConversionError(f"trtexec --help did not end within {_HELP_LIMIT_S:g} s; {_INSTALL}") from error
    options = frozenset(_OPTION.findall(done.stdout))
    if done.returncode != 0 or "--saveEngine" not in options:
        started = tool.explain_start(done.stdout, _INSTALL)
        line = started.line if started else tool.last_line(done.stdout) or "it said nothing"
        raise ConversionError(f"trtexec --help failed with status {done.returncode}: {line}; {_INSTALL}")
    banner = _BANNER.search(done.stdout)
    return Trtexec(path, _version(banner) if banner else "", identity, options)


def command(
    trtexec: str,
    model: str,
    engine: str,
    shapes: Mapping[str, Sequence[int]],
    precision: Precision,
    options: frozenset[str] | None = None,
) -> list[str]:
    """The command line; no shapes for a model that fixes its own, which trtexec then refuses to be given.

    `options` are those that the trtexec has; without them, the line that suits TensorRT 7.1 to 10. Raises
    ConversionError for a precision that it cannot make.
    """
    if precision not in (Precision.FP32, Precision.FP16):
        raise ConversionError(f"an engine in {precision} is not built here; use fp32 or fp16.")
    if precision is Precision.FP16 and options is not None and "--fp16" not in options:
        raise ConversionError(_NO_FP16)
    line = [trtexec, f"--onnx={model}", f"--saveEngine={engine}"]
    if shapes:
        text = ",".join(f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items())
        line += [f"--{bound}Shapes={text}" for bound in ("min", "opt", "max")]
    if precision is Precision.FP16:
        line.append("--fp16")
    elif options is None or "--noTF32" in options:  # where it is missing there is no TF32 yet
        line.append("--noTF32")
    if options is not None and "--skipInference" in options:
        line.append("--skipInference")  # older ones time the engine for some seconds, which does no harm
    return line


def convert(
    trtexec: Trtexec,
    graph: Graph,
    batch: int,
    precision: Precision,
    card: str,
    cache: ArtifactCache,
    limit_s: float = tool.LIMIT_S,
) -> Conversion:
    """The engine of one batch size for CUDA's first device, from the cache or built now.

    `card` is that device's name, "" if unknown. Raises ConversionError.
    """
    given = graph.shapes(batch)
    shapes = {} if graph.static else given
    key = {
        "what": "engine",
        "onnx": graph.sha256,
        "batch": str(batch),
        "precision": precision.value,
        "tool": f"TensorRT {trtexec.version or 'of unknown version'}; {trtexec.identity}",
        # An engine for a card that nobody could name must not be taken for another machine's.
        "card": card or f"unknown card of {platform.node()}, {_visible_devices()}",
        "host": f"{platform.system()} {platform.machine()}",
    }
    command("trtexec", "", "", shapes, precision, trtexec.options)  # refuses before anything is started
    log = cache.log(key)

    def build(path: Path) -> None:
        model = graph.copy_into(path.parent).name
        line = command(str(trtexec.path), model, path.name, shapes, precision, trtexec.options)
        # Numbers cards as the probe and the workers do, so that the first one is the `card` of the key.
        order = {"CUDA_DEVICE_ORDER": os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")}
        text = tool.run(line, path.parent, log, explain, limit_s, order)
        if not path.is_file() or path.stat().st_size == 0:
            raise tool.failure("trtexec", "ended with status 0 but wrote no engine", explain(text), log)

    cached = cache.get(key, "engine", build)
    bound = card or "the card that it was built on, whose name could not be found out"
    notes = (f"runs only on {bound}, with TensorRT {trtexec.version or 'of the same version'}",)
    words = (
        "fp32 (TF32 off)" if precision is Precision.FP32 else "fp16 (--fp16: TensorRT may keep layers in fp32 or tf32)"
    )
    return Conversion(cached.path, cached.sha256, cached.hit, words, key, notes)


def _visible_devices() -> str:
    """What decides which card is CUDA's first."""
    return ", ".join(f"{name}={os.environ.get(name, '')}" for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"))


def explain(output: str) -> Explained:
    """The error line in trtexec's output that tells the most, and what to do about it."""
    if started := tool.explain_start(output, _INSTALL):
        return started
    errors = list(_ERROR.finditer(output))
    telling = next((found for found in errors if _TELLING.search(found[1])), errors[0] if errors else None)
    if telling is None:
        return Explained(tool.last_line(output), _OTHER_ADVICE)
    line = telling[1].strip()
    if line.endswith(":"):  # the parser breaks its sentence there
        rest = output[telling.end() :].lstrip("\n").partition("\n")[0]
        line = f"{line} {rest.strip()}"
    return Explained(line, _advice(line))


def _advice(line: str) -> str:
    refused = next((words for text, words in _REFUSED if text in line), "")
    known = tensorrt_errors.advice_on(line, instead=_INSTEAD)
    return refused or (f"{known}." if known else _OTHER_ADVICE)


def _version(banner: re.Match[str]) -> str:
    """8601 is 8.6.1, 101303 is 10.13.3: from 10 on the major number counts ten thousands."""
    number = int(banner[1])
    scale = 10_000 if number >= 100_000 else 1_000
    text = f"{number // scale}.{number % scale // 100}.{number % 100}"
    return f"{text}.{banner[2]}" if banner[2] else text
