"""prepare, translate and images as real commands on the bundled pictures."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets import CelebA, sample_folder
from datasets.pictures import grid
from datasets.tensors import read_tensor
from tests.command import Bench, one_line

SHAPE = (2, 3, 128, 128)


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Digest and time of change of every file, by its path."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def outputs(folder: Path, kind: str = "bin", batch: int = 2, pairs: int = 10) -> np.ndarray:
    shape = (batch, *SHAPE[1:])
    return np.stack([read_tensor(folder / f"outputs/{i}_output_0.{kind}", shape) for i in range(pairs)])


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.is_file()]


def test_prepare_leaves_msames_layout_and_the_baseline(at: Bench) -> None:
    prep = at.folder / "prep"
    names = [f"{index}.bin" for index in range(10)]
    for folder, size in (("img", 2 * 3 * 128 * 128 * 4), ("attr", 2 * 5 * 4)):
        files = {path.name: path.stat().st_size for path in (prep / "bin" / folder).iterdir()}
        assert files == dict.fromkeys(names, size)
    with CelebA.open(sample_folder()) as celeba:
        labels = celeba.labels(celeba.split().test[:2])
    male = np.fromfile(prep / "bin" / "attr" / "3.bin", np.float32).reshape(2, 5)
    assert np.array_equal(male[:, 3], 1 - labels[:, 3])
    assert sorted(path.name for path in (prep / "baseline/pictures").iterdir()) == ["1-images.png", "2-images.png"]
    made = outputs(prep / "baseline")
    with Image.open(prep / "baseline/pictures/1-images.png") as picture:
        assert np.array_equal(np.asarray(picture), grid(made[:5]))
    with Image.open(prep / "baseline/pictures/2-images.png") as picture:
        assert picture.size == (5 * 128, 128)  # one of its two images is padding
    # One image is padding: the same picture twice.
    assert np.array_equal(made[5:, 0], made[5:, 1])


def test_a_second_prepare_redoes_nothing_and_a_bigger_one_goes_on(at: Bench) -> None:
    prep = at.folder / "prep"
    before = contents(prep)
    said = at("prepare", "--bs", "2", "--limit", "3", "--out", "prep", "--pictures", "png").stdout
    assert "0 of 2 batches were made now" in said
    (prep / "bin/attr/2.bin").write_bytes(b"cut off")
    (prep / "bin/img/.tmp-abc.bin").write_bytes(b"a call that was killed")
    said = at("prepare", "--bs", "2", "--limit", "3", "--out", "prep", "--pictures", "png").stdout
    assert "1 of 2 batches were made now" in said
    after = contents(prep)
    assert {name: digest for name, (digest, _) in after.items()} == {
        name: digest for name, (digest, _) in before.items()
    }
    assert all(after[name] == before[name] for name in before if "baseline" in name or name.endswith("7.bin"))
    said = at("prepare", "--bs", "2", "--limit", "4", "--out", "prep", "--pictures", "png").stdout
    assert "1 of 2 batches were made now" in said  # the second batch held padding before
    more = contents(prep)
    assert more["bin/img/9.bin"][0] != before["bin/img/9.bin"][0]
    assert more["bin/img/4.bin"][0] == before["bin/img/4.bin"][0]
    assert more["baseline/outputs/4_output_0.bin"] == before["baseline/outputs/4_output_0.bin"]
    made = outputs(prep / "baseline")
    assert not np.array_equal(made[5:, 0], made[5:, 1])
    at("prepare", "--bs", "2", "--limit", "3", "--out", "prep", code=2)


def test_three_backends_give_the_same_pictures(at: Bench) -> None:
    said = at("translate", "--backend", "ort", "ov", "--limit", "1", "--bs", "1", "--out", "out")
    assert said.stdout.count("passed") == 2
    baseline = outputs(at.folder / "prep/baseline")[:5, :1]
    for name in ("onnxruntime", "openvino"):
        assert np.abs(outputs(at.folder / "out" / name, batch=1, pairs=5) - baseline).max() < 1e-3
        record = json.loads((at.folder / "out" / name / "translate.json").read_text())
        assert (record["images"], record["pairs"], record["complete"], record["precision"]) == (1, 5, True, "fp32")
        assert record["speed"]["images"] == 5
        assert len(list((at.folder / "out" / name / "pictures").iterdir())) == 1


def test_pictures_and_pairs_give_the_same_outputs_and_text_keeps_six_digits(at: Bench) -> None:
    at("translate", "--backend", "again", "--limit", "3", "--bs", "2", "--out", "a", "--pictures", "none")
    said = at("translate", "--backend", "again", "--bins", "prep", "--out", "b", "--format", "txt")
    assert "copies of the last one" in said.stderr
    assert not (at.folder / "a/pictures").exists()
    assert len(list((at.folder / "b/pictures").iterdir())) == 2
    exact, text = outputs(at.folder / "a"), outputs(at.folder / "b", "txt")
    assert np.abs(exact - outputs(at.folder / "prep/baseline")).max() < 1e-3
    assert np.abs(exact - text).max() < 2e-6
    assert len((at.folder / "b/outputs/0_output_0.txt").read_text().splitlines()) == 2 * 3 * 128
    records = [json.loads((at.folder / name / "translate.json").read_text()) for name in "ab"]
    assert len({record["source"]["inputs_sha256"] for record in records}) == 1
    for record in records:
        assert (record["images"], record["pairs"], record["complete"], record["precision"]) == (3, 10, True, "fp32")
        assert record["speed"]["images"] == 15


def test_a_killed_translation_goes_on_where_it_was(at: Bench) -> None:
    order = ("translate", "--backend", "diesonce", "--bins", "prep", "--out", "out")
    error = at(*order, code=2).stderr
    one_line(
        "\n".join(line for line in error.splitlines() if "copies" not in line), "SIGKILL", "the same command goes on"
    )
    out = at.folder / "out"
    assert sorted(path.name for path in (out / "pictures").iterdir()) == ["1-images.jpg"]
    assert not json.loads((out / "translate.json").read_text())["complete"]
    assert hidden(out) == []
    before = contents(out / "outputs")
    at(*order)
    after = contents(out / "outputs")
    assert len(after) == 10
    assert all(after[f"{index}_output_0.bin"] == before[f"{index}_output_0.bin"] for index in range(5))
    assert np.abs(outputs(out) - outputs(at.folder / "prep/baseline")).max() < 1e-3
    unchanged = contents(out)
    at(*order)
    assert contents(out) == unchanged


def test_ctrl_c_keeps_what_is_finished(at: Bench) -> None:
    process = at.start("translate", "--backend", "stalls", "--bins", "prep", "--out", "out")
    deadline = time.monotonic() + 120
    while not (at.folder / "out/pictures/1-images.jpg").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert len(list((at.folder / "out/outputs").iterdir())) == 5
    assert hidden(at.folder / "out") == []


def test_values_that_are_no_numbers_are_a_wrong_result_and_no_crash(at: Bench) -> None:
    said = at("translate", "--backend", "holes", "--bins", "prep", "--out", "out", code=1).stdout
    assert "3 values are NaN or infinite" in said
    assert "SIMULATED" in said
    said = at("images", "--outputs", "out", "--out", "again", "--pictures", "png", code=1).stdout
    assert "3 values in the outputs of 1-images.png are NaN or infinite" in said
    with Image.open(at.folder / "again/1-images.png") as picture:
        assert picture.getpixel((3 * 128 + 6, 5)) == (255, 0, 255)


def test_wrong_outputs_and_a_backend_that_is_not_here_cost_the_others_nothing(at: Bench) -> None:
    done = at("translate", "--backend", "off", "acl", "again", "--bins", "prep", "--out", "out", code=2)
    assert "1 of 2 images" in done.stdout or "2 of 2 images" in done.stdout
    assert "passed" in done.stdout
    assert "acl is not usable here" in done.stderr
    assert sorted(path.name for path in (at.folder / "out").iterdir()) == ["again", "off"]


def as_a_tool_leaves_it(at: Bench, folder: Path, suffix: str, kind: str) -> Path:
    """The baseline as msame or ais_bench would have left it, in a folder of its own."""
    folder.mkdir(parents=True)
    for index, array in enumerate(outputs(at.folder / "prep/baseline")):
        path = folder / f"{index}{suffix}.{kind}"
        if kind == "bin":
            array.tofile(path)
        else:
            np.savetxt(path, array.reshape(-1, 128), fmt="%.6g", newline=" \n")
    return folder


@pytest.mark.parametrize(("suffix", "kind"), [("_output_0", "txt"), ("_0", "txt"), ("_output_0", "bin"), ("_0", "bin")])
def test_both_tools_outputs_become_the_baselines_pictures(at: Bench, suffix: str, kind: str) -> None:
    as_a_tool_leaves_it(at, at.folder / "output_bs2" / "2022118_9_5_3_1234", suffix, kind)
    at("images", "--outputs", "output_bs2", "--bs", "2", "--limit", "3", "--pictures", "png")
    for name in ("1-images.png", "2-images.png"):
        with (
            Image.open(at.folder / "output_bs2/pictures" / name) as made,
            Image.open(at.folder / "prep/baseline/pictures" / name) as baseline,
        ):
            assert made.size == baseline.size
            assert np.abs(np.asarray(made).astype(int) - np.asarray(baseline)).max() <= 1


def test_many_pictures_are_made_by_several_processes(at: Bench) -> None:
    folder = at.folder / "many"
    folder.mkdir()
    for index in range(5 * 9):
        np.full((1, 3, 128, 128), (index % 5 - 2) / 2, np.float32).tofile(folder / f"{index}_0.bin")
    at("images", "--outputs", "many", "--bs", "1", "--pictures", "png", "--out", "made")
    assert len(list((at.folder / "made").iterdir())) == 9
    with Image.open(at.folder / "made/9-images.png") as picture:
        assert [picture.getpixel((128 * target, 0))[0] for target in range(5)] == [0, 64, 128, 191, 255]
    (folder / "43_0.bin").write_bytes(b"cut off")
    error = at("images", "--outputs", "many", "--bs", "1", "--out", "made2", code=2).stderr
    one_line(error, "43_0.bin: 7 bytes, expected 196608")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["translate", "--backend", "ort", "--bs", "2", "--out", "prep"],
         ["prep is not empty and was not made by translate"]),
        (["translate", "--backend", "ort", "--bins", "none", "--out", "o"], ["none: has no folders img and attr"]),
        (["translate", "--backend", "ort", "--bins", "prep", "--bs", "4", "--out", "o"],
         ["img/0.bin: 393216 bytes (that is a batch of 2), expected 786432"]),
        (["translate", "--backend", "ort", "--bins", "prep", "--data", "x", "--out", "o"], ["contradict each other"]),
        (["translate", "--backend", "acl", "--bins", "prep", "--out", "o"], ["acl is not usable here"]),
        (["translate", "--backend", "nobody", "--out", "o"], ["backend 'nobody' is not known"]),
        (["translate", "--backend", "ort", "ort", "--limit", "2", "--bs", "2", "--out", "o"], ["name it once"]),
        (["translate", "--backend", "ort", "--limit", "1", "--drop-last", "--out", "o"], ["--drop-last leaves no"]),
        (["translate", "--backend", "ort", "--attributes", "Male", "--out", "o"], ["takes 5 attributes, 1 were given"]),
        (["prepare", "--out", "o", "--attributes", "Male", "Young", "Black_Hair", "Wings", "Blond_Hair"], ["Wings"]),
        (["prepare", "--out", "prep", "--bs", "4", "--drop-last"], ["prepared with batch 2, asked for is 4"]),
        (["prepare", "--out", "doubles"], ["doubles", "not made by prepare"]),
        (["prepare", "--data", "missing.zip", "--out", "o"], ["missing.zip: no such folder or .zip"]),
        (["images", "--outputs", "prep/bin", "--bs", "1"], ["holds no outputs"]),
        (["images", "--outputs", "prep/baseline", "--bs", "4"],
         ["0_output_0.bin: 393216 bytes, expected 786432", "fits a batch of 2"]),
    ],
)  # fmt: skip
def test_mistakes_get_one_line(at: Bench, arguments: list[str], words: list[str]) -> None:
    (at.folder / "doubles").mkdir()
    (at.folder / "doubles" / "file").touch()
    before = sorted(at.folder.iterdir())
    error = at(*arguments, code=2).stderr
    one_line("\n".join(line for line in error.splitlines() if "copies of the last" not in line), *words)
    assert sorted(at.folder.iterdir()) == before
