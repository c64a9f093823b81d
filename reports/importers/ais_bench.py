"""Logs and summaries of ais_bench, msame's successor.

Written after its public sources. Text: `[INFO] NPU_compute_time (ms): min = A, max = B, mean = C, median = D,
percentile(99%) = E` and `[INFO] throughput 1000*batchsize.mean(16)/NPU_compute_time.mean(C): T` (older: batchsize(16)).
JSON (`<name>_summary.json`): the same figures and every run in `npu_compute_time_list`. Times are the host's around
aclmdlExecute after warm-up; the throughput is the reciprocal of their mean, not a rate that was measured.
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePath
from typing import Any

from reports.importers import text as logs
from reports.importers.log import LogError, ToolLog, checked, latency
from reports.records import Stated

_TIMES = re.compile(r"NPU_compute_time\s*\(ms\)\s*:\s*(min\s*=.*)")
_THROUGHPUT = re.compile(r"throughput\s+1000\s*\*\s*batchsize(?:\.mean)?\((\d+)\)[^:]*:\s*(\S+)")
_COPIES = re.compile(r"\b(H2D|D2H)_latency\s*\(ms\)\s*:.*?mean\s*=\s*([^\s,]+)")
_FIGURE = re.compile(r"(min|max|mean|median|percentile\((\d+(?:\.\d+)?)%\))\s*=\s*([^\s,]+)")
_DEVICES = re.compile(r"\bdevice_\d+ throughput\s*:")
_MODEL = re.compile(r"load model (?:.*/)?([^/\s]+\.om) success")
_CLAUSES = (
    "the time is the host's around aclmdlExecute, after warm-up, without copies, on one chip",
    "its throughput is the reciprocal of the mean latency, not a measured rate",
)
#: How far a batch size from throughput and mean may be off a whole number: both are printed with few digits.
_WHOLE = 0.02
_MOST_IMAGES = 1_000_000


def read(path: Path) -> ToolLog:
    """A text log, or a summary in JSON. Raises LogError."""
    text = logs.read(path)
    return _summary(path, text) if logs.is_json(text) else _log(path, text)


def _log(path: Path, text: str) -> ToolLog:
    lines = logs.lines_of(text)
    stated: Stated | None = None
    batch: int | None = None
    settings: dict[str, str] = {}
    model = ""
    several = any(_DEVICES.search(line) for line in lines)
    for number, line in enumerate(lines, start=1):
        if found := _TIMES.search(line):
            if stated is not None:
                advice = (
                    "of several devices: import each device's _summary.json"
                    if several
                    else "of a second run: keep one log a file"
                )
                raise LogError(f"{path}, line {number}: the times {advice}.")
            stated = _stated(path, number, found[1])
        elif found := _THROUGHPUT.search(line):
            batch = int(found[1]) if 0 < int(found[1]) < _MOST_IMAGES else None
        elif found := _COPIES.search(line):
            settings[f"{found[1]} mean (ms)"] = found[2][:20]
        elif found := _MODEL.search(line):
            model = found[1]
    if stated is None:
        logs.refuse_foreign(path, text, "ais_bench")
        error = logs.first_error(lines, ["[ERROR]", "Error:", "Traceback"])
        if error:
            raise LogError(f"{path}: this run failed ({error}); run ais_bench again.")
        raise LogError(f"{path} holds no NPU_compute_time of ais_bench; keep all that it prints, and name that.")
    remarks = [*_CLAUSES, *([] if batch else ["the log was cut off before the throughput, so it tells no batch size"])]
    return ToolLog(
        tool="ais_bench", clock="host", model=model, batch=batch, settings=settings, stated=stated,
        remarks=tuple(remarks),
    )  # fmt: skip


def _stated(path: Path, number: int, text: str) -> Stated:
    values: dict[str, float] = {}
    percentiles: dict[str, float] = {}
    for name, percent, value in _FIGURE.findall(text):
        figure = latency(value, path, number, name)
        if percent:
            percentiles[percent] = figure
        else:
            values[name] = figure
    if "mean" not in values:
        raise LogError(f"{path}, line {number}: the line of the times is cut off; export the log again.")
    return Stated(
        mean_ms=values["mean"], median_ms=values.get("median"), min_ms=values.get("min"), max_ms=values.get("max"),
        percentiles_ms=percentiles,
    )  # fmt: skip


def _summary(path: Path, text: str) -> ToolLog:
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LogError(f"{path} is no JSON ({error}): cut off, or edited; name ais_bench's _summary.json.") from None
    if not isinstance(content, dict) or not isinstance(content.get("NPU_compute_time"), dict):
        logs.refuse_foreign(path, text, "ais_bench")
        raise LogError(f"{path} is no summary of ais_bench: it has no NPU_compute_time; name its _summary.json.")
    told = content["NPU_compute_time"]
    figures = {
        name: checked(value, path, None, f"NPU_compute_time {name}")
        for name, value in told.items()
        if name in ("min", "max", "mean", "median") and value is not None
    }
    percentiles = {
        found[1]: checked(value, path, None, name)
        for name, value in told.items()
        if (found := re.fullmatch(r"percentile\((\d+(?:\.\d+)?)%\)", str(name)))
    }
    listed = content.get("npu_compute_time_list", [])
    if not isinstance(listed, list):
        raise LogError(f"{path}: npu_compute_time_list is no list; the file was edited, export it again.")
    samples = tuple(checked(value, path, None, f"npu_compute_time_list[{n}]") for n, value in enumerate(listed))
    if not samples and "mean" not in figures:
        raise LogError(f"{path} tells neither a mean nor single times; run ais_bench again.")
    arguments = content.get("args")
    model = str(arguments.get("model", "")) if isinstance(arguments, dict) else ""
    mean = figures.get("mean") or sum(samples) / len(samples)
    return ToolLog(
        tool="ais_bench", clock="host", model=PurePath(model).name, batch=_batch(content.get("throughput"), mean),
        samples_ms=samples, remarks=_CLAUSES,
        stated=Stated(
            count=len(samples) or None, mean_ms=figures.get("mean"), median_ms=figures.get("median"),
            min_ms=figures.get("min"), max_ms=figures.get("max"), percentiles_ms=percentiles,
        ),
    )  # fmt: skip


def _batch(throughput: object, mean_ms: float) -> int | None:
    """The batch size that the throughput was reckoned with: throughput = 1000 × batch size / mean."""
    if isinstance(throughput, bool) or not isinstance(throughput, int | float):
        return None
    images = throughput * mean_ms / 1000
    if not 0.5 < images < _MOST_IMAGES:
        return None
    return round(images) if abs(images - round(images)) < _WHOLE * images else None
