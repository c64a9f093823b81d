from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets import CelebA, DatasetError, Entry, iter_batches, iter_images, load_batch, preprocess_image
from tests.datasets.made_files import jpeg, zipped


def reference(data: bytes) -> np.ndarray:
    """The published transforms, written without anything of ours."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    width, height = image.size
    top, left = int(round((height - 178) / 2.0)), int(round((width - 178) / 2.0))  # noqa: RUF046
    image = image.crop((left, top, left + 178, top + 178)).resize((128, 128), Image.Resampling.BILINEAR)
    scaled = np.ascontiguousarray(np.array(image).transpose(2, 0, 1)).astype(np.float32) / np.float32(255)
    return (scaled - np.float32(0.5)) / np.float32(0.5)


@given(width=st.integers(178, 400), height=st.integers(178, 400), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_any_size_is_byte_equal_to_the_published_transforms(width: int, height: int, seed: int) -> None:
    data = jpeg(seed, (width, height))
    assert preprocess_image(data).tobytes() == reference(data).tobytes()


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "JPEG"), ("CMYK", "JPEG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("LA", "PNG")]
)
def test_other_modes_are_decoded_as_rgb(mode: str, kind: str) -> None:
    data = jpeg(3, mode=mode, kind=kind)
    assert preprocess_image(data).tobytes() == reference(data).tobytes()


def test_every_value_is_the_float32_arithmetic_and_in_range() -> None:
    image = preprocess_image(jpeg(1))
    assert (image.shape, image.dtype) == ((3, 128, 128), np.float32)
    assert image.min() >= -1
    assert image.max() <= 1
    white = io.BytesIO()
    Image.new("RGB", (178, 178), (255, 0, 51)).save(white, "PNG")
    assert [float(plane[5, 5]) for plane in preprocess_image(white.getvalue())] == [1.0, -1.0, np.float32(-0.6)]


def test_out_is_filled_in_place_or_refused() -> None:
    out = np.full((2, 3, 128, 128), 9, np.float32)
    assert preprocess_image(jpeg(1), out[1]) is not None
    assert out[1].tobytes() == reference(jpeg(1)).tobytes()
    assert (out[0] == 9).all()
    for bad in (np.empty((3, 128, 128), np.float64), np.empty((3, 128, 127), np.float32)):
        with pytest.raises(DatasetError, match="give float32"):
            preprocess_image(jpeg(1), bad)


@pytest.mark.parametrize("size", [(177, 218), (178, 177), (1, 1)])
def test_an_image_smaller_than_the_crop_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DatasetError, match=f"x.jpg: {size[0]}x{size[1]} pixels, smaller than the 178x178"):
        preprocess_image(jpeg(0, size), where="x.jpg")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        jpeg(0)[:2000],
        jpeg(0)[:30],
        jpeg(0, kind="PNG")[:2000],
        jpeg(0, kind="PNG").replace(b"IDAT", b"IDxT"),
        jpeg(0, kind="GIF", mode="P"),  # only JPEG and PNG are decoded
    ],
)
def test_what_does_not_decode_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(DatasetError, match=r"^x\.jpg: does not decode \(.+\); replace the file$") as caught:
        preprocess_image(data, where="x.jpg")
    assert "BytesIO" not in str(caught.value)


@pytest.mark.parametrize("limit", [178 * 218 - 1, 1000])  # between one and two limits Pillow only warns
def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(DatasetError, match=r"x\.jpg: .*decompression bomb"):
            preprocess_image(jpeg(0), where="x.jpg")


def test_threads_one_thread_folder_and_zip_give_the_same_in_order(
    make_celeba: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_celeba(11)
    with CelebA.open(folder) as plain, CelebA.open(zipped(folder, tmp_path / "c.zip")) as packed:
        entries = plain.entries[::-1]
        expected = np.stack([reference(plain.read(entry)) for entry in entries])
        assert len({image.tobytes() for image in expected}) == 11
        for data in (plain, packed):
            for workers in (1, 2, 3):
                assert load_batch(data, entries, workers).tobytes() == expected.tobytes()
                assert np.stack(list(iter_images(data, entries, workers))).tobytes() == expected.tobytes()
                batches = list(iter_batches(data, entries, 4, workers))
                assert [len(batch) for batch in batches] == [4, 4, 3]
                assert np.concatenate(batches).tobytes() == expected.tobytes()


class Counting:
    """A dataset in memory that counts how far ahead it was read, and can hold one broken image."""

    def __init__(self, count: int, broken: int | None = None) -> None:
        self.entries = [Entry(f"{index}.jpg", (), index + 3) for index in range(count)]
        self.broken = broken
        self.reads = 0
        self.lock = threading.Lock()

    def read(self, entry: Entry) -> bytes:
        with self.lock:
            self.reads += 1
        return b"broken" if entry.line - 3 == self.broken else jpeg(entry.line - 3)

    def where(self, entry: Entry) -> str:
        return f"memory/{entry.filename}"


def loading_threads() -> Sequence[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("datasets")]


@pytest.mark.parametrize("workers", [1, 2])
def test_closing_early_stops_the_threads_and_the_reading(workers: int) -> None:
    data = Counting(60)
    images = iter_images(data, data.entries, workers)
    next(images)
    images.close()
    assert not loading_threads()
    assert data.reads <= 4 * (workers + 2)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_of_the_caller_stops_the_threads(workers: int) -> None:
    data = Counting(20)
    batches = iter_batches(data, data.entries, 2, workers)
    next(batches)
    with pytest.raises(RuntimeError, match="caller"):
        batches.throw(RuntimeError("caller"))
    assert not loading_threads()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_image_is_named_after_those_before_it_came_through(workers: int) -> None:
    data = Counting(12, broken=7)
    batches = iter_batches(data, data.entries, 2, workers)
    assert [len(next(batches)) for _ in range(3)] == [2, 2, 2]
    with pytest.raises(DatasetError, match=r"^memory/7\.jpg: does not decode"):
        next(batches)
    assert not loading_threads()
    with pytest.raises(DatasetError, match=r"^memory/7\.jpg: does not decode"):
        load_batch(data, data.entries, workers)


def test_a_slow_caller_bounds_what_is_read_ahead() -> None:
    data = Counting(40)
    batches = iter_batches(data, data.entries, 2, 2)
    for done in range(1, 6):
        next(batches)
        assert data.reads <= 2 * (done + 3)
    batches.close()


def test_no_entries_give_nothing() -> None:
    data = Counting(0)
    assert load_batch(data, [], 2).shape == (0, 3, 128, 128)
    assert list(iter_images(data, [], 2)) == []


def test_bad_numbers_are_refused_at_once() -> None:
    data = Counting(1)
    for call in (iter_images, load_batch):
        with pytest.raises(DatasetError, match="workers is 0"):
            call(data, data.entries, 0)
    with pytest.raises(DatasetError, match="batch_size is 0"):
        iter_batches(data, data.entries, 0)


def encoded(seed: int, quality: int, subsampling: int, progressive: bool, optimize: bool) -> bytes:
    """A JPEG of noise over a gradient, in one of the ways that JPEGs come."""
    generator = np.random.default_rng(seed)
    pixels = np.add.outer(np.arange(190), np.arange(200))[:, :, None] * np.array([0.4, 0.2, 0.6])
    noisy = np.clip(pixels + generator.normal(0, 25, pixels.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(
        file, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive, optimize=optimize
    )
    return file.getvalue()


@given(
    seed=st.integers(0, 99),
    quality=st.integers(20, 100),
    subsampling=st.sampled_from([0, 1, 2]),
    progressive=st.booleans(),
    optimize=st.booleans(),
)
@settings(max_examples=40)
def test_every_way_of_encoding_is_byte_equal_to_pillows_decoding(
    seed: int, quality: int, subsampling: int, progressive: bool, optimize: bool
) -> None:
    data = encoded(seed, quality, subsampling, progressive, optimize)
    assert preprocess_image(data).tobytes() == reference(data).tobytes()


def test_without_simplejpeg_everything_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = preprocess_image(jpeg(7))
    monkeypatch.setattr("datasets.preprocess.simplejpeg", None)
    assert preprocess_image(jpeg(7)).tobytes() == fast.tobytes()


@given(st.data())
@settings(max_examples=60)
def test_damage_ends_as_pillow_alone_would_have_it(data: st.DataObject) -> None:
    """A damaged JPEG is refused with one line, or decoded to the very pixels that Pillow makes of it."""
    damaged = bytearray(encoded(1, 90, 2, data.draw(st.booleans()), False))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged) - 1)) :]
    try:
        found = preprocess_image(bytes(damaged))
    except DatasetError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both ends are right, each in its own way
        return
    assert found.tobytes() == reference(bytes(damaged)).tobytes()
