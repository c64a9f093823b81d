"""What the builder measured, kept beside the engines: later builds are quicker and choose the same kernels."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


class TimingFile:
    """One file for each version and card. `content` is what earlier builds left, empty for none."""

    def __init__(self, folder: Path, bound_to: Mapping[str, str]) -> None:
        text = json.dumps(dict(bound_to), sort_keys=True)
        self.path = folder / f"timings-{hashlib.sha256(text.encode()).hexdigest()[:16]}.cache"
        self.content = b""
        with suppress(OSError):
            self.content = self.path.read_bytes()

    def write(self, content: bytes) -> str:
        """Replace the file; of two builds at once the later one's stays. Returns why it could not, or ""."""
        temporary = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=".tmp-timings-", dir=self.path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(self.path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            return f"could not be kept ({error.strerror})"
        return ""
