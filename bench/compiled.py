"""Files that the user compiled for one vendor's runtime: which they are by content."""

from __future__ import annotations

from pathlib import Path

from bench.errors import UsageError
from bench.workloads.base import key_of, sha256_of_file


def digest(compiled: str | None) -> str:
    """Of a file, or of every file in a folder of such; "" for none. Raises UsageError."""
    if compiled is None:
        return ""
    path = Path(compiled)
    try:
        files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
        return key_of(*((each.name, sha256_of_file(each)) for each in files))
    except OSError as error:
        raise UsageError(f"--compiled {error.filename}: {error.strerror}; check its permissions.") from None
