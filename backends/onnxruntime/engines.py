"""Where the TensorRT provider keeps the engines and timings that it makes, apart for everything that they depend on."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backends.base import ConversionError

#: Enough of a SHA-256 for a name that no other key has.
_NAME_DIGITS = 32
_FOLDER = "onnxruntime-tensorrt"


class EngineFolder:
    """One folder for one key. The provider names its files itself, and writes them in place."""

    def __init__(self, cache: Path, key: Mapping[str, str]) -> None:
        """Makes it, with a note of what it is for. Raises ConversionError."""
        text = json.dumps(dict(key), sort_keys=True)
        self.path = cache.resolve() / _FOLDER / hashlib.sha256(text.encode()).hexdigest()[:_NAME_DIGITS]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "key.json").write_text(
                json.dumps(dict(key), indent=1, sort_keys=True) + "\n", encoding="utf-8"
            )
        except OSError as error:
            raise self._unusable(error) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While one process builds, others that want the same wait for it. Raises ConversionError.

        The kernel lets go of a lock when its holder dies, so it is never stale.
        """
        try:
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                raise self._unusable(error) from None
            yield
        finally:
            os.close(descriptor)

    def engines(self) -> dict[str, tuple[int, int]]:
        """Size and time of each engine that is there."""
        return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in self.path.glob("*.engine")}

    def clear(self) -> None:
        """Take the engines away; the timings stay."""
        for path in (*self.path.glob("*.engine"), *self.path.glob("*.profile")):
            path.unlink(missing_ok=True)

    def _unusable(self, error: OSError) -> ConversionError:
        return ConversionError(
            f"cannot keep engines in {self.path} ({error.strerror or error}); free some space, or name another folder"
            " with --cache."
        )
