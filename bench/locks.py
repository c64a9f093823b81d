"""One run at a time on a device: advisory locks between all processes and users of a machine.

A lock is a flock on a file whose name stands for the device, in a folder that every user may write. The kernel lets
go of it when the holder dies, however it dies, so no lock is ever stale.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from bench.errors import UsageError

#: Names another folder, for machines where the usual one is not shared or not writable.
FOLDER_VARIABLE = "BENCH_LOCK_DIR"
_SHARED = Path("/run/lock")
_POLL_S = 0.5
_NOTE_BYTES = 2000
_LONGEST_NAME = 40


class _Note(msgspec.Struct):
    """What a holder writes into its lock file. Other users may write there, too."""

    user: str
    pid: Annotated[int, msgspec.Meta(gt=0, lt=2**31)]
    since: str


def folder() -> Path:
    """Where the locks lie: one place for all users of the machine, whatever the one who asks may do."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    try:
        for_all = bool(_SHARED.stat().st_mode & stat.S_IWOTH)
    except OSError:
        for_all = False
    return (_SHARED if for_all else Path("/tmp")) / "inference-bench"


@contextlib.contextmanager
def hold(names: Sequence[str], timeout_s: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the locks of all these devices while the block runs.

    Waits up to `timeout_s` for those that another process has, telling `say` whose they are. Raises UsageError when
    the time is up or the folder cannot be used.
    """
    deadline = time.monotonic() + timeout_s
    with contextlib.ExitStack() as held:
        # In one order everywhere: two runs that want the same two devices never wait for each other.
        for name in sorted(set(names)):
            descriptor = _open(name)
            held.callback(os.close, descriptor)
            _acquire(descriptor, name, timeout_s, deadline, say)
        yield


def _open(name: str) -> int:
    """The lock file, made if need be so that every user may open it. Raises UsageError."""
    place = folder()
    path = place / (re.sub(r"[^A-Za-z0-9_.-]", "_", name) + ".lock")
    try:
        inside = _open_folder(place)
        try:
            return _open_file(path.name, inside)
        finally:
            os.close(inside)
    except OSError as error:
        raise UsageError(
            f"cannot lock {name} with {path}: {error.strerror}; repair or remove that, or name another folder in"
            f" {FOLDER_VARIABLE}."
        ) from None


def _open_folder(place: Path) -> int:
    """The folder itself, never what a link in its place leads to. Raises OSError."""
    try:
        place.mkdir(0o1777, parents=True)
        made = True
    except FileExistsError:
        made = False
    if place.is_symlink():
        raise OSError(errno.ELOOP, "the folder is a symbolic link")
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if made:
            os.fchmod(descriptor, 0o1777)  # whatever the umask
        status = os.fstat(descriptor)
        # Users may share a folder that one of them made, but not lock in what one keeps for himself.
        if status.st_uid not in (0, os.geteuid()) and not status.st_mode & stat.S_ISVTX:
            raise OSError(errno.EPERM, "the folder is another user's, and not a shared one (chmod 1777)")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _open_file(name: str, inside: int) -> int:
    """A regular file with this name and no other. Raises OSError."""
    # O_CREAT only for a file that is not there: kernels refuse it on other users' files in shared folders.
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(name, flags, dir_fd=inside)
        except FileNotFoundError:
            try:
                descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=inside)
                os.fchmod(descriptor, 0o666)  # whatever the umask
            except FileExistsError:
                descriptor = os.open(name, flags, dir_fd=inside)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link") from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        what = "it is no regular file" if not stat.S_ISREG(status.st_mode) else "it is a hard link to another file"
        raise OSError(errno.EPERM, what)
    return descriptor


def _acquire(descriptor: int, name: str, timeout_s: float, deadline: float, say: Callable[[str], None]) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = _holder(descriptor)
            if time.monotonic() >= deadline:
                raise UsageError(
                    f"{name} is in use by {holder}; two runs at once would spoil each other. Wait for it, or give"
                    f" more than {timeout_s:g} s with --lock-timeout."
                ) from None
            if not told:
                say(f"waiting for {name}, in use by {holder}")
                told = True
            time.sleep(_POLL_S)
    os.ftruncate(descriptor, 0)
    note = _Note(_clean(_user()), os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S"))
    os.pwrite(descriptor, msgspec.json.encode(note), 0)


def _holder(descriptor: int) -> str:
    """Who holds a lock, as far as its file tells; never more than a little printable text of others."""
    try:
        note = msgspec.json.decode(os.pread(descriptor, _NOTE_BYTES, 0), type=_Note)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "another process"
    return f"process {note.pid} of {_clean(note.user)} since {_clean(note.since)}"


def _clean(text: str) -> str:
    printable = "".join(c for c in text if c.isprintable())
    return printable if len(printable) <= _LONGEST_NAME else printable[: _LONGEST_NAME - 1] + "…"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an id without a name, as in some containers
        return str(os.getuid())
