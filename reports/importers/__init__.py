"""Logs of other tools, read as what they are: another tool's figures, with all that the log tells of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reports.importers import ais_bench, msame, trtexec
from reports.importers import text as logs
from reports.importers.log import TOOLS, LogError, Tool, ToolLog, check_order

__all__ = ["TOOLS", "LogError", "Tool", "ToolLog", "read_log"]

#: A damaged log may hold lines of any length.
_LONGEST_COMMAND = 4000
_LONGEST_NAME = 200

_PARSERS = {"msame": msame.parse, "ais_bench": ais_bench.parse, "trtexec": trtexec.parse}


def read_log(tool: Tool, path: Path) -> ToolLog:
    """What a log of that tool tells. Raises LogError: one line with the file, the line and what to do."""
    text, sha256 = logs.read(path)
    log = _PARSERS[tool](path, text)
    check_order(path, log.stated)
    return replace(
        log, sha256=sha256, command=log.command[:_LONGEST_COMMAND], model=log.model[:_LONGEST_NAME],
        device=log.device[:_LONGEST_NAME],
    )  # fmt: skip
