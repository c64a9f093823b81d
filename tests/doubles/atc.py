"""A command `atc` that keeps the documented rules of CANN's converter and can misbehave in each known way.

Order and wording of the texts: CANN's atc (main_impl.cc of GE) and transcripts that users published.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FLAGS = {
    "framework", "model", "output", "input_format", "input_shape", "soc_version", "precision_mode", "log",
    "dynamic_batch_size",
}  # fmt: skip
MODES = {
    "force_fp16", "force_fp32", "allow_fp32_to_fp16", "must_keep_origin_dtype", "allow_mix_precision",
}  # fmt: skip
CHIPS = ("Ascend310", "Ascend310P3")
_PATH = re.compile(r"[A-Za-z0-9./_-]+")
MAGIC = 0x444F4D49
_WARNING = "W11001: High-priority service of op[Conv_0] is missing, fall back to low-priority one"


def say(text: object) -> None:
    """One line of the tool, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def as_om(content: bytes, name: str = "", platform_version: str = "1.0") -> bytes:
    """The content behind a header of 256 bytes, as GE writes it before a file of less than 4 GiB."""
    header = bytearray(256)
    struct.pack_into("<III", header, 0, MAGIC, len(header), 0x10000000)
    struct.pack_into("<I", header, 76, len(content))
    header[84:116] = name.encode()[:32].ljust(32, b"\0")
    struct.pack_into("<I", header, 156, 1)  # models
    header[160:180] = platform_version.encode()[:20].ljust(20, b"\0")
    struct.pack_into("<Q", header, 184, len(content))
    return bytes(header) + content


def install(
    folder: Path,
    last_opset: int = 18,
    host: str = "",
    warn: bool = False,
    then: str = "",
    version: str = "",
    says: str = "",
    seconds: float = 0.0,
    runnable: bool = False,
) -> Path:
    """Write an executable `atc` into `folder`/bin; returns that folder, for PATH.

    `host` is what newer versions put into the file's name; `version`, of CANN, goes into a version.cfg. `then` is one
    of hang, killed, no file, empty file, no library; with `says` it fails with just that text. What it makes is
    `runnable` by the double of pyACL, which takes a second more.
    """
    place = folder / "bin"
    place.mkdir(parents=True, exist_ok=True)
    if version:
        (folder / "version.cfg").write_text(f"toolkit_running_version=[1.0:{version}]\n", encoding="utf-8")
    script = place / "atc"
    behaviour = {
        "last_opset": last_opset, "host": host, "warn": warn, "then": then, "says": says, "seconds": seconds,
        "runnable": runnable,
    }  # fmt: skip
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.doubles.atc import main\n"
        f"sys.exit(main({str(place)!r}, sys.argv[1:], **{behaviour!r}))\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return place


def calls(place: Path) -> list[str]:
    """Command lines that this atc was started with."""
    log = place / "calls"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


class Refused(Exception):  # noqa: N818
    """What atc prints before it fails."""


def main(
    place: str,
    arguments: list[str],
    last_opset: int,
    host: str,
    warn: bool,
    then: str,
    says: str,
    seconds: float,
    runnable: bool,
) -> int:
    with (Path(place) / "calls").open("a", encoding="utf-8") as file:
        file.write(" ".join(arguments) + "\n")
    if then == "no library":
        say(
            "atc: error while loading shared libraries: libge_compiler.so: cannot open shared object file: No such file"
        )
        return 127
    say("ATC start working now, please wait for a moment.")
    time.sleep(seconds)
    try:
        if sys.stdin.read():
            raise Refused("the double was given something to read")
        if says:
            raise Refused(says)
        flags = _flags(arguments)
        content = _compile(flags, last_opset)
        if runnable:
            content = _runnable(flags)
    except Refused as error:
        say("ATC run failed, Please check the detail log, Try 'atc --help' for more information")
        say(error)
        return 255
    (Path.cwd() / "kernel_meta").mkdir()
    (Path.cwd() / "fusion_result.json").write_text("[]", encoding="utf-8")
    output = Path(f"{flags['output']}{'_' if host else ''}{host}.om")
    if then == "hang":
        child = os.fork()  # a compiler process of atc's own, which must die with it
        if child:
            (Path(place) / "pids").write_text(f"{os.getpid()} {child}", encoding="utf-8")
        time.sleep(600)
    if then == "killed":
        output.write_bytes(content[:3])
        os.kill(os.getpid(), signal.SIGKILL)
    if then != "no file":
        output.write_bytes(b"" if then == "empty file" else content)
    say("ATC run success, welcome to the next use.")
    if warn:
        say(_WARNING)
    return 0


def read_model(path: Path) -> Any:
    """The model, by the classes of its format alone: the package onnx takes a quarter of a second to import."""
    package = importlib.util.find_spec("onnx")
    assert package is not None
    assert package.submodule_search_locations
    spec = importlib.util.spec_from_file_location(
        "onnx_ml_pb2", f"{package.submodule_search_locations[0]}/onnx_ml_pb2.py"
    )
    assert spec is not None
    assert spec.loader is not None
    classes: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(classes)
    model = classes.ModelProto()
    model.ParseFromString(path.read_bytes())
    return model


