"""Folders of outputs: both tools' names, any order of the listing, and every way in which they can be incomplete."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.errors import DatasetError
from datasets.outputs import find_outputs, output_name

SUFFIX = {"msame": "_output_0", "ais_bench": "_0"}


def make(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("scheme", ["msame", "ais_bench"])
@pytest.mark.parametrize("kind", ["txt", "bin", "npy"])
@given(order=st.permutations(range(12)))
def test_files_come_in_the_order_of_their_inputs(
    tmp_path_factory: pytest.TempPathFactory, scheme: str, kind: str, order: list[int]
) -> None:
    folder = make(tmp_path_factory.mktemp("out"), [f"{index}{SUFFIX[scheme]}.{kind}" for index in order])
    found = find_outputs(folder)
    assert (found.scheme, found.kind) == (scheme, kind)
    assert [path.name for path in found.files] == [f"{index}{SUFFIX[scheme]}.{kind}" for index in range(12)]


def test_our_own_names_are_msames(tmp_path: Path) -> None:
    assert find_outputs(make(tmp_path, [output_name(index, "bin") for index in range(3)])).scheme == "msame"


def test_msames_folder_with_the_time_as_its_name_is_found(tmp_path: Path) -> None:
    inner = make(tmp_path / "output_bs1" / "2022118_9_5_3_1234", ["0_output_0.txt", "1_output_0.txt"])
    make(tmp_path / "output_bs1" / "jpg", ["1-images.jpg"])
    assert find_outputs(tmp_path / "output_bs1").path == inner


def test_a_half_file_that_a_killed_write_left_is_no_output(tmp_path: Path) -> None:
    assert len(find_outputs(make(tmp_path, ["0_output_0.bin", ".tmp-ab_1_2.bin"])).files) == 1


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], ["holds no outputs", "0_output_0.txt"]),
        (["0_output_0.txt", "1_0.txt"], ["mixes msame's names (0_output_0.txt) and ais_bench's (1_0.txt)"]),
        (["0_output_0.txt", "1_output_0.bin"], ["mixes formats (0_output_0.txt, 1_output_0.bin)"]),
        (["0_output_0.txt", "2_output_0.txt"], ["the output of input 1 is missing", "there is that of input 2"]),
        (["1_output_0.txt", "4_output_0.txt"], ["the output of input 0 is missing (and 2 more)"]),
        (["0_output_0.txt", "0_output_1.txt"], ["0_output_1.txt is a second output"]),
        (["face_output_0.txt"], ["face_output_0.txt belongs to no numbered input"]),
        (["0_0.bin", "00_0.bin"], ["are both the output of input 0"]),
    ],
)
def test_what_is_wrong_with_a_folder_is_one_line(tmp_path: Path, names: list[str], words: list[str]) -> None:
    with pytest.raises(DatasetError) as caught:
        find_outputs(make(tmp_path, names))
    assert all(word in str(caught.value) for word in words), caught.value


def test_several_folders_with_outputs_are_not_chosen_from(tmp_path: Path) -> None:
    make(tmp_path / "a", ["0_output_0.txt"])
    make(tmp_path / "b", ["0_output_0.txt"])
    with pytest.raises(DatasetError, match=r"several folders in it hold outputs \(a, b\)"):
        find_outputs(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        find_outputs(tmp_path / "c")
