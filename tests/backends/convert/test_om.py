"""An .om file without CANN: told from all else, and what the note beside it says."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import ModelMismatch, Precision
from backends.convert import ArtifactCache, om
from tests.doubles.atc import as_om
from tests.doubles.onnx_files import tiny_convnet


def refused(path: Path) -> str:
    with pytest.raises(ModelMismatch) as caught:
        om.inspect(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    assert line.endswith(".")
    return line.removeprefix(f"{path} ")


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    content = as_om(b"x" * 1000, "StarGAN_bs4", "1.82.22")
    assert om.inspect(written(tmp_path / "a.om", content)) == om.OmHeader(
        size_bytes=1256, version=0x10000000, name="StarGAN_bs4", platform_version="1.82.22", encrypted=False,
        host_bound=False,
    )  # fmt: skip


def test_an_old_file_has_no_long_length(tmp_path: Path) -> None:
    content = as_om(b"x" * 1000)
    assert om.inspect(written(tmp_path / "a.om", content[:184] + bytes(8) + content[192:])).size_bytes == 1256


def test_encryption_and_a_bond_to_a_host_are_told(tmp_path: Path) -> None:
    content = bytearray(as_om(b"x"))
    content[80] = content[192] = 1
    header = om.inspect(written(tmp_path / "a.om", bytes(content)))
    assert (header.encrypted, header.host_bound) == (True, True)


def test_a_damaged_file(tmp_path: Path) -> None:
    content = as_om(b"x" * 1000)
    path = tmp_path / "a.om"
    assert refused(written(path, content[:-1])) == (
        "is cut off: it has 1255 bytes, and its header says 1256; copy or convert it again."
    )
    assert refused(written(path, content + b"\n")).startswith("is longer than it should be: it has 1257 bytes")
    assert refused(written(path, content[:200])) == "is cut off after 200 bytes; copy or convert it again."
    assert refused(written(path, content[:4] + b"\1" + content[5:])).startswith("has a damaged header")
    assert refused(written(path, b"")).startswith("is empty; make one from the .onnx file")


@given(st.binary(max_size=600))
def test_whatever_a_file_holds_it_is_an_om_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp() / "any.om", content)
    refused(path)
    om.inspect(written(path, as_om(content)))


def sparse(path: Path, length: int, long_length: int, content: int) -> Path:
    """A file with that content's size in the file system only."""
    header = bytearray(as_om(b"")[:256])
    struct.pack_into("<I", header, 76, length)
    struct.pack_into("<Q", header, 184, long_length)
    path.write_bytes(header)
    os.truncate(path, 256 + content)
    return path


def test_more_than_4_gib_is_not_held_against_a_field_of_32_bits(tmp_path: Path) -> None:
    huge = 5 * 2**30
    path = tmp_path / "a.om"
    for length in (0, huge % 2**32, 2**32 - 1):
        assert om.inspect(sparse(path, length, 0, huge)).size_bytes == huge + 256
        assert om.inspect(sparse(path, length, huge, huge)).size_bytes == huge + 256
    assert "is cut off" in refused(sparse(path, huge % 2**32, huge, huge - 1))
    assert "is cut off" in refused(sparse(path, 0, huge, 2**30))


def test_what_is_no_om(tmp_path: Path) -> None:
    onnx = tiny_convnet(tmp_path / "a.om")
    assert refused(onnx).startswith("is an .onnx file, not an .om file; convert it first: python -m bench convert")
    with zipfile.ZipFile(tmp_path / "b.om", "w") as archive:
        archive.writestr("data.pkl", "x")
    assert refused(tmp_path / "b.om").startswith("is a zip archive, as PyTorch's .pth files are, not an .om file; make")
    assert "as old .pth files are" in refused(written(tmp_path / "c.om", pickle.dumps([1])))
    assert "a TensorRT engine" in refused(written(tmp_path / "d.om", b"ptrt" + bytes(400)))
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    assert refused(written(tmp_path / "e.om", pointer)).endswith("run: git lfs pull.")
    assert "a web page" in refused(written(tmp_path / "f.om", b"<!DOCTYPE html>"))
    assert "it begins with b'abcd' instead of b'IMOD'" in refused(written(tmp_path / "g.om", b"abcdef"))
    assert "is named as an .onnx file" in refused(written(tmp_path / "h.onnx", b"abcdef"))


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path) == "is a folder, not an .om file; name a file in it."
    assert refused(tmp_path / "missing.om").startswith("does not exist; check the path, or make one")
    (tmp_path / "a.om").write_bytes(b"")
    assert "cannot be read: Not a directory" in refused(tmp_path / "a.om" / "b.om")


