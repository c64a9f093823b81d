"""What trtexec writes with --exportTimes: every query with its times, as JSON.

Written after TensorRT's public sources. From 8.0 on an object has startH2dMs ... latencyMs, in 7 startInMs ...
latencyMs, both up to 8.2 also endToEndMs; computeMs is in all and means the same. Times are since the start of the
warm-up; the warm-up's own queries are in the file up to 8.4.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reports.importers import text as logs
from reports.importers.log import LogError, ToolLog, checked
from reports.records import Stated

#: trtexec's default.
_WARM_UP_MS = 200
_RIGHT = "name what trtexec wrote with --exportTimes"


def parse(path: Path, text: str) -> ToolLog:
    """Raises LogError."""
    queries = _queries(path, text)
    samples = []
    for number, query in enumerate(queries):
        if not isinstance(query, dict) or "computeMs" not in query:
            raise LogError(f"{path}: query {number} has no computeMs; {_RIGHT}.")
        samples.append(checked(query["computeMs"], path, None, f"computeMs of query {number}"))
    first = queries[0]
    family = "7" if "startInMs" in first else "8.0 to 8.2" if "endToEndMs" in first else "8.4 or newer"
    remarks = [
        "GPU Compute: the device's own events, without copies",
        f"the file tells neither version nor flags; by its fields it is of TensorRT {family}",
    ]
    early = sum(_began(query) < _WARM_UP_MS for query in queries)
    if early:
        remarks.append(
            f"{early} of its {len(samples)} queries began in the first {_WARM_UP_MS} ms, trtexec's default warm-up:"
            " up to TensorRT 8.4 the file holds that, too"
        )
    return ToolLog(
        tool="trtexec", clock="device-events", samples_ms=tuple(samples), remarks=tuple(remarks),
        stated=Stated(count=len(samples)),
    )  # fmt: skip


def _queries(path: Path, text: str) -> list[Any]:
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        logs.refuse_foreign(path, text, "trtexec")
        raise LogError(
            f"{path} is no JSON ({error}): cut off, or edited; export it again with --exportTimes."
        ) from None
    if not isinstance(content, list):
        logs.refuse_foreign(path, text, "trtexec")
        raise LogError(f"{path} is no list of queries; {_RIGHT}.")
    if not content:
        raise LogError(f"{path} holds no query; run trtexec again with --exportTimes.")
    if isinstance(content[0], dict) and "count" in content[0] and "computeMs" not in content[0]:
        raise LogError(f"{path} is a profile of layers (--exportProfile), not times; export it with --exportTimes.")
    return content


def _began(query: dict[str, Any]) -> float:
    """When its computing began, in ms since the start; where the file does not tell, not in the warm-up."""
    began = query.get("startComputeMs")
    return began if isinstance(began, int | float) else _WARM_UP_MS
