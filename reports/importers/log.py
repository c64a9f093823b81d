"""What a log of another tool tells, and how it is said that one cannot be read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from reports.records import Clock, RecordedPrecision, Stated

Tool: TypeAlias = Literal["msame", "ais_bench", "trtexec"]
TOOLS: tuple[Tool, ...] = ("msame", "ais_bench", "trtexec")

#: No inference takes a day; a number above is no latency in milliseconds.
_MOST_MS = 86_400_000.0
#: As C and C++ print numbers; float() also takes `1_0`, and digits of every script.
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
#: Numbers of two decimals, and of six digits, round; what is further apart is not of the same inferences.
_ROUNDING_MS = 0.006
_APART = 0.001


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
    #: the card's name, as its driver spells it
    device: str = ""
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
    #: batches a second, where the log does not tell how large they are
    batches_per_s: float | None = None
    #: clauses that a reader must know
    remarks: tuple[str, ...] = ()
    #: of the file's bytes
    sha256: str = field(default="", compare=False)


def number_of(text: str) -> float:
    """The number in a tool's text, `5.34373` or `2.54521e+06`; NaN for what is none."""
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def latency(text: str, path: Path, line: int | None, what: str) -> float:
    """A latency in ms from a tool's text. Raises LogError for what is none."""
    return _checked(number_of(text), text, path, line, what)


def checked(value: object, path: Path, line: int | None, what: str) -> float:
    """The value, from JSON, if it can be a latency in ms. Raises LogError."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    return _checked(number, repr(value), path, line, what)


def _checked(number: float, text: str, path: Path, line: int | None, what: str) -> float:
    if not 0 < number < _MOST_MS:
        where = f"{path}, line {line}" if line else str(path)
        shown = "".join(sign for sign in text[:40] if sign.isprintable())
        raise LogError(f"{where}: {what} is {shown!r}, which is no latency in ms; the log is damaged, export it again.")
    return float(number)


def check_order(path: Path, stated: Stated) -> None:
    """Raises LogError for a mean or a median that is not between the least and the greatest latency."""
    least, most = stated.min_ms or 0.0, stated.max_ms or math.inf
    for name, value in (("mean", stated.mean_ms), ("median", stated.median_ms)):
        if value is not None and not least * (1 - _APART) <= value <= most * (1 + _APART):
            raise LogError(
                f"{path}: its {name} of {value:g} ms is not between its least and greatest latency, {least:g} and"
                f" {most:g} ms; the log was edited or damaged, export it again."
            )


def rate(value: float) -> float | None:
    """Images or queries a second; None for 0, which some versions print for "not known", and for what is no rate."""
    return float(value) if 0 < value < 1e12 else None


def batch_of(shapes: dict[str, list[int]]) -> int | None:
    """The first dimension that all inputs share; None where they differ or none is known."""
    first = {dimensions[0] for dimensions in shapes.values() if dimensions}
    return first.pop() if len(first) == 1 else None


def disagreement(tool: Tool, stated_ms: float | None, samples_ms: Sequence[float]) -> list[str]:
    """A clause where a tool's own mean is not that of the times in its log; empty where it is, or either is unknown."""
    if stated_ms is None or not samples_ms:
        return []
    mean = sum(samples_ms) / len(samples_ms)
    if abs(stated_ms - mean) <= max(_ROUNDING_MS, _APART * mean):
        return []
    return [
        f"{tool} states an average of {stated_ms:g} ms, the {len(samples_ms)} times in the log give {mean:.5g} ms"
        f" ({stated_ms / mean - 1:+.1%}): it is not of the same inferences"
    ]
