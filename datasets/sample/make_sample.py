"""Makes this folder's images, `list_attr_celeba.txt` and `SOURCE.md` from scikit-image's astronaut photograph.

Run it with scikit-image installed: `python datasets/sample/make_sample.py`. There is no chance in it: the same
versions of Pillow and scikit-image give the same files. The package never imports it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

HERE: Final = Path(__file__).resolve().parent
COUNT: Final = 40
SIZE: Final = (178, 218)  # pixels, width and height of CelebA's aligned images
# CelebA's own files of this size are about 7 kB; quality 92 gives about 12 kB, more detail than the original.
QUALITY: Final = 92
# The eyes in the photograph, in its pixels: the viewer's left one and right one.
LEFT_EYE: Final = (203.75, 100.75)
RIGHT_EYE: Final = (247.0, 102.5)
# Rows repeated above the photograph: in the widest framings CelebA's top margin reaches beyond its upper edge.
MARGIN: Final = 40

NAMES: Final = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips",
    "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby",
    "Double_Chin", "Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male",
    "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose",
    "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair",
    "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip
# Set by hand from the photograph. What is a matter of taste (Attractive) or cannot be told is -1.
TRUE: Final = frozenset((
    "Bangs", "Brown_Hair", "High_Cheekbones", "Mouth_Slightly_Open", "No_Beard", "Smiling",
    "Wearing_Lipstick", "Young",
))  # fmt: skip

# Cycled with lengths that share no common factor, so that no two of the images get the same treatment.
EYE_GAPS: Final = (40, 44, 48, 52, 42, 46, 50, 54, 39)  # pixels between the eyes
TURNS: Final = (0.0, -2.5, 3.0, 1.5, -4.0, 5.0, -1.0)  # degrees, added to level eyes
SHIFTS: Final = ((0, 0), (3, 1), (-3, -2), (1, 3), (-2, 2))  # pixels, right and down
EXPOSURES: Final = (1.0, 0.8, 1.15, 0.9, 0.7, 1.05, 0.95, 1.1, 0.75, 1.2, 0.85)  # gain
BALANCES: Final = (
    (1.0, 1.0, 1.0), (1.06, 1.0, 0.92), (0.94, 1.0, 1.07), (1.03, 1.0, 0.96),
    (0.97, 1.02, 1.0), (1.08, 1.0, 0.88), (0.92, 0.99, 1.1), (1.0, 0.97, 1.03),
)  # fmt: skip

SOURCE: Final = """# The bundled sample

{count} JPEG files of 178x218 pixels in CelebA's own layout, for trying the harness without CelebA and for its tests.
**All {count} are one photograph of one person**: they differ in framing and colour only. They exercise decoding,
preprocessing and the model's arithmetic; they are no test set, and nothing about a model's quality follows from them.

## Source and licence

The photograph shows the astronaut Eileen Collins; NASA took it. It is `skimage.data.astronaut()` of scikit-image
{version}, whose documentation says:

> This image was downloaded from the NASA Great Images database <https://flic.kr/p/r9qvLn>.
>
> No known copyright restrictions, released into the public domain.

NASA does not endorse this project.

## How the files are made

`make_sample.py` beside this file makes every file here but itself; it needs scikit-image. For each image it mirrors
the photograph (or not), turns it, scales it to the stated distance between the eyes, puts the point between the eyes at
x = 89, y = 112 plus the stated shift (bicubic), multiplies it by the exposure and by the white-balance gains, and saves
it at JPEG quality {quality}. In the widest framings the photograph's top row is repeated above it, as CelebA's own
alignment does at its borders; nearly all of that lies outside the centre crop to 178x178.

## Attributes

`list_attr_celeba.txt` has CelebA's 40 names in CelebA's order. The values are set by hand for this photograph and are
the same in every line. What is a matter of taste or cannot be told from the photograph is -1. True are:

{true}.

## The files

| file | mirrored | eyes apart (px) | turn (degrees) | shift (px) | exposure | white balance (R, G, B) |
| --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What one image of the sample does to the photograph; units as in SOURCE.md's table."""

    mirrored: bool
    eye_gap: int
    turn: float
    shift: tuple[int, int]
    exposure: float
    balance: tuple[float, float, float]

    def row(self, name: str) -> str:
        gains = ", ".join(f"{gain:.2f}" for gain in self.balance)
        shift = f"{self.shift[0]:+d}, {self.shift[1]:+d}"
        mirrored = "yes" if self.mirrored else "no"
        return f"| {name} | {mirrored} | {self.eye_gap} | {self.turn:+.1f} | {shift} | {self.exposure:.2f} | {gains} |"


def treatment(index: int) -> Treatment:
    """The treatment of image `index`, counted from 0."""
    return Treatment(
        mirrored=index % 2 == 1,
        eye_gap=EYE_GAPS[index % len(EYE_GAPS)],
        turn=TURNS[index % len(TURNS)],
        shift=SHIFTS[index % len(SHIFTS)],
        exposure=EXPOSURES[index % len(EXPOSURES)],
        balance=BALANCES[index % len(BALANCES)],
    )


def framed(photo: NDArray[np.uint8], how: Treatment) -> Image.Image:
    """The photograph, (h, w, 3) uint8, framed like CelebA's aligned images: 178x218, the eyes at y = 112."""
    left, right = np.array(LEFT_EYE), np.array(RIGHT_EYE)
    if how.mirrored:
        photo = photo[:, ::-1]
        left, right = (np.array([photo.shape[1] - 1 - x, y]) for x, y in (RIGHT_EYE, LEFT_EYE))
    padded = np.pad(photo, ((MARGIN, 0), (0, 0), (0, 0)), mode="edge")
    middle = (left + right) / 2 + (0, MARGIN)
    across = right - left
    angle = math.atan2(across[1], across[0]) - math.radians(how.turn)
    step = float(np.hypot(*across)) / how.eye_gap  # the photograph's pixels for one of the result's
    a, b = step * math.cos(angle), step * math.sin(angle)
    x, y = SIZE[0] / 2 + how.shift[0], 112 + how.shift[1]
    affine = (a, -b, middle[0] - a * x + b * y, b, a, middle[1] - b * x - a * y)
    picture = Image.fromarray(np.ascontiguousarray(padded))
    return picture.transform(SIZE, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)


def coloured(picture: Image.Image, how: Treatment) -> Image.Image:
    """The picture times the exposure and the white-balance gains, clipped to 0 to 255."""
    gains = np.array(how.balance) * how.exposure
    pixels = np.rint(np.asarray(picture, dtype=np.float64) * gains)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def main() -> None:
    photo = skimage.data.astronaut()
    names = [f"{index + 1:06d}.jpg" for index in range(COUNT)]
    treatments = [treatment(index) for index in range(COUNT)]
    folder = HERE / "images"
    folder.mkdir(exist_ok=True)
    for name, how in zip(names, treatments, strict=True):
        coloured(framed(photo, how), how).save(folder / name, quality=QUALITY, optimize=True)

    values = " ".join(" 1" if name in TRUE else "-1" for name in NAMES)
    lines = [str(COUNT), " ".join(NAMES), *(f"{name} {values}" for name in names)]
    (HERE / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    text = SOURCE.format(
        count=COUNT,
        version=metadata.version("scikit-image"),
        quality=QUALITY,
        true=", ".join(name for name in NAMES if name in TRUE),
        rows="\n".join(how.row(name) for name, how in zip(names, treatments, strict=True)),
    )
    (HERE / "SOURCE.md").write_text(text, encoding="utf-8", newline="\n")
    size = sum((folder / name).stat().st_size for name in names)
    print(f"{COUNT} images, {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
