"""A log file as text and lines, whatever system wrote or copied it, and which tool's log it is."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from reports.importers.log import TOOLS, LogError, Tool

#: A log above this is none: hours of noise are a few megabytes.
_MOST_BYTES = 256 * 2**20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
_ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
#: Control characters that no log holds; a tenth of what a binary file decodes to. Progress bars use \b and \r.
_STRANGE = [chr(code) for code in range(1, 32) if chr(code) not in "\a\b\t\n\v\f\r\x1b"]
_LOOKED_AT = 2**20
_JSON = re.compile(r"\s*(?:\{|\[\s*[{\]])")
#: What only that tool prints.
_SIGNS: dict[Tool, re.Pattern[str]] = {
    "msame": re.compile(r"Inference (average )?time( without first time)? ?[:：]"),
    "ais_bench": re.compile(r"NPU_compute_time|npu_compute_time_list|\bais_bench\b"),
    "trtexec": re.compile(r"TensorRT\.trtexec|GPU Compute( Time)?\b|\"computeMs\""),
}


def read(path: Path) -> tuple[str, str]:
    """The text of a log, and the SHA-256 of its bytes.

    UTF-8, UTF-16 or UTF-32, known by the mark or by the zero bytes; what is not UTF-8 otherwise keeps its ASCII, which
    is all that the tools print. Raises LogError for a file that cannot be read, is empty, is too large to be a log, or
    holds no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise LogError(f"cannot read {path}: {error.strerror or error}; name a log file.") from None
    if len(data) > _MOST_BYTES:
        raise LogError(f"{path} is larger than {_MOST_BYTES >> 20} MiB, which no log is; name the log alone.")
    if not data.strip(b"\x00\r\n\t \xef\xbb\xbf\xff\xfe"):
        raise LogError(f"{path} is empty; run the tool again and keep all that it prints.")
    text = _decode(data).replace("\x00", "")
    start = text[:_LOOKED_AT]
    if sum(map(start.count, _STRANGE)) > max(8, len(start) // 50):
        raise LogError(f"{path} is no text; name what the tool printed, as text or JSON.")
    return _ESCAPE_SEQUENCE.sub("", text), hashlib.sha256(data).hexdigest()


def _decode(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    # Without a mark: UTF-16 of Latin text has a zero in every second byte, on one side only, from its very start on.
    for side, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        starts = [(data[side:length:2], data[1 - side : length : 2]) for length in (32, 4096)]
        if all(zeros.count(0) > 0.6 * len(zeros) and others.count(0) < 0.1 * len(others) for zeros, others in starts):
            return data.decode(encoding, errors="replace")
    return data.decode("utf-8", errors="replace")


def lines_of(text: str) -> list[str]:
    """Lines without their ends, by any of the three kinds of line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def is_json(text: str) -> bool:
    """Whether it begins as a list or an object; a line of a log may begin with a time or a severity in brackets."""
    return _JSON.match(text) is not None


def refuse_foreign(path: Path, text: str, tool: Tool) -> None:
    """Raises LogError for a log of another tool, naming that; to be called where nothing of `tool`'s is found."""
    for other in TOOLS:
        if other != tool and _SIGNS[other].search(text):
            raise LogError(f"{path} is a log of {other}, not of {tool}; use: python -m bench import {other}")


def first_error(lines: Sequence[str], marks: Sequence[str]) -> str:
    """The first line that holds one of the marks, shortened; empty if none does."""
    for line in lines:
        if any(mark in line for mark in marks):
            return " ".join(line.split())[:200]
    return ""
