"""Text logs of trtexec: TensorRT 7 (a value a line, in sections), 8, 10 and 11 (a line a metric).

Written after TensorRT's public sources and logs. What counts is GPU Compute: the device's own events around one query,
while the next one is enqueued already. The same words stand in several sections and labels, so lines are read by their
section (7) or from their start (8 on), once time stamp and severity are off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from reports.importers import text as logs
from reports.importers import trtexec_times
from reports.importers.flags import Flags
from reports.importers.log import LogError, ToolLog, batch_of, latency
from reports.records import Stated

_PREFIX = re.compile(r"^\s*(?:\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\]\s*)?(?:\[([IVWE])\]\s*)?(?:\[TRT\]\s*)?")
_HEADER = re.compile(
    r"&&&& (RUNNING|PASSED|FAILED) TensorRT\.trtexec\s*(?:\[TensorRT v(\d+)\])?\s*(?:\[b\d+\])?\s*#?\s*(.*)"
)
_VERSION = re.compile(r"^TensorRT version: (\d+(?:\.\d+)+)")
_ONE_LINE = re.compile(r"^GPU Compute(?: Time)?: (min = .*)")
_FIGURE = re.compile(r"(min|max|mean|median|percentile\((\d+(?:\.\d+)?)%\)) = (\S+?) ms")
_SECTION = re.compile(r"^(Host [Ll]atency|Enqueue Time|GPU Compute)$")
_VALUE = re.compile(r"^(min|max|mean|median): (\S+) ms")
_PERCENTILE = re.compile(r"^percentile: (\S+) ms at (\d+(?:\.\d+)?)%")
_QUERIES = re.compile(r"^(?:Timing trace has|Trace averages|Computed) (\d+) queries")
_THROUGHPUT = re.compile(r"^[Tt]hroughput: (\S+) qps")
_BINDING = re.compile(r"^(?:Created input binding for|Input binding for) (\S+) with dimensions (\d+(?:x\d+)*)")
_SHAPE = re.compile(r"^Input inference shapes?\s*:\s*(\S+?)=(\d+(?:x\d+)*)")
_OPTION = re.compile(r"^(Precision|Data transfers|CUDA Graph|Spin-wait|Inference Streams|Streams): ?(.+)")
_WARNINGS = ("GPU compute time is unstable", "Throughput may be bound by", "bound by Enqueue Time")
#: Where the digits of a version number lie: v8601 is 8.6.1, v100900 is 10.9.0.
_NEW_NUMBERS = 100_000


@dataclass(slots=True)
class _Found:
    """What has been read so far."""

    version: str = ""
    command: str = ""
    headed: bool = False
    ended: str = ""
    section: str = ""
    figures: dict[str, float] = field(default_factory=dict)
    percentiles: dict[str, float] = field(default_factory=dict)
    #: line at which the figures began
    at: int = 0
    options: dict[str, str] = field(default_factory=dict)
    bindings: dict[str, list[int]] = field(default_factory=dict)
    count: int | None = None
    qps: float | None = None
    remarks: list[str] = field(default_factory=list)


def read(path: Path) -> ToolLog:
    """A text log, or what --exportTimes wrote. Raises LogError."""
    text = logs.read(path)
    if logs.is_json(text):
        return trtexec_times.read(path, text)
    lines = logs.lines_of(text)
    found = _Found()
    for number, line in enumerate(lines, start=1):
        _take(found, path, number, line)
    if found.ended == "FAILED":
        error = logs.first_error(lines, ["[E]"]) or "the log does not tell why"
        raise LogError(f"{path}: this run failed ({error}); run trtexec again.")
    if "mean" not in found.figures:
        _refuse(path, text, lines, found)
    return _log(found)


def _refuse(path: Path, text: str, lines: Sequence[str], found: _Found) -> None:
    """Raises LogError that says why there is no figure."""
    if found.figures:
        raise LogError(f"{path}, line {found.at}: GPU Compute is cut off before its mean; export the log again.")
    if not found.headed and "GPU Compute" not in text:
        logs.refuse_foreign(path, text, "trtexec")
    error = logs.first_error(lines, ["[E]"])
    if error:
        raise LogError(f"{path}: this run has no figures ({error}); run trtexec again.")
    raise LogError(f"{path} holds no GPU Compute of trtexec; keep all that trtexec prints (or its last 30 lines).")


def _take(found: _Found, path: Path, number: int, line: str) -> None:
    prefix = _PREFIX.match(line)
    severity = prefix[1] if prefix else ""
    words = line[prefix.end() :].strip() if prefix else line.strip()
    if header := _HEADER.search(words):
        _take_header(found, path, number, header)
    elif severity == "W" or words.startswith("* "):
        if any(sign in words for sign in _WARNINGS):
            found.remarks.append(" ".join(words.lstrip("* ").split())[:200])
    elif metric := _ONE_LINE.match(words):
        _begin(found, path, number)
        for name, percent, value in _FIGURE.findall(metric[1]):
            _keep(found, name if not percent else "", percent, latency(value, path, number, f"GPU Compute {name}"))
    elif section := _SECTION.match(words):
        found.section = section[1]
        if found.section == "GPU Compute":
            _begin(found, path, number)
    elif found.section == "GPU Compute" and (value := _VALUE.match(words)):
        _keep(found, value[1], "", latency(value[2], path, number, f"GPU Compute {value[1]}"))
    elif found.section == "GPU Compute" and (value := _PERCENTILE.match(words)):
        _keep(found, "", value[2], latency(value[1], path, number, "GPU Compute percentile"))
    else:
        _take_other(found, words)


def _take_header(found: _Found, path: Path, number: int, header: re.Match[str]) -> None:
    kind, version, rest = header[1], header[2], header[3]
    if kind != "RUNNING":
        found.ended = kind
        return
    if found.headed or found.figures:
        raise LogError(f"{path}, line {number}: a second run begins here; keep one log a file.")
    found.headed = True
    found.version = _version(int(version)) if version and len(version) < 10 else ""
    found.command = rest.strip()


def _begin(found: _Found, path: Path, number: int) -> None:
    if found.figures:
        raise LogError(f"{path}, line {number}: the figures of a second run; keep one log a file.")
    found.at = number


def _keep(found: _Found, name: str, percent: str, value: float) -> None:
    if percent:
        found.percentiles.setdefault(percent, value)
    else:
        found.figures.setdefault(name, value)


def _take_other(found: _Found, words: str) -> None:
    if version := _VERSION.match(words):
        found.version = found.version or version[1]
    elif option := _OPTION.match(words):
        found.options.setdefault(option[1], option[2].strip()[:60])
    elif binding := (_BINDING.match(words) or _SHAPE.match(words)):
        found.bindings.setdefault(binding[1], _dimensions(binding[2]))
    elif queries := _QUERIES.match(words):
        found.count = int(queries[1][:9]) or None
    elif (rate := _THROUGHPUT.match(words)) and found.qps is None:
        found.qps = _rate(rate[1])


def _rate(text: str) -> float | None:
    """Queries a second; None for 0, which some versions print for "not known"."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < 1e9 else None


