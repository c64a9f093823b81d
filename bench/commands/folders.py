"""A folder for results: new or empty, known to be writable before minutes are spent, gone if nothing came of it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from bench.errors import UsageError


@contextlib.contextmanager
def fresh_folder(out: Path | None, prefix: str = "", allowed: Collection[str] = ()) -> Iterator[Path]:
    """The folder `out`, or runs/<prefix><start time>. Names in `allowed` may lie in it already.

    Removed again if this call made it and nothing was written into it. Raises UsageError.
    """
    folder = out or Path("runs") / f"{prefix}{datetime.now():%Y%m%d-%H%M%S}"
    try:
        existed = folder.exists()
        if existed and any(item.name not in allowed for item in folder.iterdir()):
            raise UsageError(f"{folder} is not empty and nothing in it is overwritten; name another folder with --out.")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write in {folder}: {error.strerror}; name a writable folder with --out.") from None
    try:
        yield folder
    finally:
        if not existed:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only succeeds while it is empty
