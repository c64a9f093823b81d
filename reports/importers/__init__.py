"""Logs of other tools, read as what they are: another tool's figures, with all that the log tells of them."""

from __future__ import annotations

from pathlib import Path

from reports.importers import ais_bench, msame, trtexec
from reports.importers.log import TOOLS, LogError, Tool, ToolLog

__all__ = ["TOOLS", "LogError", "Tool", "ToolLog", "read_log"]

_READERS = {"msame": msame.read, "ais_bench": ais_bench.read, "trtexec": trtexec.read}


def read_log(tool: Tool, path: Path) -> ToolLog:
    """What a log of that tool tells. Raises LogError: one line with the file, the line and what to do."""
    return _READERS[tool](path)
