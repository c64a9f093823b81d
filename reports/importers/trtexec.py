"""Text logs of trtexec: TensorRT 7 (a value a line, in sections), 8, 10 and 11 (a line a metric).

Written after TensorRT's public sources and logs. What counts is GPU Compute: the device's own events around one query,
while the next one is enqueued already. The same words stand in several sections and labels, so values are read by their
section (7) or by their label (8 on). What stands before the severity, such as a time stamp, is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from reports.importers import text as logs
from reports.importers import trtexec_times
from reports.importers.flags import Flags
from reports.importers.log import LogError, ToolLog, batch_of, disagreement, latency, number_of, rate
from reports.records import Stated

_SEVERITY = re.compile(r"\[([VIWEF])\]\s*(?:\[TRT\]\s*)?")
_STAMPS = re.compile(r"^\s*(?:\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\]\s*)+")
_HEADER = re.compile(
    r"&&&& (RUNNING|PASSED|FAILED) TensorRT\.trtexec\s*(?:\[TensorRT v([\d.]+)\])?\s*(?:\[b\d+\])?\s*#?\s*(.*)"
)
_VERSION = re.compile(r"^TensorRT version: (\d+(?:\.\d+)+)")
#: "Total GPU Compute Time: 3.0 s", and the explanations in verbose logs, have no figure by name.
_ONE_LINE = re.compile(r"\bGPU Compute(?: Time)?: ((?:min|max|mean|median) = .*)")
_FIGURE = re.compile(r"(min|max|mean|median|percentile\((\d+(?:\.\d+)?)%\)) = (\S+?)\s*ms\b")
_SECTION = re.compile(r"^(Host [Ll]atency|Enqueue Time|GPU Compute|total compute time:.*)$")
_VALUE = re.compile(r"^(min|max|mean|median): (\S+?)\s*ms\b")
_PERCENTILE = re.compile(r"^percentile: (\S+?)\s*ms at (\d+(?:\.\d+)?)%")
_QUERIES = re.compile(r"^Timing trace has (\d{1,12}) queries")
_THROUGHPUT = re.compile(r"^[Tt]hroughput: (\S+) qps")
_AVERAGE = re.compile(r"^Average on (\d+) runs - GPU latency: (\S+?)\s*ms\b")
_BINDING = re.compile(r"^(?:Created input|Input) binding for (\S+) with dimensions (\d+(?:x\d+)*)")
_SHAPE = re.compile(r"^Input inference shapes?\s*(?:\(.*?\))?\s*:\s*(\S+?)=(\d+(?:x\d+)*)")
_OPTION = re.compile(
    r"^(Precision|Data transfers|CUDA Graph|Spin-wait|ExposeDMA|Inference Streams|Streams|Batch|Selected Device): ?(.+)"
)
_WARNINGS = ("GPU compute time is unstable", "Throughput may be bound by")
#: Where the digits of a version number lie: v8601 is 8.6.1, v100900 is 10.9.0.
_NEW_NUMBERS = 100_000
#: The mean of all times and the one that is stated agree to six digits.
_ALIKE = 1e-3


@dataclass(slots=True)
class _Found:
    """What has been read so far."""

    version: str = ""
    command: str = ""
    headed: bool = False
    ended: str = ""
    section: str = ""
    sectioned: bool = False
    figures: dict[str, float] = field(default_factory=dict)
    percentiles: dict[str, float] = field(default_factory=dict)
    #: line at which the figures began
    at: int = 0
    options: dict[str, str] = field(default_factory=dict)
    bindings: dict[str, list[int]] = field(default_factory=dict)
    count: int | None = None
    qps: float | None = None
    #: with --avgRuns=1 the time of every query; else how many one average is of
    averages: list[float] = field(default_factory=list)
    averaged: set[str] = field(default_factory=set)
    remarks: list[str] = field(default_factory=list)


def parse(path: Path, text: str) -> ToolLog:
    """A text log, or what --exportTimes wrote. Raises LogError."""
    if logs.is_json(text):
        return trtexec_times.parse(path, text)
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
    if found.figures or found.percentiles:
        raise LogError(f"{path}, line {found.at}: GPU Compute is cut off before its mean; export the log again.")
    if not found.headed and "GPU Compute" not in text:
        logs.refuse_foreign(path, text, "trtexec")
    error = logs.first_error(lines, ["[E]"])
    if error:
        raise LogError(f"{path}: this run has no figures ({error}); run trtexec again.")
    if found.ended == "PASSED":
        raise LogError(
            f"{path} is of a run that only built an engine; run trtexec with --loadEngine, and name its log."
        )
    raise LogError(f"{path} holds no GPU Compute of trtexec; keep all that trtexec prints (or its last 30 lines).")


def _take(found: _Found, path: Path, number: int, line: str) -> None:
    marked = _SEVERITY.search(line)
    severity = marked[1] if marked else ""
    words = line[marked.end() :].strip() if marked else _STAMPS.sub("", line).strip()
    if header := _HEADER.search(line):
        _take_header(found, path, number, header)
    elif severity == "W" or words.startswith("* "):
        if any(sign in words for sign in _WARNINGS):
            found.remarks.append(" ".join(words.lstrip("* ").split())[:200])
    elif metric := _ONE_LINE.search(line):
        _begin(found, path, number)
        for name, percent, value in _FIGURE.findall(metric[1]):
            _keep(found, name if not percent else "", percent, latency(value, path, number, f"GPU Compute {name}"))
    elif section := _SECTION.match(words):
        found.section = section[1]
        if found.section == "GPU Compute":
            found.sectioned = True
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
        if not found.headed:  # the log's end was kept, and its command stands there, too
            found.version, found.command = _version(version or ""), rest.strip()
        return
    if found.headed or found.figures:
        raise LogError(f"{path}, line {number}: a second run begins here; keep one log a file.")
    found.headed, found.ended = True, ""
    found.version, found.command = _version(version or ""), rest.strip()


def _begin(found: _Found, path: Path, number: int) -> None:
    if found.figures:
        raise LogError(f"{path}, line {number}: the figures of a second run; keep one log a file.")
    if found.ended:
        raise LogError(f"{path}, line {number}: figures of a run after the one that has ended; keep one log a file.")
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
        found.bindings[binding[1]] = [int(part[:9]) for part in binding[2].split("x")]
    elif queries := _QUERIES.match(words):
        found.count = int(queries[1]) or None
    elif average := _AVERAGE.match(words):
        found.averaged.add(average[1])
        found.averages.append(number_of(average[2]))
    elif (throughput := _THROUGHPUT.match(words)) and found.qps is None:
        found.qps = rate(number_of(throughput[1]))


def _version(number: str) -> str:
    """`8.6.1` from `8601`, `10.9.0` from `100900`; empty for what is none."""
    if "." in number:
        return number.strip(".")[:20]
    if not 4 <= len(number) <= 6:
        return ""
    digits = int(number)
    if digits >= _NEW_NUMBERS:
        return f"{digits // 10_000}.{digits // 100 % 100}.{digits % 100}"
    return f"{digits // 1000}.{digits // 100 % 10}.{digits % 100}"


def _samples(found: _Found) -> tuple[float, ...]:
    """Every query, where the log holds all of them: averages of one query each, which give the stated mean."""
    mean = found.figures["mean"]
    if found.averaged != {"1"} or not all(value > 0 for value in found.averages):
        return ()
    if abs(sum(found.averages) / len(found.averages) - mean) > _ALIKE * mean:
        return ()
    return tuple(found.averages)


def _log(found: _Found) -> ToolLog:
    known = found.headed or bool(found.command)
    major = int(found.version.partition(".")[0] or (7 if known and found.sectioned else 0))
    flags = Flags.of(found.command, major, found.options, known=known)
    # Without batches in the network, bindings are of one image; otherwise they are what was really run.
    shapes = {} if flags.implicit_batch else found.bindings or flags.shapes
    batch = flags.implicit_batch or batch_of(shapes) or None
    samples = _samples(found)
    remarks = [*flags.remarks, *dict.fromkeys(found.remarks)]
    remarks += disagreement("trtexec", found.figures["mean"], samples)
    if found.headed and not found.ended:
        remarks.append("the log does not end with PASSED: it was cut")
    # An implicit batch is counted in queries and in qps already.
    count = found.count // flags.implicit_batch if found.count and flags.implicit_batch else found.count
    images = found.qps if flags.implicit_batch else found.qps * batch if found.qps and batch else None
    return ToolLog(
        tool="trtexec", clock="device-events", version=found.version, command=found.command,
        model=PurePath(flags.model).name, device=found.options.get("Selected Device", ""), shapes=shapes, batch=batch,
        precision=flags.precision, tf32_allowed=flags.tf32_allowed, settings=flags.settings, samples_ms=samples,
        remarks=tuple(remarks), batches_per_s=found.qps if images is None else None,
        stated=Stated(
            count=count or None, mean_ms=found.figures["mean"], median_ms=found.figures.get("median"),
            min_ms=found.figures.get("min"), max_ms=found.figures.get("max"), percentiles_ms=found.percentiles,
            fps=images,
        ),
    )  # fmt: skip
