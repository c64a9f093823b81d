from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import DEFAULT_ATTRIBUTES, HAIR_COLOURS, CelebA, DatasetError, target_labels
from datasets.attributes import parse_attributes

NAMES = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Smiling", "Young")
HEADER = "Black_Hair Blond_Hair Brown_Hair Male Smiling Young"
GOOD = "-1 1 -1 1 -1 1"


def published_split(text: str, selected: tuple[str, ...]) -> tuple[list[object], list[object]]:
    """github.com/yunjey/stargan's CelebA.preprocess, line by line, on a text instead of a path."""
    train: list[object] = []
    test: list[object] = []
    lines = [line.rstrip() for line in text.splitlines()]
    all_attr_names = lines[1].split()
    attr2idx = {name: i for i, name in enumerate(all_attr_names)}
    lines = lines[2:]
    random.seed(1234)
    random.shuffle(lines)
    for i, line in enumerate(lines):
        split = line.split()
        filename = split[0]
        values = split[1:]
        label = [values[attr2idx[name]] == "1" for name in selected]
        if (i + 1) < 2000:
            test.append([filename, label])
        else:
            train.append([filename, label])
    return train, test


def many_rows(count: int) -> list[str]:
    return [
        f"{i + 1:06d}.jpg " + " ".join("1" if (i * 7 >> bit) & 1 else "-1" for bit in range(6)) for i in range(count)
    ]


@pytest.mark.parametrize("count", [3, 1998, 1999, 2000, 2500])
def test_the_split_is_the_published_loaders(make_celeba: Callable[..., Path], count: int) -> None:
    text = "\n".join([str(count), HEADER, *many_rows(count)]) + "\n"
    folder = make_celeba(0, text)
    for index in range(count):
        (folder / "images" / f"{index + 1:06d}.jpg").touch()
    state = random.getstate()
    with CelebA.open(folder) as celeba:
        split = celeba.split()
    assert random.getstate() == state  # the global generator is left alone
    train, test = published_split(text, DEFAULT_ATTRIBUTES)
    random.setstate(state)
    assert [[entry.filename, list(entry.labels)] for entry in split.train] == train
    assert [[entry.filename, list(entry.labels)] for entry in split.test] == test
    assert len(split.test) == min(count, 1999)


def test_labels_are_the_selected_columns_in_the_selected_order(make_celeba: Callable[..., Path]) -> None:
    folder = make_celeba(2, f"2\n{HEADER}\n000001.jpg 1 -1 -1 -1 1 1\n000002.jpg -1 -1 1 1 -1 1\n")
    with CelebA.open(folder, ("Smiling", "Black_Hair", "Male")) as celeba:
        labels = celeba.labels(celeba.entries)
        assert labels.dtype == np.float32
        assert labels.tolist() == [[1, 1, 0], [0, 0, 1]]
        assert celeba.labels([]).shape == (0, 3)
        assert celeba.names == NAMES
        assert [entry.line for entry in celeba.entries] == [3, 4]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_endings_do_not_matter(ending: str, last: bool) -> None:
    data = (ending.join(["1", HEADER, f"a.jpg  {GOOD} "]) + ending * last).encode()
    table = parse_attributes(data, ["Young", "Male"], "list")
    assert table.names == NAMES
    assert [(entry.filename, entry.labels) for entry in table.entries] == [("a.jpg", (True, True))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list: the file is empty"),
        (" \n\n", "list: the file is empty"),
        (f"x\n{HEADER}\na.jpg {GOOD}\n", "list line 1: 'x' is not a number"),
        (f"1_0\n{HEADER}\na.jpg {GOOD}\n", "list line 1: '1_0' is not a number"),
        ("1\n", "list line 2: no attribute names"),
        ("1\nMale Young Male\na.jpg 1 1 1\n", "list line 2: attribute 'Male' is listed twice"),
        (f"2\n{HEADER}\na.jpg {GOOD}\n", "list line 1: promises 2 entries but 1 lines"),
        (f"1\n{HEADER}\na.jpg {GOOD}\nb.jpg {GOOD}\n", "list line 1: promises 1 entries but 2 lines"),
        (f"1\n{HEADER}\na.jpg {GOOD} 1\n", "list line 3: 'a.jpg' has 7 values for 6"),
        (f"1\n{HEADER}\na.jpg 1\n", "list line 3: 'a.jpg' has 1 values for 6"),
        (f"2\n{HEADER}\na.jpg {GOOD}\nb.jpg 1 1 0 1 1 1\n", "list line 4: 'b.jpg' has the value '0'"),
        (f"1\n{HEADER}\na.jpg 1 1 +1 1 1 1\n", "list line 3: 'a.jpg' has the value '+1'"),
        (f"2\n{HEADER}\na.jpg {GOOD}\na.jpg {GOOD}\n", "list line 4: 'a.jpg' is already on line 3"),
        (f"2\n{HEADER}\n\na.jpg {GOOD}\n", "list line 3: the line is blank"),
        (f"1\n{HEADER}\n../a.jpg {GOOD}\n", "list line 3: '../a.jpg' is not a plain file name"),
        (f"1\n{HEADER}\nb/a.jpg {GOOD}\n", "list line 3: 'b/a.jpg' is not a plain file name"),
        (f"1\n{HEADER}\nb\\a.jpg {GOOD}\n", "is not a plain file name"),
        (f"1\n{HEADER}\nC:a.jpg {GOOD}\n", "list line 3: 'C:a.jpg' is not a plain file name"),
        (f"1\n{HEADER}\n.. {GOOD}\n", "list line 3: '..' is not a plain file name"),
    ],
)
def test_a_bad_list_is_refused_naming_file_and_line(text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=re.escape(message)) as caught:
        parse_attributes(text.encode(), ["Male"], "list")
    assert "\n" not in str(caught.value)


