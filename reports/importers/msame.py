"""Logs of msame, the Ascend tool that the guide uses.

Written after its public sources: a line `Inference time: 2.3ms` a run, then an average in one of two forms,
`Inference average time : 21.04 ms` (folders of inputs) or `Inference average time: 105.417100 ms` (files, --loop), and
`Inference average time without first time: 21.03 ms` when there was more than one run. People keep such lines with a
label before them, such as `(310 bs1)`. The times are the host's around aclmdlExecute, without copies; the average holds
the cold first run. A run that failed was timed, too, and has no average.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from reports.importers import text as logs
from reports.importers.log import LogError, ToolLog, batch_of, disagreement, latency
from reports.records import Stated

_VALUE = r"\s*[:：]\s*(\S+?)\s*ms\b"
_WITHOUT_FIRST = re.compile(rf"Inference average time without first time{_VALUE}")
_AVERAGE = re.compile(rf"Inference average time{_VALUE}")
_ONE = re.compile(rf"Inference time{_VALUE}")
#: The label that the guide's scripts put before the average.
_LABEL = re.compile(r"\(.*?\bbs(\d{1,6})\)")
_MODEL = re.compile(r"load model (?:.*/)?([^/\s]+\.om) success")
_DEVICE = re.compile(r"open device (\d{1,6}) success")
_COMMAND = re.compile(r"(?:^|[\s$#])(\S*msame\s.*--model[ =].*)")
#: With --debug: `the dims of 0 input:`, the numbers in the next line, then `the name of 0 input: real_img`.
_DIMENSIONS_OF = re.compile(r"the dims of (\d+) input:\s*$")
_DIMENSIONS = re.compile(r"\s*\d{1,9}(?: \d{1,9})* *")
_NAME_OF = re.compile(r"the name of (\d+) input: (\S+)")
_SUCCESS = "Execute sample success"
_AGAIN = "a second run begins here; keep one log a file, and name every file."


@dataclass(slots=True)
class _Found:
    """What has been read so far."""

    samples: list[float] = field(default_factory=list)
    average: float | None = None
    without_first: float | None = None
    label: int | None = None
    model: str = ""
    device: str = ""
    command: str = ""
    names: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, list[int]] = field(default_factory=dict)


def parse(path: Path, text: str) -> ToolLog:
    """Raises LogError."""
    lines = logs.lines_of(text)
    found = _Found()
    for number, line in enumerate(lines, start=1):
        if not _take_time(found, path, number, line):
            _take_other(found, line, lines[number] if number < len(lines) else "")
    errors = [line for line in lines if "[ERROR]" in line]
    if found.average is None:
        _refuse_unfinished(path, text, found, errors)
    shapes = {name: found.dimensions[index] for index, name in found.names.items() if index in found.dimensions}
    return ToolLog(
        tool="msame", clock="host", model=found.model, command=found.command, shapes=shapes,
        batch=batch_of(shapes) or found.label, settings={"device": found.device} if found.device else {},
        samples_ms=tuple(found.samples),
        stated=Stated(
            count=len(found.samples) or None, mean_ms=found.average, mean_without_first_ms=found.without_first
        ),
        remarks=tuple(_remarks(lines, found, errors)),
    )  # fmt: skip


def _take_time(found: _Found, path: Path, number: int, line: str) -> bool:
    """Whether the line held a time."""
    if told := _WITHOUT_FIRST.search(line):
        found.without_first = latency(told[1], path, number, "the average without the first time")
    elif told := _AVERAGE.search(line):
        if found.average is not None:
            raise LogError(f"{path}, line {number}: the average of a second run; keep one log a file.")
        found.average = latency(told[1], path, number, "the average time")
        label = _LABEL.search(line, 0, told.start())
        found.label = (int(label[1]) or None) if label else None
    elif told := _ONE.search(line):
        if found.average is not None:
            raise LogError(f"{path}, line {number}: {_AGAIN}")
        found.samples.append(latency(told[1], path, number, "the time of an inference"))
    else:
        return False
    return True


def _take_other(found: _Found, line: str, following: str) -> None:
    if told := _MODEL.search(line):
        found.model = told[1]
    elif told := _DEVICE.search(line):
        found.device = told[1]
    elif (told := _DIMENSIONS_OF.search(line)) and _DIMENSIONS.fullmatch(following):
        found.dimensions[told[1]] = [int(part) for part in following.split()]
    elif told := _NAME_OF.search(line):
        found.names[told[1]] = told[2]
    elif told := _COMMAND.search(line):
        found.command = told[1].strip()


def _refuse_unfinished(path: Path, text: str, found: _Found, errors: list[str]) -> None:
    """Raises LogError for a log without an average, unless it holds runs of which none failed."""
    if found.samples and not errors:
        return
    if found.without_first is not None:
        raise LogError(f"{path} holds only the average without the first time; keep the line before it, too.")
    if not found.samples:
        logs.refuse_foreign(path, text, "msame")
    if errors:
        raise LogError(f"{path}: this run failed ({logs.first_error(errors, ['[ERROR]'])}); run msame again.")
    raise LogError(f"{path} holds no 'Inference average time' of msame; keep all that msame prints, and name that.")


def _remarks(lines: list[str], found: _Found, errors: list[str]) -> list[str]:
    remarks = ["the time is the host's around aclmdlExecute, without copies, on one chip"]
    if found.average is None:
        remarks.append("the log was cut off before msame's own average; the figures are of the runs that it holds")
    elif not found.samples:
        remarks.append("msame's average holds the first, cold inference; the log tells no single times")
    remarks += disagreement("msame", found.average, found.samples)
    if errors:
        count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
        remarks.append(f"{count} in the log: {logs.first_error(errors, ['[ERROR]'])}")
    whole = any("acl init success" in line or "load model" in line for line in lines)
    if whole and found.average is not None and not any(_SUCCESS in line for line in lines):
        remarks.append(f"the log does not end with '{_SUCCESS}'")
    return remarks
