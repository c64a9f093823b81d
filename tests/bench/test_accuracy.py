"""Two folders of translated pictures compared: bench's own, msame's and ais_bench's, and everything that is no pair."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace as changed
from PIL import Image

from bench.commands import accuracy
from bench.commands.accuracy import AccuracyOptions, compare_folders
from bench.comparison import work
from bench.errors import UsageError
from datasets.tensors import write_tensor
from reports import translation
from reports.translation import TranslationRecord, TranslationSource

BATCH, PAIRS = 2, 10
Batches = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def pictures(seed: int = 0) -> Batches:
    """(pairs, batch, 3, 128, 128): smooth, in [-1, 1], every one different."""
    y, x = np.mgrid[0:128, 0:128] / 40
    phases = np.random.default_rng(seed).uniform(0, 6, (PAIRS, BATCH, 3, 1, 1))
    return (0.8 * np.sin(x + phases) * np.cos(y)).astype(np.float32)


def record(**changes: object) -> TranslationRecord:
    source = TranslationSource(
        backend="acl", options={}, asked_precision="fp16", device="npu:0", card="Atlas 300I", model_sha256="m" * 64,
        inputs_sha256="celeba:ii", batch=BATCH, attributes=["Red_Hair", "Blue_Hair", "Green_Hair", "Tall", "Old"],
        output_format="bin", picture_format="",
    )  # fmt: skip
    own = {name: changes.pop(name) for name in list(changes) if name in source.__struct_fields__}
    told = TranslationRecord(
        schema=translation.SCHEMA, source=changed(source, **own), images=3, pairs=PAIRS, provenance="measured",
        model="a model", inputs="3 pictures", precision="fp16", session={"version": "1.0"}, complete=True,
    )  # fmt: skip
    return changed(told, **changes)


def ours(folder: Path, batches: Batches, **changes: object) -> Path:
    """A folder as `bench translate` leaves it."""
    (folder / "outputs").mkdir(parents=True)
    for pair, batch in enumerate(batches):
        write_tensor(folder / "outputs" / f"{pair}_output_0.bin", batch)
    translation.write(folder, record(**changes))
    return folder


def msames(folder: Path, batches: Batches, kind: str = "txt", middle: str = "_output") -> Path:
    """A folder as msame leaves it: one folder deeper, named by the time."""
    inner = folder / "2026_11_22-12_00_00"
    inner.mkdir(parents=True)
    for pair, batch in enumerate(batches):
        write_tensor(inner / f"{pair}{middle}_0.{kind}", batch)  # type: ignore[arg-type]
    return folder


@pytest.fixture
def options(tmp_path: Path) -> AccuracyOptions:
    """Two folders `a` and `b` of the test's, of which nothing is known."""
    return AccuracyOptions(tmp_path / "a", tmp_path / "b", None, None, "float32", None, tmp_path / "out")


