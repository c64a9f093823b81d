"""What one side of a check finds in its own interpreter: backends, devices, versions; asked before anything runs.

Run as `python -m bench.regression.probe FILE` it reads a Question from standard input and leaves its Found in FILE;
what runtimes print meanwhile does no harm.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from pathlib import Path
from typing import Any

import msgspec

from backends import registry
from backends.base import Device, Precision, Scope
from bench.environment import git_state, package_versions
from bench.errors import UsageError
from bench.interpreter import own_root
from bench.messages import Event, MeasureTask, PrepareTask
from bench.plan import Variant
from bench.selection import BackendRequest, Wanted, select
from reports.records import SCHEMA_VERSION, Git


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured; `backends` as on the command line, empty for all that are usable."""

    backends: list[str]
    device: str | None
    precisions: list[Precision]
    scopes: list[Scope]


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One backend that was asked for; without a `variant` it cannot be used, for that `reason`."""

    name: str
    variant: Variant | None
    reason: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. With an `error`, one line for the user, nothing can be measured."""

    protocol: str
    root: str
    python: str
    error: str = ""
    candidates: list[Candidate] = []
    packages: dict[str, str] = {}
    git: Git | None = None


def protocol() -> str:
    """A digest of the messages that workers and their parent exchange: two harnesses with one can work together."""
    schema = msgspec.json.schema_components((PrepareTask, MeasureTask, Event))
    return f"{SCHEMA_VERSION}-{hashlib.sha256(msgspec.json.encode(_bare(schema), order='sorted')).hexdigest()[:16]}"


def _bare(schema: Any) -> Any:
    """Without the words that are only for people."""
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key not in ("title", "description")}
    return [_bare(value) for value in schema] if isinstance(schema, list | tuple) else schema


def answer(question: Question) -> Found:
    """What this process finds."""
    candidates: list[Candidate] = []
    fault = ""
    try:
        candidates = _candidates(question)
    except UsageError as error:
        fault = str(error)
    return Found(
        protocol=protocol(), root=str(own_root()), python=platform.python_version(), error=fault,
        candidates=candidates, packages=package_versions(), git=git_state(),
    )  # fmt: skip


def _candidates(question: Question) -> list[Candidate]:
    """In the order asked for. Raises UsageError."""
    device = Device.parse(question.device) if question.device else None
    wanted = Wanted(device, question.precisions, question.scopes)
    found = []
    for name in question.backends or registry.names():
        request = BackendRequest.parse(name)
        selection = select([request], wanted)
        variant = selection.variants[0] if selection.variants else None
        reason = "; ".join(skipped.reason for skipped in selection.skipped)
        found.append(Candidate(name=request.name, variant=variant, reason=reason))
    return found


def main() -> int:
    """Answer the question on standard input."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    Path(sys.argv[1]).write_bytes(msgspec.json.encode(answer(question)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
