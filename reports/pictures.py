"""Strips of pictures as PNG files: samples of what every engine made, and the worst images of a comparison."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reports.files import atomic_path
from reports.fonts import every_script
from reports.page import Page
from reports.records import CellRecord, OutputAccuracy, Run
from reports.table import Column, column_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: (h, w, 3)
Pixels = NDArray[np.uint8]

#: Red on white with a contrast of 7:1.
_WRONG = "#b00000"
_GREY = "#555555"
#: Lengths in inches; a picture of 128 pixels is drawn pixel by pixel.
_DPI = 100
_TILE, _GAP, _LABEL, _MARGIN = 1.28, 0.08, 2.3, 0.15
_LINE, _LABEL_LINE = 0.165, 0.135
#: Labels are in a font with letters of one width, so that a long one stays left of the pictures.
_LABEL_LETTERS = 31
#: Letters of small print that fit into an inch.
_LETTERS_AN_INCH = 16.5


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of pictures: its name in lines, the pictures, what is written below each, and a verdict in red."""

    lines: tuple[str, ...]
    pictures: Sequence[Pixels]
    below: tuple[str, ...] = ()
    wrong: str = ""


def names(page: Page, prefix: str = "") -> list[str]:
    """File names that `draw` writes: one for each set of conditions of which a run has pictures."""
    return [prefix + name for name in _strips(page)]


def is_strip(path: Path) -> bool:
    """Whether a file's name is one that `draw` gives."""
    return re.search(r"(?:^|-)pictures(-[A-Z]+)?(-\d+)?\.png$", path.name) is not None


def _strips(page: Page) -> dict[str, Run]:
    """File name -> the first run of each machine and workload that has pictures."""
    found: dict[str, Run] = {}
    for machine in page.machines:
        seen: set[str] = set()
        for run in machine.runs:
            workload = run.run.workload.name
            if workload in seen or not any(cell.pictures for cell in run.cells):
                continue
            seen.add(workload)
            number = f"-{len(seen)}" if len(seen) > 1 else ""
            found[f"pictures{f'-{machine.letter}' if machine.letter else ''}{number}.png"] = run
    return found


def draw(page: Page, folder: Path, prefix: str = "") -> list[Path]:
    """Write the strips of sample pictures into `folder`, each whole or not at all; their paths. Raises OSError."""
    written = []
    for name, run in _strips(page).items():
        _draw_run(run, folder / (prefix + name))
        written.append(folder / (prefix + name))
    return written


def _draw_run(run: Run, path: Path) -> None:
    workload = run.run.workload
    strips = [
        Strip(lines, _tiles(data))
        for lines, data in ((("input",), workload.sample_inputs), (_reference(run), workload.sample_reference))
        if data
    ]
    strips += [_of_cell(cell, run) for cell in shown(run)]
    kind = "measured" if all(cell.provenance != "simulated" for cell in run.cells) else "partly SIMULATED"
    origin = f"{workload.name} · {workload.model} · {kind} · {run.run.started}"
    write(path, strips, workload.sample_captions, "Samples of translated pictures", origin, "target attribute")


def shown(run: Run) -> list[CellRecord]:
    """The cells whose pictures are shown: of every variant its largest batch, and its largest wrong one."""
    variants: dict[Column, list[CellRecord]] = {}
    for cell in run.cells:
        if cell.pictures:
            variants.setdefault(replace(column_of(cell), scope=""), []).append(cell)
    chosen = []
    for cells in variants.values():
        largest = max(cells, key=lambda cell: cell.identity.batch)
        wrong = [cell for cell in cells if cell.status == "wrong"]
        chosen.append(largest)
        if wrong and largest.status != "wrong":
            chosen.append(max(wrong, key=lambda cell: cell.identity.batch))
    return chosen


def write(
    path: Path, strips: Sequence[Strip], captions: Sequence[str], title: str, origin: str, captions_are: str = ""
) -> None:
    """Draw strips below each other, whole or not at all. `captions` stand above the columns. Raises OSError."""
    with every_script(), atomic_path(path) as temporary:
        _figure(strips, captions, title, origin, captions_are).savefig(temporary, format="png")


