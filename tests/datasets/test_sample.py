from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import datasets
from datasets import CelebA, load_batch, sample_folder


def test_the_sample_is_whole_and_in_celebas_layout() -> None:
    with CelebA.open(sample_folder()) as celeba:
        assert len(celeba.entries) >= 32
        assert len(celeba.names) == 40
        assert (celeba.names[0], celeba.names[20], celeba.names[-1]) == ("5_o_Clock_Shadow", "Male", "Young")
        assert len(celeba.split().test) == len(celeba.entries)
        assert celeba.split().train == ()
        images = load_batch(celeba, celeba.entries)
        assert len({image.tobytes() for image in images}) == len(celeba.entries)
        assert np.isfinite(images).all()
        assert celeba.labels(celeba.entries).tolist() == [[0, 0, 1, 0, 1]] * len(celeba.entries)


def test_every_image_is_listed_in_source_md_and_of_celebas_size() -> None:
    files = sorted((sample_folder() / "images").iterdir())
    for file in files:
        with Image.open(file) as image:
            image.load()
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (178, 218))
    listed = re.findall(r"^\| (\d{6}\.jpg) \|", (sample_folder() / "SOURCE.md").read_text("utf-8"), re.MULTILINE)
    assert listed == [file.name for file in files]
    assert sum(file.stat().st_size for file in files) < 600_000


def test_importing_the_package_loads_neither_numpy_nor_pillow() -> None:
    code = "import datasets, sys; datasets.sample_folder(); sys.exit('numpy' in sys.modules or 'PIL' in sys.modules)"
    root = Path(datasets.__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_every_public_name_is_there() -> None:
    for name in datasets.__all__:
        assert getattr(datasets, name) is not None
    assert set(datasets.__all__) <= set(dir(datasets))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = datasets.no_such_name
