"""One run at a time on a device: advisory locks between all processes and users of a machine.

A lock is a flock on a file whose name stands for the device, in a folder that every user may write. The kernel lets
go of it when the holder dies, however it dies, so no lock is ever stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.errors import UsageError

#: Names another folder, for machines where the usual one is not shared or not writable.
FOLDER_VARIABLE = "BENCH_LOCK_DIR"
_POLL_S = 0.5


def folder() -> Path:
    """Where the locks lie: one place for all users of the machine."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    shared = Path("/run/lock")
    return (shared if os.access(shared, os.W_OK) else Path("/tmp")) / "inference-bench"


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
    """The lock file, made if need be so that every user may open it."""
    place = folder()
    path = place / (re.sub(r"[^A-Za-z0-9_.-]", "_", name) + ".lock")
    try:
        if not place.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(PermissionError):
                place.chmod(0o1777)
        # O_CREAT only for a file that is not there: kernels refuse it on other users' files in shared folders.
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            try:
                descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(descriptor, 0o666)  # whatever the umask
            except FileExistsError:
                descriptor = os.open(path, flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(0, "it is no regular file")
    except OSError as error:
        raise UsageError(
            f"cannot lock {name} with {path}: {error.strerror}; repair that, or name another folder in"
            f" {FOLDER_VARIABLE}."
        ) from None
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
    note = {"user": _user(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    os.pwrite(descriptor, json.dumps(note).encode(), 0)


def _holder(descriptor: int) -> str:
    """Who holds a lock, as far as its file tells; never more than printable text of ours."""
    try:
        note = json.loads(os.pread(descriptor, 500, 0))
        user, pid, since = str(note["user"]), int(note["pid"]), str(note["since"])
    except (ValueError, KeyError, TypeError):
        return "another process"
    clean = "".join(c for c in f"{user} since {since}" if c.isprintable())
    return f"process {pid} of {clean}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an id without a name, as in some containers
        return str(os.getuid())
