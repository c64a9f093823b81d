"""What trtexec writes with --exportTimes: every query with its times, as JSON.

Written after TensorRT's public sources. From 8.0 on an object has startH2dMs ... latencyMs, in 7 startInMs ...
endToEndMs; computeMs is in both and means the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reports.importers import text as logs
from reports.importers.log import LogError, ToolLog, checked


def read(path: Path, text: str) -> ToolLog:
    """Raises LogError."""
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LogError(
            f"{path} is no JSON ({error}): cut off, or edited; export it again with --exportTimes."
        ) from None
    if not isinstance(content, list):
        logs.refuse_foreign(path, text, "trtexec")
        raise LogError(f"{path} is no list of queries; name what trtexec wrote with --exportTimes.")
    if not content:
        raise LogError(f"{path} holds no query; run trtexec again with --exportTimes.")
    if isinstance(content[0], dict) and "count" in content[0] and "computeMs" not in content[0]:
        raise LogError(f"{path} is a profile of layers (--exportProfile), not times; export it with --exportTimes.")
    samples = []
    for number, query in enumerate(content):
        if not isinstance(query, dict) or "computeMs" not in query:
            raise LogError(f"{path}: query {number} has no computeMs; name what trtexec wrote with --exportTimes.")
        samples.append(checked(query["computeMs"], path, None, f"computeMs of query {number}"))
    seventh = "startH2dMs" not in content[0]
    remarks = [
        "GPU Compute: the device's own events, without copies, with the next query enqueued already",
        "the file tells neither version nor flags"
        + ("; by its fields it is of TensorRT 7" if seventh else "")
        + "; before TensorRT 8.5 it holds the warm-up, too",
    ]
    return ToolLog(tool="trtexec", clock="device-events", samples_ms=tuple(samples), remarks=tuple(remarks))
