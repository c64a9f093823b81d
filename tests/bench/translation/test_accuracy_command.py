"""accuracy as a real command: folders, a tool's folder, and sides that are backends."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from datasets.tensors import read_tensor, write_tensor
from tests.command import Bench, one_line

SHAPE = (2, 3, 128, 128)


def test_a_backend_against_the_baseline_passes_and_goes_on_after_a_break(at: Bench) -> None:
    order = ("accuracy", "--reference", "prep/baseline", "--candidate", "again", "--bins", "prep", "--out", "out")
    done = at(*order)
    assert "Passed: all 15 images are within the thresholds of fp32." in done.stdout
    names = {path.name for path in (at.folder / "out").iterdir()}
    assert names == {"accuracy.md", "images.csv", "worst.png", "candidate"}
    for name in ("accuracy.md", "images.csv", "worst.png"):
        (at.folder / "out" / name).unlink()
    changed = (at.folder / "out/candidate/outputs/3_output_0.bin").stat().st_mtime_ns
    at(*order)
    assert (at.folder / "out/candidate/outputs/3_output_0.bin").stat().st_mtime_ns == changed
    one_line(at(*order, code=2).stderr, "out is not empty")


def test_a_backend_with_wrong_outputs_is_found_out(at: Bench) -> None:
    out = at("accuracy", "--reference", "prep/baseline", "--candidate", "off", "--bins", "prep", code=1).stdout
    assert "15 of 15 images are wrong" in out
    assert "SIMULATED" in out


def test_msames_folder_round_trips_through_images_and_accuracy(at: Bench) -> None:
    """Text as msame leaves it, one value wrong in one of ten files."""
    folder = at.folder / "output_bs2" / "2022118_9_5_3_1234"
    folder.mkdir(parents=True)
    for index in range(10):
        array = read_tensor(at.folder / f"prep/baseline/outputs/{index}_output_0.bin", SHAPE)
        write_tensor(folder / f"{index}_output_0.txt", array)
    at("images", "--outputs", "output_bs2", "--bs", "2", "--limit", "3")
    order = ("accuracy", "--reference", "prep/baseline", "--candidate", "output_bs2")
    one_line(at(*order, code=2).stderr, "--precision", "fp16")
    assert "Passed: all 15 images" in at(*order, "--precision", "fp16", "--out", "right").stdout
    array = read_tensor(folder / "4_output_0.txt", SHAPE)
    array[1] = np.clip(array[1] + 0.5, -1, 1)
    write_tensor(folder / "4_output_0.txt", array)
    out = at(*order, "--precision", "fp16", "--out", "wrong", code=1).stdout
    assert "1 of 15 images is wrong: pair 4 image 1 (Young)" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--reference", "prep/baseline", "--candidate", "nothing"],
            ["nothing: no such folder, and no backend either"],
        ),
        (["--reference", "prep/baseline", "--candidate", "acl", "--bins", "prep"], ["acl is not usable here"]),
        (["--reference", "prep", "--candidate", "prep/baseline"], ["other", "2 images"]),
    ],
)
def test_mistakes_get_one_line(at: Bench, arguments: list[str], words: list[str]) -> None:
    if arguments[1] == "prep":  # a folder of a translation with another batch size
        shutil.copytree(at.folder / "prep/baseline", at.folder / "other")
        record = at.folder / "other/translate.json"
        record.write_text(record.read_text().replace('"batch": 2', '"batch": 4'))
        arguments = ["--reference", "other", *arguments[2:]]
        words = ["other was made in batches of 4", "in batches of 2"]
    one_line(at("accuracy", *arguments, code=2).stderr, *words)
    assert not (at.folder / "runs").exists() or not list((at.folder / "runs").iterdir())