def test_a_list_that_is_not_utf8_is_refused() -> None:
    data = f"2\n{HEADER}\na.jpg {GOOD}\n".encode() + b"\xff.jpg " + GOOD.encode()
    with pytest.raises(DatasetError, match="list line 4: not UTF-8"):
        parse_attributes(data, ["Male"], "list")


def test_an_unknown_attribute_names_the_nearest_and_all() -> None:
    with pytest.raises(
        DatasetError, match=r"unknown attribute 'blak_hair' in list: did you mean Black_Hair.*Smiling, Young"
    ):
        parse_attributes(f"1\n{HEADER}\na.jpg {GOOD}\n".encode(), ["blak_hair"], "list")
    with pytest.raises(DatasetError, match="unknown attribute 'Zebra' in list: select among Black_Hair"):
        parse_attributes(f"1\n{HEADER}\na.jpg {GOOD}\n".encode(), ["Zebra"], "list")


@pytest.mark.parametrize(("attributes", "message"), [([], "no attribute"), (["Male", "Male"], "selected twice")])
def test_a_bad_selection_is_refused(attributes: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_attributes(f"1\n{HEADER}\na.jpg {GOOD}\n".encode(), attributes, "list")


def test_target_labels_known_answers() -> None:
    original = np.array([[1, 0, 0, 1, 0], [0, 0, 0, 0, 1]], np.float32)
    targets = target_labels(original, DEFAULT_ATTRIBUTES)
    assert targets.dtype == np.float32
    assert targets.tolist() == [
        [[1, 0, 0, 1, 0], [1, 0, 0, 0, 1]],  # Black_Hair
        [[0, 1, 0, 1, 0], [0, 1, 0, 0, 1]],  # Blond_Hair
        [[0, 0, 1, 1, 0], [0, 0, 1, 0, 1]],  # Brown_Hair
        [[1, 0, 0, 0, 0], [0, 0, 0, 1, 1]],  # Male
        [[1, 0, 0, 1, 1], [0, 0, 0, 0, 0]],  # Young
    ]
    assert original.tolist() == [[1, 0, 0, 1, 0], [0, 0, 0, 0, 1]]  # untouched


@given(
    st.lists(st.sampled_from([*NAMES, "Gray_Hair", "Bangs"]), min_size=1, max_size=8, unique=True).flatmap(
        lambda names: st.tuples(
            st.just(names),
            st.lists(st.lists(st.sampled_from([0.0, 1.0]), min_size=len(names), max_size=len(names)), max_size=4),
        )
    )
)
def test_target_labels_change_one_thing_each(case: tuple[list[str], list[list[float]]]) -> None:
    names, label_rows = case
    original = np.array(label_rows, np.float32).reshape(-1, len(names))
    targets = target_labels(original, names)
    assert targets.shape == (len(names), *original.shape)
    hair = [index for index, name in enumerate(names) if name in HAIR_COLOURS]
    for index, block in enumerate(targets):
        changed = block != original
        if index in hair:
            assert (block[:, index] == 1).all()
            assert (block[:, hair].sum(axis=1) == 1).all()
            changed[:, hair] = False
        else:
            assert changed[:, index].all()
            changed[:, index] = False
        assert not changed.any()


@pytest.mark.parametrize(
    ("original", "message"),
    [
        (np.zeros((2, 4), np.float32), "5 attributes are selected"),
        (np.zeros(5, np.float32), "5 attributes are selected"),
        (np.full((1, 5), -1, np.float32), "not 0 or 1"),
        (np.full((1, 5), np.nan, np.float32), "not 0 or 1"),
    ],
)
def test_bad_original_labels_are_refused(original: np.ndarray, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        target_labels(original, DEFAULT_ATTRIBUTES)
