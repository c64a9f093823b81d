"""The summary that ais_bench writes with --output, `<name>_summary.json`: every run, in ms, and figures of them.

Written after its public sources. With --threads and --pipeline the list holds pairs of start and end, and the mean is
busy time over inferences.
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePath
from typing import Any

from reports.importers import text as logs
from reports.importers.log import LogError, ToolLog, checked, disagreement, rate
from reports.records import Stated

CLAUSES = (
    "the time is the host's around aclmdlExecute, after warm-up, without copies, on one chip",
    "its throughput is the reciprocal of the mean latency, not a measured rate",
)
_PERCENTILE = re.compile(r"percentile\((\d+(?:\.\d+)?)%\)")
#: How far a batch size from throughput and mean may be off a whole number: some print both with few digits.
_WHOLE = 0.02
_MOST_IMAGES = 1_000_000


def batch_from(throughput: float, mean_ms: float) -> int | None:
    """The batch size that a throughput was reckoned with: throughput = 1000 × batch size / mean."""
    images = throughput * mean_ms / 1000
    if not 0.5 < images < _MOST_IMAGES:
        return None
    return round(images) if abs(images - round(images)) < _WHOLE * images else None


def copies_clause(to_device_ms: float | None, back_ms: float | None) -> list[str]:
    """What the copies took, which the latency does not hold; empty where the tool does not tell."""
    if to_device_ms is None or back_ms is None:
        return []
    return [f"beside it, copies took {to_device_ms:.4g} ms to the device and {back_ms:.4g} ms back (means)"]


def parse(path: Path, text: str) -> ToolLog:
    """Raises LogError."""
    content = _content(path, text)
    told = content["NPU_compute_time"]
    figures = {
        name: checked(value, path, None, f"NPU_compute_time {name}")
        for name, value in told.items()
        if name in ("min", "max", "mean", "median") and value is not None
    }
    percentiles = {
        found[1]: checked(value, path, None, name)
        for name, value in told.items()
        if (found := _PERCENTILE.fullmatch(str(name)))
    }
    samples, remarks = _samples(path, content)
    if not samples and "mean" not in figures:
        raise LogError(f"{path} tells neither a mean nor single times; run ais_bench again.")
    throughput = content.get("throughput")
    fps = rate(throughput) if isinstance(throughput, int | float) and not isinstance(throughput, bool) else None
    mean = figures.get("mean") or sum(samples) / len(samples)
    model, command = _arguments(content.get("args"))
    return ToolLog(
        tool="ais_bench", clock="host", model=model, command=command,
        batch=batch_from(fps, mean) if fps else None, samples_ms=samples,
        remarks=(*CLAUSES, *_copies(content), *remarks, *disagreement("ais_bench", figures.get("mean"), samples)),
        stated=Stated(
            count=len(samples) or None, mean_ms=figures.get("mean"), median_ms=figures.get("median"),
            min_ms=figures.get("min"), max_ms=figures.get("max"), percentiles_ms=percentiles, fps=fps,
        ),
    )  # fmt: skip


def _content(path: Path, text: str) -> dict[str, Any]:
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        logs.refuse_foreign(path, text, "ais_bench")
        raise LogError(f"{path} is no JSON ({error}): cut off, or edited; name ais_bench's _summary.json.") from None
    if not isinstance(content, dict) or not isinstance(content.get("NPU_compute_time"), dict):
        logs.refuse_foreign(path, text, "ais_bench")
        raise LogError(f"{path} is no summary of ais_bench: it has no NPU_compute_time; name its _summary.json.")
    return content


def _samples(path: Path, content: dict[str, Any]) -> tuple[tuple[float, ...], list[str]]:
    listed = content.get("npu_compute_time_list", [])
    if not isinstance(listed, list):
        raise LogError(f"{path}: npu_compute_time_list is no list; the file was edited, export it again.")
    if listed and all(isinstance(value, list) for value in listed):
        return (), ["it ran several threads: the mean is busy time over inferences, not the latency of one"]
    return tuple(checked(value, path, None, f"npu_compute_time_list[{n}]") for n, value in enumerate(listed)), []


def _copies(content: dict[str, Any]) -> list[str]:
    means = []
    for name in ("H2D", "D2H"):
        told = content.get(f"{name}_latency")
        value = told.get("mean") if isinstance(told, dict) else None
        means.append(value if isinstance(value, float) else None)
    return copies_clause(*means)


def _arguments(arguments: object) -> tuple[str, str]:
    """The model file's name and the command, from the list of words that ais_bench was called with."""
    if isinstance(arguments, dict):
        return PurePath(str(arguments.get("model", ""))).name, ""
    if not isinstance(arguments, list):
        return "", ""
    words = [str(word)[:500] for word in arguments]
    models = [
        value or following
        for (flag, _, value), following in zip((word.partition("=") for word in words), [*words[1:], ""], strict=False)
        if flag in ("--model", "--om-model", "-m", "--m")
    ]
    return PurePath(models[0]).name if models else "", " ".join(words)
