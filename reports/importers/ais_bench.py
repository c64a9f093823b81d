"""Text logs of ais_bench, msame's successor.

Written after its public sources: `[INFO] NPU_compute_time (ms): min = A, max = B, mean = C, median = D,
percentile(99%) = E`, with --threads only `mean = C`, then the throughput in one of three forms,
`throughput 1000*batchsize.mean(16)/NPU_compute_time.mean(C): T`, `throughput 1000*batchsize(16)/...: T` and
`throughput (1000*batchsize/NPU_compute_time): T`. Times are the host's around aclmdlExecute after warm-up; the
throughput is the reciprocal of their mean, not a rate that was measured. With several devices there are several such
blocks, then `i:0 device_1 throughput:T start_time:.. end_time:..` a device and the sum of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reports.importers import ais_bench_summary
from reports.importers import text as logs
from reports.importers.ais_bench_summary import CLAUSES, batch_from, copies_clause
from reports.importers.log import LogError, ToolLog, latency, number_of, rate
from reports.records import Stated

_TIMES = re.compile(r"NPU_compute_time\s*\(ms\)\s*:(?=\s*(?:min|mean)\s*=)(.*)")
_TIMES_CUT = re.compile(r"NPU_compute_time\s*\(ms\)")
_THROUGHPUT = re.compile(r"throughput\s+\(?1000\s*\*\s*batchsize(?:\.mean)?(?:\(([^)]*)\))?\s*/[^:]*:\s*(\S+)")
_COPIES = re.compile(r"\b(H2D|D2H)_latency\s*\(ms\)\s*:.*?mean\s*=\s*([^\s,]+)")
_FIGURE = re.compile(r"(min|max|mean|median|percentile\((\d+(?:\.\d+)?)%\))\s*=\s*([^\s,]+)")
_SEVERAL = re.compile(r"multidevice:\[(.*?)\] run begin")
_DEVICE = re.compile(r"\bdevice_(\d{1,6}) throughput\s*:\s*\S+(?:\s+start_time:(\S+)\s+end_time:(\S+))?")
_SUM = re.compile(r"summary throughput\s*:\s*(\S+)")
_MODEL = re.compile(r"load model (?:.*/)?([^/\s]+\.om) success")
_ONE_DEVICE = re.compile(r"open device (\d{1,6}) success")
_GUESS = re.compile(r"try get model batchsize\s*:\s*(\d{1,6})\b")
_COMMAND = re.compile(r"(\S*python\S*\s+(?:-m\s+ais_bench|\S*ais_infer\.py)\b.*)")
#: Devices that ran for less than this share of the whole time at once were not measured together.
_TOGETHER = 0.9


@dataclass(slots=True)
class _Found:
    """What has been read so far; the blocks of one device each."""

    blocks: list[Stated] = field(default_factory=list)
    #: as printed, and as the throughput was reckoned with
    batches: list[str] = field(default_factory=list)
    throughputs: list[float] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    several: bool = False
    #: devices that it was to run on
    asked: int = 0
    total: float | None = None
    guess: int | None = None
    #: mean times of the copies, in ms
    copies: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    model: str = ""
    command: str = ""


def parse(path: Path, text: str) -> ToolLog:
    """A text log, or a summary in JSON. Raises LogError."""
    if logs.is_json(text):
        return ais_bench_summary.parse(path, text)
    lines = logs.lines_of(text)
    found = _Found(several=any(_SEVERAL.search(line) or _DEVICE.search(line) for line in lines))
    for number, line in enumerate(lines, start=1):
        if not _take_figures(found, path, number, line):
            _take_other(found, line)
    if not found.blocks:
        _refuse(path, text, lines)
    return _log(found)


def _refuse(path: Path, text: str, lines: Sequence[str]) -> None:
    """Raises LogError that says why there is no figure."""
    for number, line in enumerate(lines, start=1):
        if _TIMES_CUT.search(line):
            raise LogError(f"{path}, line {number}: the line of the times is cut off; export the log again.")
    logs.refuse_foreign(path, text, "ais_bench")
    error = logs.first_error(lines, ["[ERROR]", "Error:", "Traceback"])
    if error:
        raise LogError(f"{path}: this run failed ({error}); run ais_bench again.")
    raise LogError(f"{path} holds no NPU_compute_time of ais_bench; keep all that it prints, and name that.")


def _take_figures(found: _Found, path: Path, number: int, line: str) -> bool:
    """Whether the line held times or a throughput."""
    if told := _TIMES.search(line):
        if found.blocks and not found.several:
            raise LogError(f"{path}, line {number}: the times of a second run; keep one log a file.")
        found.blocks.append(_stated(path, number, told[1]))
    elif told := _THROUGHPUT.search(line):
        found.batches.append(told[1] or "")
        found.throughputs.append(number_of(told[2]))
    elif told := _DEVICE.search(line):
        found.devices.append(told[1])
        if told[2]:
            found.spans.append((number_of(told[2]), number_of(told[3])))
    elif told := _SUM.search(line):
        found.total = rate(number_of(told[1]))
    elif told := _SEVERAL.search(line):
        if found.asked:
            raise LogError(f"{path}, line {number}: a second run begins here; keep one log a file.")
        found.asked = len(told[1].split(","))
    else:
        return False
    return True


def _take_other(found: _Found, line: str) -> None:
    if told := _COPIES.search(line):
        found.copies[told[1]] = number_of(told[2])
    elif told := _GUESS.search(line):
        found.guess = int(told[1]) or None
    elif told := _MODEL.search(line):
        found.model = told[1]
    elif told := _ONE_DEVICE.search(line):
        devices = found.settings.get("device", "").split(", ")
        found.settings["device"] = ", ".join(sorted({told[1], *devices} - {""}))
    elif told := _COMMAND.search(line):
        found.command = found.command or told[1].strip()


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


def _log(found: _Found) -> ToolLog:
    stated, remarks = (
        _together(found)
        if found.several
        else (found.blocks[0], copies_clause(found.copies.get("H2D"), found.copies.get("D2H")))
    )
    batch, more = _batch(found)
    fps = found.total if found.several else next(map(rate, found.throughputs), None)
    if stated.min_ms is None and stated.median_ms is None and not found.several:
        remarks.append("it ran several threads: the mean is busy time over inferences, not the latency of one")
    return ToolLog(
        tool="ais_bench", clock="host", model=found.model, command=found.command, batch=batch,
        settings=found.settings, remarks=(*CLAUSES, *remarks, *more),
        stated=Stated(
            mean_ms=stated.mean_ms, median_ms=stated.median_ms, min_ms=stated.min_ms, max_ms=stated.max_ms,
            percentiles_ms=stated.percentiles_ms, fps=fps,
        ),
    )  # fmt: skip


def _batch(found: _Found) -> tuple[int | None, list[str]]:
    """The batch size that the throughput was reckoned with, and what to say where there is no single one."""
    if not found.throughputs:
        return found.guess, ["the log was cut off before the throughput"]
    told = {
        number_of(printed) if printed else batch_from(throughput, block.mean_ms or 0.0)
        for printed, throughput, block in zip(found.batches, found.throughputs, found.blocks, strict=False)
    }
    batch = told.pop() if len(told) == 1 else None
    if batch is None or not (1 <= batch <= 1e6 and batch == int(batch)):
        return None, ["it names no single batch size: that of the inferences differed, or the lines are damaged"]
    return int(batch), []


def _together(found: _Found) -> tuple[Stated, list[str]]:
    """Several devices as one: the mean of their means, and what a reader must know of it."""
    means, least, most = (
        [value for block in found.blocks if (value := getattr(block, name))] for name in ("mean_ms", "min_ms", "max_ms")
    )
    count = max(found.asked, len(found.devices), len(found.blocks))
    remarks = [
        f"{count} devices at once: the latency is the mean of their means, the throughput the sum of their reciprocals"
    ]
    if len(found.blocks) < count:
        remarks.append(f"only {len(found.blocks)} of them told their times")
    if len(found.spans) > 1 and all(math.isfinite(moment) for span in found.spans for moment in span):
        starts, ends = zip(*found.spans, strict=True)
        whole = max(ends) - min(starts)
        share = max(0.0, min(ends) - max(starts)) / whole if whole > 0 else 0.0
        if share < _TOGETHER:
            remarks.append(f"they ran together for {share:.0%} of the time only")
    stated = Stated(mean_ms=sum(means) / len(means), min_ms=min(least, default=None), max_ms=max(most, default=None))
    return stated, remarks
