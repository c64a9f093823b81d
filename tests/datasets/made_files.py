"""Pictures, attribute lists and zips made for the tests."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Smiling", "Young")


def jpeg(seed: int = 0, size: tuple[int, int] = (178, 218), mode: str = "RGB", kind: str = "JPEG") -> bytes:
    """A smooth random picture: noise alone would hide a wrong filter behind JPEG's own losses."""
    generator = np.random.default_rng(seed)
    small = Image.fromarray(generator.integers(0, 256, (12, 10, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).convert(mode).save(buffer, kind, quality=90)
    return buffer.getvalue()


def attribute_text(rows: Sequence[str], names: Sequence[str] = NAMES, count: int | None = None) -> str:
    return "\n".join([str(len(rows) if count is None else count), " ".join(names), *rows]) + "\n"


def rows(count: int) -> list[str]:
    return [
        f"{index + 1:06d}.jpg " + " ".join("1" if (index >> bit) & 1 else "-1" for bit in range(len(NAMES)))
        for index in range(count)
    ]


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(folder).as_posix())
    return target