@pytest.mark.parametrize(
    ("name", "batches"),
    [
        ("StarGAN_bs16.om", (16,)),
        ("StarGAN_dyn1-4-8-16.om", (1, 4, 8, 16)),
        ("StarGAN_bs4_linux_x86_64.om", (4,)),
        ("StarGAN_dyn1-4_linux_aarch64.om", (1, 4)),
        ("StarGAN.om", ()),
        ("StarGAN_bs4_fp32.om", (4,)),
        ("StarGAN_bs0.om", ()),
        ("StarGAN_dyn4.om", ()),
        ("bs4.om", ()),
    ],
)
def test_batch_sizes_in_names(name: str, batches: tuple[int, ...]) -> None:
    assert om.named_batches(Path("models") / name) == batches


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=100, unique=True))
def test_names_are_read_as_they_are_written(batches: list[int]) -> None:
    name = f"{om.stem('a_bs3_b', batches)}.om"
    assert len(name) < 255
    assert om.named_batches(Path(name)) == (() if "-to-" in name else tuple(batches))


def test_a_name_that_would_be_too_long_tells_the_range() -> None:
    assert om.stem("a", range(1, 101)) == "a_dyn1-to-100"


KEY = {
    "what": "om", "onnx": "ab", "batch": "4", "soc_version": "Ascend310", "precision_mode": "", "cann": "6.0.1",
    "tool": "atc of somewhere", "host": "Linux x86_64",
}  # fmt: skip


def built(tmp_path: Path, key: dict[str, str]) -> Path:
    def write(path: Path) -> None:
        path.write_bytes(as_om(b"x"))

    return ArtifactCache(tmp_path).get(key, "om", write).path


def test_the_note_beside_a_file_in_the_cache(tmp_path: Path) -> None:
    facts = om.read_sidecar(built(tmp_path, KEY))
    assert facts is not None
    assert (facts.batch, facts.gears, facts.batches, facts.onnx_sha256) == (4, (), (4,), "ab")
    assert (facts.soc_version, facts.cann, facts.tool) == ("Ascend310", "6.0.1", "atc of somewhere")
    assert (facts.precision, facts.arithmetic) == ("fp16 (force_fp16, atc's default)", Precision.FP16)
    mixed = om.read_sidecar(built(tmp_path, {**KEY, "precision_mode": "allow_mix_precision"}))
    assert mixed is not None
    assert (mixed.precision, mixed.arithmetic) == ("mixed (allow_mix_precision)", None)
    before = om.read_sidecar(built(tmp_path, {name: value for name, value in KEY.items() if name != "cann"}))
    assert before is not None
    assert before.cann == ""


def test_a_note_of_another_file_tells_nothing(tmp_path: Path) -> None:
    path = built(tmp_path, KEY)
    path.write_bytes(as_om(b"y"))
    assert om.read_sidecar(path) is None
    assert om.read_sidecar(tmp_path / "missing.om") is None
    engine = {name: value for name, value in KEY.items() if name != "what"} | {"what": "engine"}
    assert om.read_sidecar(built(tmp_path, engine)) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEY, "key", "sha256"]), inner),
    max_leaves=8,
)


@given(st.sampled_from(["key", "made_from", "sha256", "notes"]), st.sampled_from(["", *KEY, "gears"]), json_values)
def test_a_spoilt_note_tells_nothing_false(
    tmp_path_factory: pytest.TempPathFactory, field: str, inner: str, value: object
) -> None:
    path = built(tmp_path_factory.getbasetemp() / "notes", KEY)
    sidecar = path.with_name(f"{path.name}.json")
    kept = sidecar.read_text()
    note = json.loads(kept)
    note[field] = {**KEY, inner: value} if inner and field in ("key", "made_from") else value
    try:
        sidecar.write_text(json.dumps(note))
        facts = om.read_sidecar(path)
        assert facts is None or (facts.batches and all(size > 0 for size in facts.batches))
    finally:
        sidecar.write_text(kept)


@pytest.mark.parametrize("text", [b"", b"\xff", b"[1]", b"{}", b"3", b"[" * 100_000])
def test_a_note_that_is_none(tmp_path: Path, text: bytes) -> None:
    path = built(tmp_path, KEY)
    path.with_name(f"{path.name}.json").write_bytes(text)
    assert om.read_sidecar(path) is None