def _figure(strips: Sequence[Strip], captions: Sequence[str], title: str, origin: str, captions_are: str) -> Figure:
    # The object interface, not pyplot: no global state, and no display is ever looked for. Places are reckoned here,
    # since a layout engine would scale the pictures.
    from matplotlib.figure import Figure

    columns = max([1, *(len(strip.pictures) for strip in strips)])
    width = 2 * _MARGIN + _LABEL + columns * (_TILE + _GAP)
    footer = textwrap.wrap(origin, int((width - 2 * _MARGIN) * _LETTERS_AN_INCH))
    heights = [_height(strip) for strip in strips]
    head = _MARGIN + 1.8 * _LINE + (1.2 * _LINE if captions else 0.0)
    height = head + sum(heights) + _LINE * len(footer) + _MARGIN
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")

    def text(
        x: float, y: float, words: str, size: float = 8, colour: str = "black", middle: bool = False,
        family: str = "sans-serif",
    ) -> None:  # fmt: skip
        """`y` is the distance of the text's top from the figure's."""
        figure.text(x / width, 1 - y / height, words, fontsize=size, color=colour, va="top",
                    ha="center" if middle else "left", linespacing=1.2, family=family, parse_math=False)  # fmt: skip

    text(_MARGIN, _MARGIN, title, size=11)
    left = _MARGIN + _LABEL
    if captions:
        text(_MARGIN, head - 1.1 * _LINE, captions_are, colour=_GREY)
    for column, caption in enumerate(captions[:columns]):
        text(left + column * (_TILE + _GAP) + _TILE / 2, head - 1.1 * _LINE, caption, middle=True)
    top = head
    for strip, tall in zip(strips, heights, strict=True):
        lines = _label(strip)
        text(_MARGIN, top + _LINE / 2, "\n".join(lines), size=8, family="monospace")
        if strip.wrong:
            text(_MARGIN, top + _LINE + _LABEL_LINE * len(lines), strip.wrong, size=10, colour=_WRONG)
        for column, pixels in enumerate(strip.pictures):
            x = left + column * (_TILE + _GAP)
            axes = figure.add_axes((x / width, 1 - (top + _TILE) / height, _TILE / width, _TILE / height))
            axes.imshow(pixels, interpolation="nearest" if pixels.shape[0] <= _TILE * _DPI else "antialiased")
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set(visible=bool(strip.wrong), color=_WRONG, linewidth=1.5)
            if column < len(strip.below):
                text(x + _TILE / 2, top + _TILE + 0.03, strip.below[column], size=7, middle=True)
        top += tall
    text(_MARGIN, top + 0.02, "\n".join(footer), size=6.5, colour=_GREY)
    return figure


def _label(strip: Strip) -> list[str]:
    return [part for line in strip.lines for part in textwrap.wrap(line, _LABEL_LETTERS)]


def _height(strip: Strip) -> float:
    """Of the row in inches: the pictures with what stands below them, or the label where that is longer."""
    below = max((len(text.split("\n")) for text in strip.below), default=0)
    label = _LABEL_LINE * len(_label(strip)) + _LINE * (2.2 if strip.wrong else 1)
    return max(_TILE + _LINE * below, label) + _GAP


def _reference(run: Run) -> tuple[str, ...]:
    return "reference", run.run.workload.reference


def _of_cell(cell: CellRecord, run: Run) -> Strip:
    everyone = [column_of(other) for other in run.cells]
    column = column_of(cell)
    title = column.title(everyone)
    if column.precision not in title:
        title += f" {column.precision}"
    tiles = _tiles(cell.pictures or b"")
    lines = [title.replace(",", ", "), f"bs {cell.identity.batch}", *map(_similarity, cell.accuracy[:1])]
    if not tiles:
        lines.append("pictures are damaged")
    return Strip(tuple(lines), tiles, wrong="wrong" if cell.status == "wrong" else "")


def _similarity(output: OutputAccuracy) -> str:
    """What the eye cannot tell."""
    if output.ssim is None:
        return ""
    psnr = "equal" if output.max_abs == 0 else f"PSNR {output.psnr_db or 0:.1f} dB"
    return f"{psnr}, SSIM {output.ssim:.4f}"


def _tiles(data: bytes) -> list[Pixels]:
    """The pictures, each as wide as high, that lie side by side in an encoded one; none where it is damaged."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # what Pillow raises for damaged files
        return []
    side = pixels.shape[0]
    return [pixels[:, start : start + side] for start in range(0, pixels.shape[1] - side + 1, side)]
