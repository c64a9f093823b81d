"""Logs of msame, the Ascend tool that the guide uses.

Written after its public sources: a line `Inference time: 2.3ms` a run, then an average in one of two forms,
`Inference average time : 21.04 ms` (folders of inputs) or `Inference average time: 105.417100 ms` (files, --loop), and
`Inference average time without first time: 21.03 ms` when there was more than one run. People keep such lines with a
label before them. The times are the host's around aclmdlExecute, without copies; the average holds the cold first run.
"""

from __future__ import annotations

import re
from pathlib import Path

from reports.importers import text as logs
from reports.importers.log import LogError, ToolLog, latency
from reports.records import Stated

_NUMBER = r"(\S+?)"
_WITHOUT_FIRST = re.compile(rf"Inference average time without first time\s*:\s*{_NUMBER}\s*ms\b")
_AVERAGE = re.compile(rf"Inference average time\s*:\s*{_NUMBER}\s*ms\b")
_ONE = re.compile(rf"Inference time\s*:\s*{_NUMBER}\s*ms\b")
_MODEL = re.compile(r"load model (?:.*/)?([^/\s]+\.om) success")
_DEVICE = re.compile(r"open device (\d+) success")
_SUCCESS = "Execute sample success"
#: The average is printed with two decimals or more, each run with six digits.
_ROUNDING = 0.005
_DISAGREEMENT = 0.01


def read(path: Path) -> ToolLog:
    """Raises LogError."""
    text = logs.read(path)
    lines = logs.lines_of(text)
    samples: list[float] = []
    average: float | None = None
    without_first: float | None = None
    model, device = "", ""
    for number, line in enumerate(lines, start=1):
        if found := _WITHOUT_FIRST.search(line):
            without_first = latency(found[1], path, number, "the average without the first time")
        elif found := _AVERAGE.search(line):
            if average is not None:
                raise LogError(
                    f"{path}, line {number}: the average of a second run; keep one log a file, and name every file."
                )
            average = latency(found[1], path, number, "the average time")
        elif found := _ONE.search(line):
            if average is not None:
                raise LogError(f"{path}, line {number}: a second run begins here; keep one log a file.")
            samples.append(latency(found[1], path, number, "the time of an inference"))
        elif found := _MODEL.search(line):
            model = found[1]
        elif found := _DEVICE.search(line):
            device = found[1]
    errors = [line for line in lines if "[ERROR]" in line]
    if average is None and not samples:
        logs.refuse_foreign(path, text, "msame")
        if errors:
            raise LogError(f"{path}: this run failed ({logs.first_error(lines, ['[ERROR]'])}); run msame again.")
        raise LogError(f"{path} holds no 'Inference average time' of msame; keep all that msame prints, and name that.")
    mean = sum(samples) / len(samples) if samples else None
    remarks = _remarks(lines, samples, average, mean, errors)
    return ToolLog(
        tool="msame", clock="host", model=model, settings={"device": device} if device else {},
        samples_ms=tuple(samples),
        stated=Stated(count=len(samples) or None, mean_ms=average, mean_without_first_ms=without_first),
        remarks=tuple(remarks),
    )  # fmt: skip


def _remarks(
    lines: list[str], samples: list[float], average: float | None, mean: float | None, errors: list[str]
) -> list[str]:
    remarks = ["the time is the host's around aclmdlExecute, without copies, on one chip"]
    if average is None:
        remarks.append("the log was cut off before msame's own average; the figures are of the runs that it holds")
    elif mean is None:
        remarks.append("msame's average holds the first, cold inference; the log tells no single times")
    elif abs(average - mean) > max(_ROUNDING, _DISAGREEMENT * mean):
        remarks.append(
            f"msame states an average of {average:g} ms, the times in the log give {mean:.4g} ms: lines are missing"
        )
    if errors:
        remarks.append(f"{len(errors)} errors in the log, the first: {logs.first_error(errors, ['[ERROR]'])}")
    whole = any("[INFO] acl init success" in line or "load model" in line for line in lines)
    if whole and average is not None and not any(_SUCCESS in line for line in lines):
        remarks.append(f"the log does not end with '{_SUCCESS}'")
    return remarks