def _content(tensor: Any) -> bytes:
    """The weights, where necessary from the file beside the model, which must be a plain one."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    if not location:
        return bytes(tensor.SerializeToString())
    if Path(location).is_symlink() or not Path(location).is_file():
        raise Refused(_invalid(location, "--model", "The external data is no file beside the model"))
    return Path(location).read_bytes()


def _flags(arguments: list[str]) -> dict[str, str]:
    found = {}
    for argument in arguments:
        match = re.fullmatch(r"--([a-z_]+)=(.*)", argument)
        if match is None or match[1] not in FLAGS:
            raise Refused(f"ERROR: unknown command line flag '{argument.lstrip('-').partition('=')[0]}'")
        found[match[1]] = match[2]
    for name in ("model", "output"):
        if not _PATH.fullmatch(found.get(name, "")):
            raise Refused(_invalid(found.get(name, ""), f"--{name}", "The path is not valid"))
    if found.get("framework") != "5" or found.get("input_format") not in ("NCHW", "NCDHW", "ND"):
        raise Refused("E10014: The value of --framework or --input_format is no valid value for an .onnx model.")
    if found.get("soc_version") not in CHIPS:
        raise Refused(_invalid(found.get("soc_version", ""), "--soc_version", "The chip is not supported"))
    if found.get("precision_mode", "force_fp16") not in MODES:
        raise Refused(_invalid(found["precision_mode"], "--precision_mode", "It is not supported"))
    return found


def _invalid(value: str, parameter: str, reason: str) -> str:
    return (
        f"E10001: Value [{value}] for parameter [{parameter}] is invalid. Reason: {reason}\n"
        "        Solution: Try again with a valid argument."
    )


def _compile(flags: dict[str, str], last_opset: int) -> bytes:
    model = read_model(Path(flags["model"]))
    domains = {entry.domain for entry in model.opset_import}
    if len(domains) > 1:
        raise Refused(f"E16005: The model has {len(domains)} [--domain_version] fields, but only one is allowed.")
    opset = model.opset_import[0].version
    node = model.graph.node[0]
    if opset > last_opset:
        raise Refused(f"E16002: No ONNX parser is registered for optype [ai.onnx::{opset}::{node.op_type}].")
    shapes = {}
    for part in flags.get("input_shape", "").split(";"):
        name, colon, dims = part.rpartition(":")
        if not colon or not re.fullmatch(r"-?\d+(,-?\d+)*", dims):
            raise Refused(f"E10002: Value [{part}] for parameter [--input_shape] is invalid. Reason: it has no dims.")
        shapes[name] = [int(dim) for dim in dims.split(",")]
    names = {value.name: value for value in model.graph.input}
    for name in shapes:
        if name not in names:
            raise Refused(_invalid(name, "--input_shape", "The input is not in the model"))
    gears = flags.get("dynamic_batch_size")
    if gears is not None:
        _check_gears(gears, shapes)
    for name in names:
        if name not in shapes or -1 in (shapes[name][1:] if gears else shapes[name]):
            raise Refused(_invalid("-1", name, "maybe you should set input_shape to specify its shape"))
    text = f"{sorted(shapes.items())}|{gears}|{flags['soc_version']}|{flags.get('precision_mode', 'force_fp16')}"
    weights = b"".join(_content(tensor) for tensor in model.graph.initializer)
    return as_om(hashlib.sha256(weights + text.encode()).hexdigest().encode(), Path(flags["output"]).name)


def _runnable(flags: dict[str, str]) -> bytes:
    """What the double of pyACL can load."""
    from tests.doubles.acl import write_om

    kept = "fp32" if flags.get("precision_mode") in ("must_keep_origin_dtype", "force_fp32") else "fp16"
    gears = flags.get("dynamic_batch_size")
    first = flags["input_shape"].split(";")[0].rpartition(":")[2].split(",")[0]
    batches = [int(size) for size in (gears.split(",") if gears else [first])]
    path = Path.cwd() / "runnable.om"
    return write_om(path, Path(flags["model"]), batches, soc=flags["soc_version"], precision=kept).read_bytes()


def _check_gears(text: str, shapes: dict[str, list[int]]) -> None:
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise Refused(_invalid(text, "--dynamic_batch_size", 'It can only contain digits and ","'))
    gears = [int(gear) for gear in text.split(",")]
    options = "--dynamic_batch_size, --dynamic_image_size, or --dynamic_dims"
    if len(gears) < 2:
        raise Refused(f"E10035: {options} has {len(gears)} profiles, which is less than the minimum 2.")
    if len(gears) > 100:
        raise Refused(f"E10036: {options} has {len(gears)} profiles, which is greater than the maximum 100.")
    if len(set(gears)) < len(gears):
        raise Refused(f"E10039: The {options} argument have duplicate profiles.")
    if 0 in gears:
        raise Refused("E10038: Dimension size 0 is invalid. The value must be greater than 0.")
    if any(-1 in shape[1:] for shape in shapes.values()):
        raise Refused("E10018: When --dynamic_batch_size is included, only batch size N can be -1 in --input_shape.")
    if not any(shape[0] == -1 for shape in shapes.values()):
        raise Refused(
            "E10031: --dynamic_batch_size is included, but none of the nodes specified in --input_shape has a batch"
            " size equaling -1."
        )
