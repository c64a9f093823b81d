"""What a log of another tool tells, and how it is said that one cannot be read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from reports.records import Clock, RecordedPrecision, Stated

Tool: TypeAlias = Literal["msame", "ais_bench", "trtexec"]
TOOLS: tuple[Tool, ...] = ("msame", "ais_bench", "trtexec")

#: No inference takes a day; a number above is no latency in milliseconds.
_MOST_MS = 86_400_000.0


class LogError(ValueError):
    """A log cannot be imported; one line with the file, the line and what to do."""


@dataclass(frozen=True, slots=True)
class ToolLog:
    """One measurement by another tool. What its log does not tell is empty, None or "unknown"; nothing is guessed."""

    tool: Tool
    clock: Clock
    #: as in `8.6.1`
    version: str = ""
    command: str = ""
    #: the model file's name
    model: str = ""
    #: input name -> shape
    shapes: dict[str, list[int]] = field(default_factory=dict)
    batch: int | None = None
    precision: RecordedPrecision = "unknown"
    #: it computed in fp32, in which cards that have TF32 use that
    tf32_allowed: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    #: every inference in its order, in ms
    samples_ms: tuple[float, ...] = ()
    stated: Stated = field(default_factory=Stated)
    #: clauses that a reader must know
    remarks: tuple[str, ...] = ()


def latency(text: str, path: Path, line: int | None, what: str) -> float:
    """A latency in ms from a tool's number, `5.34373` or `2.54521e+06`. Raises LogError for what is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    return _checked(value, text, path, line, what)


def checked(value: object, path: Path, line: int | None, what: str) -> float:
    """The value, from JSON, if it can be a latency in ms. Raises LogError."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    return _checked(number, str(value), path, line, what)


def _checked(number: float, text: str, path: Path, line: int | None, what: str) -> float:
    if not 0 < number < _MOST_MS:
        where = f"{path}, line {line}" if line else str(path)
        shown = "".join(sign for sign in text[:40] if sign.isprintable())
        raise LogError(f"{where}: {what} is {shown!r}, which is no latency in ms; the log is damaged, export it again.")
    return float(number)


def batch_of(shapes: dict[str, list[int]]) -> int | None:
    """The first dimension that all inputs share; None where they differ or none is known."""
    first = {dimensions[0] for dimensions in shapes.values() if dimensions}
    return first.pop() if len(first) == 1 else None
