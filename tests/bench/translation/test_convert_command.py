"""convert as a real command: weights to .om files by a double of atc, and what is told where there is none."""

from __future__ import annotations

import os
import re

import pytest

from tests.command import Bench, one_line
from tests.doubles import atc


@pytest.fixture
def with_atc(at: Bench) -> Bench:
    place = atc.install(at.folder / "tools")
    at.environment = at.environment | {"PATH": os.pathsep.join([str(place), at.environment["PATH"]])}
    return at


def test_weights_become_om_files_by_the_names_of_the_guide(with_atc: Bench) -> None:
    order = ("convert", "--to", "om", "--soc-version", "Ascend310", "--bs", "1", "16")
    assert "fp16 (force_fp16, atc's default)" in " ".join(with_atc(*order).stdout.split())
    names = {path.name for path in (with_atc.folder / "models").iterdir()}
    assert {"StarGAN.onnx", "StarGAN_bs1.om", "StarGAN_bs16.om"} <= names
    assert with_atc(*order).stdout.count("up to date") == 3


def test_without_atc_the_command_to_run_elsewhere_is_told_and_status_2(at: Bench) -> None:
    at.environment = at.environment | {"PATH": "/nowhere"}
    done = at("convert", "--to", "om", "--soc-version", "Ascend310", "--bs", "4", code=2)
    one_line(done.stderr, "atc was not found on PATH", "set_env.sh")
    line = re.search(r"^atc --framework=5 .*$", done.stdout, re.MULTILINE)
    assert line is not None
    assert "'--input_shape=real_img:4,3,128,128;attr:4,5'" in line[0]
    assert (at.folder / "models/StarGAN.onnx").is_file()


def test_atcs_first_error_line_and_its_advice_are_one_line(with_atc: Bench) -> None:
    error = with_atc("convert", "--to", "om", "--soc-version", "Ascend31", "--bs", "1", code=2).stderr
    one_line(error, "E10001", "--soc-version", "npu-smi")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--opset", "7"], ["opset 7 cannot be exported", "11 to 20"]),
        (["--opset", "x"], ["'x' is no opset"]),
        (["--weights", "none.pth"], ["none.pth does not exist"]),
        (["--soc-version", "Ascend310"], ["--soc-version belongs to --to om"]),
        (["--to", "om"], ["needs the chip's exact name"]),
    ],
)
def test_mistakes_get_one_line(at: Bench, arguments: list[str], words: list[str]) -> None:
    at.environment = at.environment | {"PATH": "/nowhere"}
    one_line(at("convert", *arguments, code=2).stderr, *words)
