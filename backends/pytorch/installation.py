"""What the installed torch was built for, told without importing it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path


def built_for_cuda(version: str) -> bool:
    """Whether torch has CUDA, by the file in which it keeps its version.

    Where that cannot be read, by the name of the version: the wheels for the CPU alone end in +cpu, if not everywhere.
    """
    try:
        found = importlib.util.find_spec("torch")
        text = Path(found.origin if found and found.origin else "").with_name("version.py").read_text(encoding="utf-8")
    except (ImportError, OSError, ValueError):
        text = ""
    match = re.search(r"^cuda\b[^=\n]*=\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() != "None" if match else not version.endswith("+cpu")