def rows(options: AccuracyOptions) -> list[dict[str, str]]:
    assert options.out is not None
    with (options.out / "images.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def refused(options: AccuracyOptions, *words: str) -> None:
    """One line with all of these words, and nothing left behind."""
    with pytest.raises(UsageError) as caught:
        compare_folders(options)
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    assert options.out is not None
    assert not options.out.exists()


def test_msames_text_against_our_own_knows_batch_images_and_attributes(
    options: AccuracyOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = pictures()
    ours(options.reference, reference, precision="fp32")
    candidate = (reference + 1e-3 * np.random.default_rng(1).normal(size=reference.shape)).astype(np.float32)
    candidate[5:, 1] = np.nan  # the padding of the last batch counts for nothing
    msames(options.candidate, candidate)
    assert compare_folders(replace(options, precision="fp16")) == 0
    out = capsys.readouterr().out
    assert "Passed: all 15 images are within the thresholds of fp16." in out
    found = rows(options)
    assert len(found) == 15
    assert {row["passed"] for row in found} == {"yes"}
    assert [row["attribute"] for row in found if row["image"] == "2"] == [
        "Red_Hair", "Blue_Hair", "Green_Hair", "Tall", "Old",
    ]  # fmt: skip
    assert [(r["image"], r["pair"], r["batch"], r["row"], r["target"]) for r in found[-2:]] == [
        ("2", "8", "1", "0", "3"), ("2", "9", "1", "0", "4"),
    ]  # fmt: skip
    worst = max(abs(float(row["max_abs"])) for row in found)
    real = np.concatenate([candidate[:5].reshape(-1, 3, 128, 128), candidate[5:, 0]])
    same = np.concatenate([reference[:5].reshape(-1, 3, 128, 128), reference[5:, 0]])
    assert worst == pytest.approx(np.abs(real - same).max(), abs=2e-6), "six digits of text"
    text = (options.reference.parent / "out" / "accuracy.md").read_text()
    for words in ("taken on trust", "acl on Atlas 300I (npu:0)", "5 copies that fill up the last batch", "six digits"):
        assert words in text
    assert "SIMULATED" not in text


def test_one_wrong_image_of_many_is_named_shown_and_makes_the_answer_no(
    options: AccuracyOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = pictures()
    candidate = reference.copy()
    candidate[3, 1] = np.roll(candidate[3, 1], 5, axis=2)
    candidate[7, 0, 1, 40:42, 50] = np.nan
    ours(options.reference, reference, precision="fp32", backend="pytorch")
    ours(options.candidate, candidate)
    assert compare_folders(options) == 1
    out = capsys.readouterr().out
    assert (
        "2 of 15 images are wrong: pair 7 image 0 (Green_Hair) (2 of 49152 values are NaN or infinite); pair 3" in out
    )
    wrong = [row for row in rows(options) if row["passed"] == "no"]
    assert [(row["pair"], row["row"], row["nonfinite"]) for row in wrong] == [("3", "1", "0"), ("7", "0", "2")]
    assert (wrong[1]["psnr_db"], wrong[1]["ssim"]) == ("", "")
    assert {row["psnr_db"] for row in rows(options) if row["passed"] == "yes"} == {"inf"}
    assert options.out is not None
    with Image.open(options.out / "worst.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels == (255, 0, 255)).all(axis=2).any(), "NaN is shown in magenta"
    text = (options.out / "accuracy.md").read_text()
    assert "**Not passed, by the thresholds of fp16: 2 of 15 images are wrong" in text
    assert "![The worst images](worst.png)" in text
    table = [line for line in text.partition("worst images\n")[2].splitlines() if line.startswith("| pair")]
    assert len(table) == 15
    assert table[0].startswith("| pair 7 image 0 (Green_Hair) | **wrong**: 2 of 49152")
    assert table[1].startswith("| pair 3 image 1 (Tall) | **wrong**: cosine")
    assert all(" passed | " in line for line in table[2:])
    assert sorted(path.name for path in options.out.iterdir()) == ["accuracy.md", "images.csv", "worst.png"]


def test_equal_folders_of_nobody_in_particular_are_equal(
    options: AccuracyOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, middle in ((options.reference, "_output"), (options.candidate, "")):
        msames(folder, pictures(), "npy", middle)
    assert compare_folders(replace(options, batch=2, precision="fp32", images=4)) == 0
    out = capsys.readouterr().out
    assert re.search(r"PSNR \(dB\) +equal +equal", out)
    assert "Nothing is known of the reference and the candidate but the files" in out
    assert len(rows(options)) == 20
    assert rows(options)[0]["attribute"] == "Black_Hair"


def test_a_number_of_files_that_is_no_multiple_of_five_counts_in_full(options: AccuracyOptions) -> None:
    for folder in (options.reference, options.candidate):
        msames(folder, pictures()[:3], "bin")
    chosen = replace(options, batch=2, precision="fp16")
    refused(replace(chosen, images=1), "3 outputs", "no multiple of 5", "--limit")
    assert compare_folders(chosen) == 0
    assert len(rows(options)) == 6


def test_float16_files_are_read_as_such(options: AccuracyOptions, capsys: pytest.CaptureFixture[str]) -> None:
    ours(options.reference, pictures(), precision="fp32")
    inner = msames(options.candidate, pictures()[:0]) / "2026_11_22-12_00_00"
    for pair, batch in enumerate(pictures()):
        (inner / f"{pair}_0.bin").write_bytes(batch.astype(np.float16).tobytes())
    refused(replace(options, precision="fp16"), "--dtype float16")
    assert compare_folders(replace(options, precision="fp16", dtype="float16")) == 0
    assert "The candidate's .bin files were read as float16." in capsys.readouterr().out


def test_the_coarser_side_decides_the_thresholds(options: AccuracyOptions, capsys: pytest.CaptureFixture[str]) -> None:
    reference = pictures()
    ours(options.reference, (reference + np.float32(0.02)).astype(np.float32), precision="bf16")
    ours(options.candidate, reference, precision="fp32")
    assert compare_folders(options) == 0
    out = capsys.readouterr().out
    assert "coarser than fp32: the thresholds are those of bf16" in out
    assert "within the thresholds of bf16" in out


def test_simulated_pictures_have_a_banner_everywhere(
    options: AccuracyOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    ours(options.reference, pictures(), precision="fp32")
    ours(options.candidate, pictures(), provenance="simulated", model_sha256="other")
    assert compare_folders(options) == 0
    assert options.out is not None
    out, text = capsys.readouterr().out, (options.out / "accuracy.md").read_text()
    for said in (out, text):
        assert "SIMULATED" in said
        assert "The weights are not the same" in said
    with Image.open(options.out / "worst.png") as image:
        image.load()


def test_inputs_of_unknown_origin_are_compared_on_trust(
    options: AccuracyOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    ours(options.reference, pictures(), precision="fp32")
    ours(options.candidate, pictures(), inputs_sha256="bins:ii")
    assert compare_folders(options) == 0
    assert "pairs whose origin is not recorded" in capsys.readouterr().out


def both(options: AccuracyOptions, reference: dict[str, object], candidate: dict[str, object]) -> None:
    ours(options.reference, pictures(), **({"precision": "fp32"} | reference))
    ours(options.candidate, pictures(), **candidate)


@pytest.mark.parametrize(
    ("reference", "candidate", "words"),
    [
        ({}, {"inputs_sha256": "celeba:other"}, ("translations of other inputs", "translate both from the same")),
        ({}, {"batch": 4}, ("a was made in batches of 2", "b in batches of 4")),
        ({}, {"images": 4}, ("a was made of 3 images", "b of 4 images")),
        ({}, {"complete": False}, ("b: its translation is unfinished", "bench translate")),
        ({"precision": None}, {}, ("a: its translation is unfinished",)),
        ({}, {"pairs": 15}, ("tells of 15 outputs, here are 10",)),
    ],
)
def test_translations_that_cannot_be_compared_are_refused(
    options: AccuracyOptions, reference: dict[str, object], candidate: dict[str, object], words: tuple[str, ...]
) -> None:
    both(options, reference, candidate)
    refused(options, *words)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"batch": 4}, ("--bs 4", "made in batches of 2", "leave --bs out")),
        ({"images": 4}, ("--limit 4", "made of 3 images", "leave --limit out")),
        ({"precision": "fp32"}, ("--precision fp32", "executed in fp16", "leave --precision out")),
        ({"precision": "fp8"}, ("--precision fp8", "unknown", "fp32, tf32")),
    ],
)
def test_options_that_contradict_a_folder_are_refused(
    options: AccuracyOptions, given: dict[str, object], words: tuple[str, ...]
) -> None:
    both(options, {}, {})
    refused(replace(options, **given), *words)  # type: ignore[arg-type]


def other_files(folder: Path) -> None:
    (folder / "notes.md").write_text("no outputs here")


def second_output(folder: Path) -> None:
    next(folder.rglob("0_output_0.bin")).with_name("0_output_1.bin").write_bytes(b"")


def cut_off(folder: Path) -> None:
    path = next(folder.rglob("4_output_0.bin"))
    path.write_bytes(path.read_bytes()[:-5])


def one_missing(folder: Path) -> None:
    next(folder.rglob("9_output_0.bin")).unlink()


def hole(folder: Path) -> None:
    next(folder.rglob("4_output_0.bin")).unlink()


def damaged_record(folder: Path) -> None:
    (folder / "translate.json").write_text("{")


def broken_reference(folder: Path) -> None:
    path = next(folder.rglob("6_output_0.bin"))
    values = np.fromfile(path, np.float32)
    values[5] = np.inf
    path.write_bytes(values.tobytes())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (second_output, ("0_output_1.bin", "second output")),
        (cut_off, ("4_output_0.bin", "expected")),
        (one_missing, ("a holds 9 outputs, ", "b 10")),
        (hole, ("output of input 4 is missing",)),
        (broken_reference, ("6_output_0.bin", "image 0 of the reference", "NaN or infinite")),
    ],
)
def test_bad_folders_are_refused_in_one_line(
    options: AccuracyOptions, damage: Callable[[Path], None], words: tuple[str, ...]
) -> None:
    for folder in (options.reference, options.candidate):
        msames(folder, pictures(), "bin")
    damage(options.reference)
    refused(replace(options, batch=2, precision="fp16"), *words)


def test_folders_without_outputs_damaged_records_and_what_nobody_tells_are_refused(options: AccuracyOptions) -> None:
    refused(options, "a: no such folder")
    options.reference.mkdir()
    other_files(options.reference)
    refused(options, "a: holds no outputs")
    msames(options.reference, pictures(), "bin")
    msames(options.candidate, pictures(), "bin")
    refused(replace(options, precision="fp16"), "neither tells its batch size", "--bs")
    refused(replace(options, batch=2), "does not tell which precision", "--precision", "atc makes fp16")
    refused(replace(options, batch=4, precision="fp16"), "fits a batch of 2")
    refused(replace(options, batch=2, precision="fp16", images=9), "3 to 4 images, not 9")
    damaged_record(next(options.candidate.iterdir()))
    refused(replace(options, batch=2, precision="fp16"), "translate.json", "damaged")


def test_a_folder_with_something_in_it_is_not_written_into(options: AccuracyOptions) -> None:
    both(options, {}, {})
    assert options.out is not None
    options.out.mkdir()
    (options.out / "mine").write_text("precious")
    with pytest.raises(UsageError, match="not empty"):
        compare_folders(options)
    assert [path.name for path in options.out.iterdir()] == ["mine"]


def test_without_out_the_report_goes_to_runs(
    options: AccuracyOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    both(options, {}, {})
    assert compare_folders(replace(options, out=None)) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"accuracy-\d{8}-\d{6}", folder.name)


@pytest.mark.parametrize("where", ["compare_images", "draw_worst", "render"])
def test_ctrl_c_leaves_nothing_half_written(
    options: AccuracyOptions, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    both(options, {}, {})
    monkeypatch.setattr(accuracy, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        compare_folders(options)
    assert options.out is not None
    assert not options.out.exists()


def test_a_full_disk_is_told_in_one_line(options: AccuracyOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    both(options, {}, {})
    monkeypatch.setattr(accuracy, "draw_worst", full)
    refused(options, "No space left on device", "--out")


def test_processes_find_what_one_alone_finds(options: AccuracyOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = pictures()
    noise = 0.003 * np.random.default_rng(1).normal(size=reference.shape)
    ours(options.reference, reference, precision="fp32")
    ours(options.candidate, (reference + noise).astype(np.float32))
    assert options.out is not None
    assert compare_folders(replace(options, out=options.out / "alone")) == 0
    monkeypatch.setattr(work, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr("bench.pool.usable_cpus", lambda: [0, 1])
    assert compare_folders(replace(options, out=options.out / "many")) == 0
    alone, many = ((options.out / name / "images.csv").read_bytes() for name in ("alone", "many"))
    assert alone == many
