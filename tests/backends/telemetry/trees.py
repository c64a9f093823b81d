"""Made-up /proc and /sys."""

from __future__ import annotations

from pathlib import Path


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write files, by their paths without the leading "/", under a root folder, which is returned."""
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
    return root