def _version(number: int) -> str:
    if number >= _NEW_NUMBERS:
        return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"
    return f"{number // 1000}.{number // 100 % 10}.{number % 100}"


def _dimensions(text: str) -> list[int]:
    return [int(part[:9]) for part in text.split("x")]


def _log(found: _Found) -> ToolLog:
    flags = Flags.of(found.command, found.version, found.options, headed=found.headed)
    shapes = flags.shapes or {name: dims for name, dims in found.bindings.items() if dims}
    batch = batch_of(shapes) or flags.implicit_batch
    images = found.qps
    if found.qps is not None and not flags.implicit_batch:
        images = found.qps * batch if batch else None
    remarks = ["GPU Compute: the device's own events, without copies, with the next query enqueued already"]
    remarks += [*flags.remarks, *dict.fromkeys(found.remarks)]
    if found.headed and not found.ended:
        remarks.append("the log does not end with PASSED: it was cut")
    return ToolLog(
        tool="trtexec", clock="device-events", version=found.version, command=found.command[:2000],
        model=PurePath(flags.model).name, shapes=shapes, batch=batch, precision=flags.precision,
        tf32_allowed=flags.tf32_allowed, settings=flags.settings, remarks=tuple(remarks),
        stated=Stated(
            count=found.count, mean_ms=found.figures["mean"], median_ms=found.figures.get("median"),
            min_ms=found.figures.get("min"), max_ms=found.figures.get("max"), percentiles_ms=found.percentiles,
            fps=images,
        ),
    )  # fmt: skip
