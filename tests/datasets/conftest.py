from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.datasets.made_files import attribute_text, jpeg, rows


@pytest.fixture
def make_celeba(tmp_path: Path) -> Callable[..., Path]:
    """A folder in CelebA's layout; `text` replaces the attribute file, `inside` nests the layout."""

    def make(count: int = 3, text: str | bytes | None = None, inside: str = "", images: str = "images") -> Path:
        root = tmp_path / "data"
        layout = root / inside
        (layout / images).mkdir(parents=True)
        content = attribute_text(rows(count)) if text is None else text
        data = content.encode() if isinstance(content, str) else content
        (layout / "list_attr_celeba.txt").write_bytes(data)
        for index in range(count):
            (layout / images / f"{index + 1:06d}.jpg").write_bytes(jpeg(index))
        return root

    return make
