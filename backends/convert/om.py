"""A compiled .om file without CANN: whether it can be one, what is known of how it was made, and its names.

The header (256 bytes, little endian) and what is checked of it: ModelFileHeader and ModelParserBase of GE's source
(2026); files of older versions have zeros where newer ones have fields. What an .om computes in stands in none of its
readable parts: it is known of files that this project made, from the note beside them.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.base import ModelMismatch, Precision

HEADER_BYTES = 256
#: 0x444F4D49, little endian.
MAGIC = b"IMOD"
_LENGTH_LIMIT = 2**32
#: magic, headsize, version, checksum, length, is_encrypt, is_checksum, modeltype, genmode, name, ops, userdefineinfo,
#: om_ir_version, model_num, platform_version, platform_type, padding, model_length, need_check_os_cpu_info
_HEADER = struct.Struct("<4sII64sIBBBB32sI32sII20sB3xQB")
_HOST_BOUND = 1

_MAKE = "make one from the .onnx file: python -m bench convert --to om"
_LOOKS_LIKE = (
    (re.compile(rb"PK\x03\x04"), "a zip archive, as PyTorch's .pth files are", _MAKE),
    (re.compile(rb"\x80[\x02-\x05]"), "a pickle, as old .pth files are", _MAKE),
    (re.compile(rb"ptrt"), "a TensorRT engine", "run it with --backend tensorrt"),
    (re.compile(rb"\x1f\x8b"), "a gzip archive", "unpack it"),
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer and not the file itself", "run: git lfs pull"),
    (re.compile(rb"\s*<"), "a web page, as of a failed download", "download it again"),
    # ir_version, then any other field of ONNX's ModelProto
    (
        re.compile(rb"\x08[\x01-\x20][\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2]"),
        "an .onnx file",
        "convert it first: python -m bench convert --to om, or atc --framework=5",
    ),
)
_STATIC = re.compile(r".*_bs([1-9]\d*)(?:_(?!.*dyn\d).*)?")
_DYNAMIC = re.compile(r".*_dyn([1-9]\d*(?:-[1-9]\d*)+)(?:_.*)?")
_LONGEST_LIST = 120

#: What atc's --precision_mode may be. In all but the first two it chooses for every operator; force_fp32, too, lets
#: matrix operators take fp16 (CANN's documentation: cube_fp16in_fp32out).
PRECISION_MODES = (
    "force_fp16", "must_keep_origin_dtype", "force_fp32", "cube_fp16in_fp32out", "allow_fp32_to_fp16",
    "allow_mix_precision", "allow_mix_precision_fp16", "allow_mix_precision_bf16",
)  # fmt: skip
#: What atc computes a float32 graph in, by its --precision_mode; "" is its default.
_MODES: Mapping[str, tuple[str, Precision]] = {
    "": ("fp16 (force_fp16, atc's default)", Precision.FP16),
    "force_fp16": ("fp16 (force_fp16)", Precision.FP16),
    "must_keep_origin_dtype": ("fp32 (must_keep_origin_dtype)", Precision.FP32),
}


@dataclass(frozen=True, slots=True)
class OmHeader:
    """What an .om says of itself. `version` and `platform_version` are GE's; `name` is often empty.

    `encrypted`: it cannot be loaded by its path alone. `host_bound`: it runs only on the kind of host that it was
    made for.
    """

    size_bytes: int
    version: int
    name: str
    platform_version: str
    encrypted: bool
    host_bound: bool


@dataclass(frozen=True, slots=True)
class OmFacts:
    """How an .om was made, by the note beside it, whose hash agrees with the file.

    `batch` of a static one, else None and `gears` has the batch sizes of a dynamic one. `precision_mode` is atc's
    option, "" if it was left out. `cann` is "" if unknown; `tool` tells one atc from another, over several lines.
    """

    sha256: str
    onnx_sha256: str
    batch: int | None
    gears: tuple[int, ...]
    soc_version: str
    precision_mode: str
    cann: str
    tool: str
    notes: tuple[str, ...] = ()

    @property
    def batches(self) -> tuple[int, ...]:
        """The batch sizes that it takes."""
        return self.gears if self.batch is None else (self.batch,)

    @property
    def precision(self) -> str:
        """What it computes a float32 graph in, in words."""
        return precision_words(self.precision_mode)

    @property
    def arithmetic(self) -> Precision | None:
        """What it computes a float32 graph in; None where atc chose for every operator."""
        return arithmetic(self.precision_mode)


def precision_words(mode: str) -> str:
    """What atc computes a float32 graph in with that --precision_mode; `mixed` where it chooses for every operator."""
    return _MODES[mode][0] if mode in _MODES else f"mixed ({mode})"


def arithmetic(mode: str) -> Precision | None:
    """What atc computes a float32 graph in with that --precision_mode; None where it chooses for every operator."""
    return _MODES[mode][1] if mode in _MODES else None


def stem(name: str, batches: Sequence[int]) -> str:
    """Name of an .om, without `.om`: NAME_bs4 of one batch size, NAME_dyn1-4-8-16 of several.

    NAME_dyn1-to-100 of so many that a file system takes no such name; only the note beside it lists them.
    """
    if len(batches) == 1:
        return f"{name}_bs{batches[0]}"
    listed = "-".join(map(str, batches))
    return f"{name}_dyn{listed if len(listed) <= _LONGEST_LIST else f'{batches[0]}-to-{batches[-1]}'}"


def named_batches(path: Path) -> tuple[int, ...]:
    """The batch sizes that a file's name tells: one of a static, several of a dynamic .om; () if none.

    Other words may follow, as newer atc writes what host the file is for: NAME_bs4_linux_x86_64.om.
    """
    if dynamic := _DYNAMIC.fullmatch(path.stem):
        return tuple(int(size) for size in dynamic[1].split("-"))
    static = _STATIC.fullmatch(path.stem)
    return (int(static[1]),) if static else ()


def inspect(path: Path) -> OmHeader:
    """Check that a file is a whole .om, by its first bytes and its size.

    Raises ModelMismatch for what is none, in one line: a missing file, a folder, an empty, cut off or lengthened
    file, an .onnx or another known kind of file.
    """
    try:
        if path.is_dir():
            raise ModelMismatch(f"{path} is a folder, not an .om file; name a file in it.")
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            size = file.seek(0, 2)
    except FileNotFoundError:
        raise ModelMismatch(f"{path} does not exist; check the path, or {_MAKE}.") from None
    except OSError as error:
        raise ModelMismatch(f"{path} cannot be read: {error.strerror or error}; check its permissions.") from None
    if not size:
        raise ModelMismatch(f"{path} is empty; {_MAKE}.")
    if not head.startswith(MAGIC):
        raise ModelMismatch(f"{path} {_what_else(head, path)}")
    if len(head) < HEADER_BYTES:
        raise ModelMismatch(f"{path} is cut off after {size} bytes; copy or convert it again.")
    fields = _HEADER.unpack_from(head)
    if fields[1] != HEADER_BYTES:
        raise ModelMismatch(f"{path} has a damaged header; copy or convert it again.")
    _check_length(path, size, fields[4], fields[16])
    return OmHeader(
        size_bytes=size,
        version=fields[2],
        name=_text(fields[9]),
        platform_version=_text(fields[14]),
        encrypted=fields[5] != 0,
        host_bound=fields[17] == _HOST_BOUND,
    )


def read_sidecar(path: Path) -> OmFacts | None:
    """How this .om was made, by the `<file>.json` that `bench convert` and the cache of built models lay beside it.

    None without such a note, where the note is of something else, and where the .om is not the one that it describes.
    Reads the whole file for its hash. Never raises.
    """
    try:
        note = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
        made = note["made_from"] if "made_from" in note else note["key"]
        if made["what"] != "om":
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        facts = OmFacts(
            sha256=digest,
            onnx_sha256=str(made["onnx"]),
            batch=int(made["batch"]) if "batch" in made else None,
            gears=tuple(int(size) for size in made["gears"].split(",")) if "gears" in made else (),
            soc_version=str(made["soc_version"]),
            precision_mode=str(made["precision_mode"]),
            cann=str(made.get("cann", "")),
            tool=str(made["tool"]),
            notes=tuple(str(each) for each in note.get("notes", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return facts if note.get("sha256") == digest and facts.batches else None


def _check_length(path: Path, size: int, length: int, long_length: int) -> None:
    """Raise ModelMismatch unless the content is as long as the header says.

    Its field of 32 bits cannot say it for more than 4 GiB; one of 64 bits is set by newer versions only.
    """
    content = size - HEADER_BYTES
    if content in (length, long_length) or (content >= _LENGTH_LIMIT and long_length == 0):
        return
    expected = HEADER_BYTES + (long_length or length)
    what = "cut off" if size < expected else "longer than it should be"
    raise ModelMismatch(
        f"{path} is {what}: it has {size} bytes, and its header says {expected}; copy or convert it again."
    )


def _what_else(head: bytes, path: Path) -> str:
    for pattern, kind, remedy in _LOOKS_LIKE:
        if pattern.match(head):
            return f"is {kind}, not an .om file; {remedy}."
    if path.suffix.lower() == ".onnx":
        return f"is named as an .onnx file, not an .om; {_MAKE}."
    return f"is no .om file: it begins with {head[:4]!r} instead of {MAGIC!r}; {_MAKE}."


def _text(field: bytes) -> str:
    """A text of fixed length, as far as it can be printed."""
    text = field.partition(b"\0")[0].decode("ascii", errors="replace")
    return "".join(sign for sign in text if sign.isprintable())
