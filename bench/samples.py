"""Sample pictures small enough to lie in a run file: the first few outputs side by side, as a JPEG."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray

from datasets.pictures import to_pixels

#: As many as StarGAN has target attributes.
SAMPLES: Final = 5
#: As base64 in a run file they are a third more.
_MOST_BYTES: Final = 28_000
_QUALITIES: Final = (90, 75, 60, 45, 30, 15)


def sample_strip(images: NDArray[np.float32]) -> bytes:
    """The first SAMPLES of (n, 3, h, h) float32 in [-1, 1] side by side, as good a JPEG as 28 kB allow."""
    from PIL import Image

    pixels = to_pixels(images[:SAMPLES].astype(np.float32, copy=False))
    image = Image.fromarray(np.concatenate(list(pixels), axis=1))
    data = b""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if len(data) <= _MOST_BYTES:
            break
    return data
