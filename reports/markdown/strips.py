"""Links to the strips of sample pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from reports.page import Page
from reports.pictures import is_strip


def samples(page: Page, plots: Sequence[Path]) -> str:
    """The strips of sample pictures, where there are any."""
    strips = [path for path in plots if is_strip(path)]
    if not strips:
        return ""
    wrong = any(cell.status == "wrong" and cell.pictures for cell in page.cells)
    return (
        "## Translated pictures\n\n"
        "The first samples: inputs, the reference's outputs, and those of every backend at its largest batch size,"
        " as they were when last checked."
        + (" Those in red are wrong." if wrong else "")
        + "".join(f"\n\n![samples of translated pictures{_whose(path)}]({quote(path.name)})" for path in strips)
    )


def _whose(path: Path) -> str:
    """` (B)` for the pictures of one of several machines."""
    found = re.search(r"pictures-([A-Z]+)(-\d+)?\.png$", path.name)
    return f" ({found[1]})" if found else ""
