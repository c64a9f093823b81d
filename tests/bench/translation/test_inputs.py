"""Which images a translation is of: counts, padding, limits, and pairs that hold whatever they hold."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.translation.inputs import InputPlan, plan_data, plan_pairs, read_pairs
from bench.translation.pairs import write_pairs
from datasets import DEFAULT_ATTRIBUTES
from datasets.tensors import write_tensor


def plan_of(images: int, batch: int) -> InputPlan:
    return InputPlan(data="", bins=None, attributes=[], batch=batch, images=images, sha256="", text="")


@given(images=st.integers(1, 3000), batch=st.integers(1, 64))
def test_real_images_and_padding_fill_the_batches(images: int, batch: int) -> None:
    plan = plan_of(images, batch)
    real = [plan.real(number) for number in range(plan.batches)]
    assert sum(real) == images
    assert all(count == batch for count in real[:-1])
    assert 0 < real[-1] <= batch
    assert plan.padding == plan.batches * batch - images
    assert plan.pairs == 5 * plan.batches


def test_the_limit_counts_images_and_drop_last_leaves_full_batches() -> None:
    assert plan_data(None, DEFAULT_ATTRIBUTES, 16).images == 40
    assert plan_data(None, DEFAULT_ATTRIBUTES, 16, limit=17).images == 17
    assert plan_data(None, DEFAULT_ATTRIBUTES, 16, limit=1000).images == 40
    assert plan_data(None, DEFAULT_ATTRIBUTES, 16, drop_last=True).images == 32
    assert plan_data(None, DEFAULT_ATTRIBUTES, 16, 17).sha256 == plan_data(None, DEFAULT_ATTRIBUTES, 4).sha256
    with pytest.raises(UsageError, match="--drop-last leaves nothing of 40 images"):
        plan_data(None, DEFAULT_ATTRIBUTES, 41, drop_last=True)


def test_every_pair_is_translated_as_it_is(tmp_path: Path) -> None:
    """Pairs that something else made may hold other images for each target."""
    for name in ("img", "attr"):
        (tmp_path / name).mkdir()
    for index in range(10):
        write_tensor(tmp_path / "img" / f"{index}.bin", np.full((2, 3, 128, 128), index, np.float32))
        write_tensor(tmp_path / "attr" / f"{index}.bin", np.full((2, 5), -index, np.float32))
    plan = plan_pairs(tmp_path, None)
    assert (plan.batch, plan.images, plan.attributes, plan.sha256[:5]) == (2, 4, [], "bins:")
    ((number, pairs),) = read_pairs(plan, [1])
    assert number == 1
    assert [(images.max(), attributes.min()) for images, attributes in pairs] == [(i, -i) for i in range(5, 10)]


def test_prepared_pairs_are_what_celeba_gives_and_carry_its_fingerprint(tmp_path: Path) -> None:
    plan = plan_data(None, DEFAULT_ATTRIBUTES, 4, limit=6)
    told: list[tuple[int, int]] = []
    assert write_pairs(plan, tmp_path, 1, lambda done, total: told.append((done, total))) == 2
    assert told == [(0, 2), (1, 2), (2, 2)]
    found = plan_pairs(tmp_path, None)
    assert (found.images, found.padding, found.sha256) == (6, 2, plan.sha256)
    for (_, ours), (_, theirs) in zip(read_pairs(plan, [0, 1]), read_pairs(found, [0, 1]), strict=True):
        for (images, attributes), (other_images, other_attributes) in zip(ours, theirs, strict=True):
            assert images.tobytes() == other_images.tobytes()
            assert attributes.tobytes() == other_attributes.tobytes()


def test_a_record_that_does_not_fit_the_files_is_refused(tmp_path: Path) -> None:
    write_pairs(plan_data(None, DEFAULT_ATTRIBUTES, 4, limit=6), tmp_path, 1, lambda done, total: None)
    record = msgspec.json.decode((tmp_path / "prepare.json").read_bytes())
    (tmp_path / "prepare.json").write_bytes(msgspec.json.encode(record | {"images": 30}))
    with pytest.raises(UsageError, match=r"tells of 30 images in batches of 4, the files of 8"):
        plan_pairs(tmp_path, None)
