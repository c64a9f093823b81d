"""Running a vendor's converter: where it is, its output in a file, its first error line, and an end in any case."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.base import ConversionError

#: A converter that works on one model for longer than this hangs; the longest builds known take some minutes.
LIMIT_S = 3600.0
_LONGEST_LINE = 400
_FAREWELL_S = 10.0
#: Logs are megabytes at most; of a runaway one the start is read, where the first error stands.
_MOST_READ = 16 << 20
_LIBRARY = re.compile(r"error while loading shared libraries: .*")


class ToolMissing(ConversionError):  # noqa: N818 - read as a state, as BackendUnavailable is
    """The converter is not on this machine, or not on PATH."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of one batch size: the file in the cache, and what was really made.

    `precision` says in words what the tool was told and what it does by itself; `settings` are all fields of the
    cache key; `notes` are for the reader (where the file runs, what the tool warned of).
    """

    path: Path
    sha256: str
    hit: bool
    precision: str
    settings: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """The line of the tool that says what went wrong, and what to do about it."""

    line: str
    advice: str


def find(name: str, advice: str) -> Path:
    """The tool on PATH, by its absolute path. Raises ToolMissing with the advice."""
    found = shutil.which(name)
    if found is None:
        raise ToolMissing(f"{name} was not found on PATH; {advice}")
    return Path(found).absolute()


def shell_text(command: Sequence[str]) -> str:
    """The command as a line to paste into a shell."""
    return shlex.join(command)


def file_identity(path: Path) -> str:
    """Path, size and time of change of a file: what tells two builds of a tool apart where it states no version."""
    status = path.stat()
    return f"{path}, {status.st_size} bytes, changed {status.st_mtime_ns}"


def run(
    command: Sequence[str],
    folder: Path,
    log: Path,
    explain: Callable[[str], Explained],
    limit_s: float = LIMIT_S,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run the tool in `folder` to its end and return what it printed, which `log` keeps.

    It reads nothing and has a process group of its own, which is killed when the tool ends, is interrupted or takes
    more than `limit_s` seconds. Raises ConversionError for any status but 0, with the line and the advice of `explain`.
    """
    name = Path(command[0]).name
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, env=None if environment is None else {**os.environ, **environment},
            )  # fmt: skip
        except OSError as error:
            raise ConversionError(
                f"{command[0]} cannot be run: {error.strerror}; check its permissions, or install it again."
            ) from error
        try:
            status = child.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            raise ConversionError(
                f"{name} did not end within {limit_s:g} s and was killed; its output is in {log}: run it by hand there"
                " where it stops."
            ) from error
        finally:
            _end(child)
    text = _read(log)
    if status != 0:
        raise failure(name, f"failed with {_in_words(status)}", explain(text), log)
    return text


def failure(name: str, what: str, explained: Explained, log: Path) -> ConversionError:
    """The error of a tool that failed, in one line."""
    line = " ".join(explained.line.split())
    if len(line) > _LONGEST_LINE:
        line = line[: _LONGEST_LINE - 1] + "…"
    said = f": {line}" if line else " and said nothing"
    return ConversionError(f"{name} {what}{said}{'' if said[-1] in '.;' else ';'} {explained.advice} (output: {log})")


def explain_start(text: str, advice: str) -> Explained | None:
    """Why a tool did not even start: a library that the loader does not find; None if that is not it."""
    found = _LIBRARY.search(text)
    return Explained(found[0].strip(), advice) if found else None


def last_line(text: str) -> str:
    """The last line that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the tool and of what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in a driver: the kernel keeps it
        child.wait(timeout=_FAREWELL_S)


def _read(log: Path) -> str:
    with log.open("rb") as file:
        return file.read(_MOST_READ).decode("utf-8", errors="replace")


def _in_words(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    known = {int(each): each.name for each in signal.Signals}
    text = known.get(-status, f"signal {-status}")
    return f"{text} (killed from outside, most often for lack of memory)" if -status == signal.SIGKILL else text
