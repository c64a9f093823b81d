"""Pairs for msame: the published pre-processing's bytes, order and labels, and folders that are not whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import CelebA, DatasetError
from datasets.prepared import TARGETS, find_pairs, fingerprint, iter_padded
from datasets.tensors import write_tensor
from tests.datasets.made_files import attribute_text, jpeg, rows

SELECTED = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")


def published_pairs(folder: Path, batch: int) -> list[tuple[bytes, bytes]]:
    """What the published pre-processing writes as img/<i>.bin and attr/<i>.bin, said with Pillow and numpy alone.

    CenterCrop(178), Resize(128), ToTensor, Normalize(0.5, 0.5); entries shuffled with seed 1234; hair colours exclude
    each other, other attributes are flipped. Only full batches: the last one's size would be another.
    """
    lines = (folder / "list_attr_celeba.txt").read_text().splitlines()
    names, entries = lines[1].split(), [line.split() for line in lines[2:]]
    random.Random(1234).shuffle(entries)
    entries = entries[:1999]
    pairs = []
    for start in range(0, len(entries) - len(entries) % batch, batch):
        images, labels = [], []
        for name, *values in entries[start : start + batch]:
            image = Image.open(folder / "images" / name).convert("RGB")
            left, top = round((image.width - 178) / 2), round((image.height - 178) / 2)
            image = image.crop((left, top, left + 178, top + 178)).resize((128, 128), Image.Resampling.BILINEAR)
            scaled = np.asarray(image).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
            images.append((scaled - np.float32(0.5)) / np.float32(0.5))
            labels.append([float(values[names.index(attribute)] == "1") for attribute in SELECTED])
        for index, attribute in enumerate(SELECTED):
            target = np.array(labels, np.float32)
            if attribute.endswith("_Hair"):
                target[:, [i for i, name in enumerate(SELECTED) if name.endswith("_Hair")]] = 0
                target[:, index] = 1
            else:
                target[:, index] = 1 - target[:, index]
            pairs.append((np.stack(images).tobytes(), target.tobytes()))
    return pairs


@pytest.fixture
def celeba_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "celeba"
    (folder / "images").mkdir(parents=True)
    for index in range(11):
        (folder / "images" / f"{index + 1:06d}.jpg").write_bytes(jpeg(index))
    (folder / "list_attr_celeba.txt").write_text(attribute_text(rows(11)))
    return folder


def test_batches_are_the_published_ones_byte_for_byte(celeba_folder: Path) -> None:
    expected = published_pairs(celeba_folder, batch=4)
    assert len(expected) == 2 * TARGETS
    with CelebA.open(celeba_folder, SELECTED) as celeba:
        batches = list(iter_padded(celeba, celeba.split().test, batch=4))
    found = [(batch.images.tobytes(), target.tobytes()) for batch in batches for target in batch.targets]
    assert found[: len(expected)] == expected
    assert len(found) == 3 * TARGETS


def test_the_last_batch_is_filled_up_with_its_last_image(celeba_folder: Path) -> None:
    with CelebA.open(celeba_folder, SELECTED) as celeba:
        *_, last = iter_padded(celeba, celeba.split().test, batch=4)
    assert last.images.shape == (4, 3, 128, 128)
    assert last.targets.shape == (5, 4, 5)
    assert np.array_equal(last.images[3], last.images[2])
    assert not np.array_equal(last.images[2], last.images[1])
    assert np.array_equal(last.targets[:, 3], last.targets[:, 2])


def test_the_fingerprint_tells_other_pictures_labels_and_attributes_apart(celeba_folder: Path) -> None:
    def now(attributes: tuple[str, ...] = SELECTED) -> str:
        with CelebA.open(celeba_folder, attributes) as celeba:
            return fingerprint(celeba, celeba.split().test)

    first = now()
    assert now() == first
    assert now((*SELECTED[:4], "Smiling")) != first
    (celeba_folder / "images" / "000003.jpg").write_bytes(jpeg(99))
    changed = now()
    assert changed != first
    listed = celeba_folder / "list_attr_celeba.txt"
    listed.write_text(listed.read_text().replace("000001.jpg -1", "000001.jpg 1"))
    assert now() != changed


def write_pairs(folder: Path, count: int, batch: int) -> Path:
    for name in ("img", "attr"):
        (folder / "bin" / name).mkdir(parents=True)
    for index in range(count):
        write_tensor(folder / "bin" / "img" / f"{index}.bin", np.full((batch, 3, 128, 128), index, np.float32))
        write_tensor(folder / "bin" / "attr" / f"{index}.bin", np.full((batch, 5), index, np.float32))
    return folder


def test_pairs_are_found_with_their_batch_size(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path, 10, 2)
    for path in (folder, folder / "bin"):
        pairs = find_pairs(path)
        assert (pairs.batch, pairs.count, pairs.record()) == (2, 10, None)
        images, attributes = pairs.read(7)
        assert images.shape == (2, 3, 128, 128)
        assert (images == 7).all()
        assert (attributes == 7).all()


def truncate(folder: Path) -> None:
    path = folder / "bin" / "img" / "3.bin"
    path.write_bytes(path.read_bytes()[:1000])


def other_batch(folder: Path) -> None:
    write_tensor(folder / "bin" / "attr" / "2.bin", np.zeros((4, 5), np.float32))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "bin/attr/4.bin").unlink(), ["img/4.bin: has no partner", "attr/4.bin"]),
        (lambda f: (f / "bin/img/4.bin").unlink(), ["attr/4.bin: has no partner", "img/4.bin"]),
        (lambda f: [(f / f"bin/{n}/1.bin").unlink() for n in ("img", "attr")], ["1.bin is missing", "there is 4.bin"]),
        (lambda f: [(f / f"bin/{n}/4.bin").unlink() for n in ("img", "attr")], ["4 pairs, no multiple of 5"]),
        (truncate, ["img/3.bin: 1000 bytes, expected 393216 for a batch of 2"]),
        (other_batch, ["attr/2.bin: 80 bytes (that is a batch of 4), expected 40 for a batch of 2"]),
        (lambda f: (f / "bin/img/0.bin").rename(f / "bin/img/00.bin"), ["00.bin: is no numbered input"]),
    ],
)
def test_pairs_that_are_not_whole_are_one_line(
    tmp_path: Path, spoil: Callable[[Path], object], words: list[str]
) -> None:
    folder = write_pairs(tmp_path, 5, 2)
    spoil(folder)
    with pytest.raises(DatasetError) as caught:
        find_pairs(folder)
    assert all(word in str(caught.value) for word in words), caught.value


def test_another_batch_size_than_asked_for_is_refused(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path, 5, 2)
    with pytest.raises(DatasetError, match=r"img/0.bin: 393216 bytes \(that is a batch of 2\), expected 196608"):
        find_pairs(folder, batch=1)
    with pytest.raises(DatasetError, match="has no folders img and attr"):
        find_pairs(tmp_path / "bin" / "img")
