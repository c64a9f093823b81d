"""One image file -> StarGAN's input tensor, equal byte for byte to the published transforms.

The published pipeline on a Pillow image: CenterCrop(178), Resize(128) bilinear, ToTensor, Normalize(0.5, 0.5).
"""

from __future__ import annotations

import io
import struct
import threading
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from datasets.errors import DatasetError

try:
    import simplejpeg
except ImportError:  # no wheel for this processor: Pillow decodes everything
    simplejpeg = None

CROP: Final = 178  # pixels: the side of the square cut from the middle of an image
SIZE: Final = 128  # pixels: the side of the model's input
SHAPE: Final = (3, SIZE, SIZE)

_255: Final = np.float32(255)
_HALF: Final = np.float32(0.5)
_2: Final = np.float32(2)

# Only these decoders ever see the bytes: Pillow knows dozens of formats, and CelebA comes as JPEG or PNG.
_FORMATS: Final = ("JPEG", "PNG")
_DECODE_ERRORS: Final = (
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # where warnings are turned into errors
    OSError,
    SyntaxError,  # what Pillow raises for a broken PNG
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    struct.error,
    zlib.error,
)


class _Crop(threading.local):
    """Each thread's own image for a crop, filled anew: a fresh one would be made black before it is filled."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (CROP, CROP))


_crop = _Crop()


def preprocess_image(data: bytes, out: NDArray[np.float32] | None = None, where: str = "image") -> NDArray[np.float32]:
    """Decode a JPEG or PNG file and return it as (3, 128, 128) float32 RGB in [-1, 1].

    `out`, if given, is filled and returned: a (3, 128, 128) float32 array, such as one place of a batch.
    `where` names the image in messages. Raises DatasetError if the bytes do not decode completely, the image is
    smaller than the 178-pixel crop or larger than Pillow's limit, or `out` does not fit.
    """
    if out is None:
        out = np.empty(SHAPE, dtype=np.float32)
    elif out.shape != SHAPE or out.dtype != np.float32:
        raise DatasetError(f"out is {out.dtype} {out.shape}; give float32 {SHAPE}")
    image = _clean_jpeg_crop(data, where) or center_crop(decode(data, where), where)
    # The crop comes first: resize(box=...) would let the filter see pixels outside it.
    pixels = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    # Each step in float32 and in this order, in place: that is what makes it equal to ToTensor and Normalize. A table
    # of the 256 results would be one pass, but looking values up takes longer than these.
    out[...] = pixels.transpose(2, 0, 1)
    np.divide(out, _255, out=out)
    np.subtract(out, _HALF, out=out)
    np.multiply(out, _2, out=out)  # exactly what dividing by 0.5 gives
    return out


def decode(data: bytes, where: str = "image") -> Image.Image:
    """Decode a JPEG or PNG file completely, as RGB. Raises DatasetError if that is not possible."""
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_pixels(image.width, image.height, where)
            if image.mode != "RGB":
                return image.convert("RGB")
            image.load()
            return image
    except DatasetError:
        raise
    except _DECODE_ERRORS as error:
        reason = str(error) or type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = "neither a JPEG nor a PNG"  # Pillow's own words name a BytesIO object
        raise DatasetError(f"{where}: does not decode ({reason}); replace the file") from error


def center_crop(image: Image.Image, where: str = "image") -> Image.Image:
    """The middle 178 x 178 pixels by torchvision's rounding. Raises DatasetError if the image is smaller."""
    return image.crop(_crop_box(*image.size, where))


def _clean_jpeg_crop(data: bytes, where: str) -> Image.Image | None:
    """The crop of an ordinary colour JPEG by libjpeg-turbo directly, or None: then Pillow must have a look.

    The thread's next call overwrites it.

    The same library with the same settings as Pillow's decoder, so the pixels are equal (the tests compare them),
    without Pillow's way through its own decoder loop, in about half the time. Anything else than a clean YCbCr JPEG
    (other colour spaces, a cut or damaged file, no JPEG at all) is left to Pillow and its messages.
    """
    if simplejpeg is None or not data.startswith(b"\xff\xd8"):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours != "YCbCr":
            return None
        _check_pixels(width, height, where)
        left, top, _, _ = _crop_box(width, height, where)
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False, fastupsample=False)
    except DatasetError:
        raise
    except ValueError:
        return None
    # Pillow picks the crop's rows out of the whole image, by their distance in bytes.
    stride = width * 3
    _crop.image.frombytes(pixels.reshape(-1)[top * stride + left * 3 :], "raw", "RGB", stride, 1)
    return _crop.image


def _crop_box(width: int, height: int, where: str) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the middle 178 x 178 pixels by torchvision's rounding."""
    if width < CROP or height < CROP:
        raise DatasetError(
            f"{where}: {width}x{height} pixels, smaller than the {CROP}x{CROP} crop; give CelebA's aligned images"
        )
    # round() to even, as torchvision rounds: an odd margin does not always go the same way.
    left = int(round((width - CROP) / 2.0))  # noqa: RUF046
    top = int(round((height - CROP) / 2.0))  # noqa: RUF046
    return left, top, left + CROP, top + CROP


def _check_pixels(width: int, height: int, where: str) -> None:
    """Refuse above Pillow's limit, before anything is decoded: Pillow itself only warns up to twice the limit."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and width * height > limit:
        raise DatasetError(
            f"{where}: {width}x{height} pixels is above the limit of {limit}; "
            "this may be a decompression bomb, replace the file"
        )
