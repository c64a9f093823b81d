"""Folders for results: known to be writable before minutes are spent, gone if nothing came of it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from bench.errors import UsageError


@contextlib.contextmanager
def fresh_folder(out: Path | None, prefix: str = "", allowed: Collection[str] = ()) -> Iterator[Path]:
    """The folder `out`, or runs/<prefix><start time>, new or empty. Names in `allowed` may lie in it already.

    Removed again if this call made it and nothing was written into it. Raises UsageError.
    """
    folder = out or Path("runs") / f"{prefix}{datetime.now():%Y%m%d-%H%M%S}"
    try:
        taken = folder.exists() and any(item.name not in allowed for item in folder.iterdir())
    except OSError as error:
        raise _unwritable(folder, error) from None
    if taken:
        raise UsageError(f"{folder} is not empty and nothing in it is overwritten; name another folder with --out.")
    with output_folder(folder):
        yield folder


@contextlib.contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """Make the folder if need be, and know now whether files can be written into it.

    Removed again if this call made it and nothing was written into it. Raises UsageError.
    """
    try:
        existed = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        yield
    finally:
        if not existed:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only succeeds while it is empty


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write in {folder}: {error.strerror}; name a writable folder with --out.")
