"""Built files in a folder of the user's, who may have files of his own there.

Beside each file lies `<file>.json` with its SHA-256 and what it was made from. A file that such a note describes is
replaced when something else is asked for; any other file of that name is refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from bench.errors import UsageError
from bench.workloads.base import sha256_of_file
from reports.files import atomic_path

_WRITER = "bench convert"


def deliver(source: Path, sha256: str, target: Path, note: Mapping[str, object]) -> bool:
    """Copy a file to its place and write a note on it beside; False if it lay there already.

    Raises UsageError for a file that bench did not write, or when the copy cannot be written.
    """
    try:
        there = sha256_of_file(target) if target.exists() else ""
        foreign = target if there not in ("", sha256, _noted(target)) else None
        if _note(target).exists() and not _noted(target):
            foreign = _note(target)
        if foreign is not None:
            raise UsageError(
                f"{foreign} was not written by {_WRITER}, or was changed since, and is not overwritten; move it"
                " away, or name another folder with --out."
            )
        if there != sha256:
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
                if sha256_of_file(temporary) != sha256:
                    raise UsageError(f"{source} was changed by another process while it was copied; run this again.")
        with atomic_path(_note(target)) as temporary:
            text = json.dumps({"written_by": _WRITER, "sha256": sha256, **note}, indent=1)
            temporary.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {target}: {error.strerror or error}; free some space, or name another folder with --out."
        ) from error
    return there != sha256


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _noted(target: Path) -> str:
    """SHA-256 of what bench last wrote under that name; "" if no note of ours says it."""
    try:
        note = json.loads(_note(target).read_text(encoding="utf-8"))
        return str(note["sha256"]) if note["written_by"] == _WRITER else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
