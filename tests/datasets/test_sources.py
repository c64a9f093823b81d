from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets import CelebA, DatasetError
from tests.datasets.made_files import jpeg, zipped


@pytest.mark.parametrize("inside", ["", "celeba", "data/celeba"])
@pytest.mark.parametrize("images", ["images", "img_align_celeba"])
def test_folder_and_zip_hold_the_same(
    make_celeba: Callable[..., Path], tmp_path: Path, inside: str, images: str
) -> None:
    folder = make_celeba(3, inside=inside, images=images)
    with CelebA.open(folder) as plain, CelebA.open(zipped(folder, tmp_path / "c.zip")) as packed:
        assert plain.entries == packed.entries
        assert plain.split() == packed.split()
        for index, entry in enumerate(plain.entries):
            assert plain.read(entry) == packed.read(entry) == jpeg(index)
        assert plain.where(plain.entries[0]).endswith(f"{images}/000001.jpg")
        assert f"c.zip!{inside}" in packed.where(packed.entries[0])


def test_a_layout_too_deep_missing_or_ambiguous_is_refused(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_celeba(1, inside="a/b/c")
    with pytest.raises(DatasetError, match=r"no list_attr_celeba\.txt"):
        CelebA.open(folder)
    with pytest.raises(DatasetError, match=r"no list_attr_celeba\.txt"):
        CelebA.open(zipped(folder, tmp_path / "c.zip"))
    for name in ("x", "y"):
        (folder / name).mkdir()
        (folder / name / "list_attr_celeba.txt").touch()
    with pytest.raises(DatasetError, match="holds several lists"):
        CelebA.open(folder)
    with pytest.raises(DatasetError, match=r"no such folder or \.zip"):
        CelebA.open(tmp_path / "absent")


def test_a_list_without_images_is_refused(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_celeba(1, images="pictures")
    for path in (folder, zipped(folder, tmp_path / "c.zip")):
        with pytest.raises(DatasetError, match="but no images"):
            CelebA.open(path)


def test_a_missing_image_names_entry_and_line(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_celeba(3)
    (folder / "images" / "000002.jpg").unlink()
    for path in (folder, zipped(folder, tmp_path / "c.zip")):
        with pytest.raises(DatasetError, match=r"line 4: '000002\.jpg' is not in"):
            CelebA.open(path)


def test_an_image_removed_after_opening_is_an_error(make_celeba: Callable[..., Path]) -> None:
    folder = make_celeba(1)
    with CelebA.open(folder) as celeba:
        (folder / "images" / "000001.jpg").unlink()
        with pytest.raises(DatasetError, match=r"000001\.jpg: cannot be read"):
            celeba.read(celeba.entries[0])


@pytest.mark.parametrize("name", ["/etc/x", "\\x", "C:/x", "c:x", "../x", "a/../../x", "a\\..\\x"])
def test_an_unsafe_member_name_is_refused(make_celeba: Callable[..., Path], tmp_path: Path, name: str) -> None:
    path = zipped(make_celeba(1), tmp_path / "c.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    with pytest.raises(DatasetError, match="unsafe member name"):
        CelebA.open(path)


def test_a_harmless_name_with_dots_is_accepted(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    path = zipped(make_celeba(1), tmp_path / "c.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes..txt", b"x")
    with CelebA.open(path) as celeba:
        assert len(celeba.entries) == 1


def test_a_doubled_member_is_refused(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    path = zipped(make_celeba(1), tmp_path / "c.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("images/000001.jpg", b"x")
    with pytest.raises(DatasetError, match=r"'images/000001\.jpg' is there twice"):
        CelebA.open(path)


def test_a_member_that_declares_too_much_is_refused(
    make_celeba: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(make_celeba(1), tmp_path / "c.zip")
    monkeypatch.setattr("datasets.sources.MAX_MEMBER_BYTES", 100)
    with pytest.raises(DatasetError, match="the limit is 100"):
        CelebA.open(path)


def test_an_encrypted_zip_is_refused(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    path = zipped(make_celeba(1), tmp_path / "c.zip")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    (flags,) = struct.unpack_from("<H", data, at + 8)
    struct.pack_into("<H", data, at + 8, flags | 1)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="give a zip without a password"):
        CelebA.open(path)


def test_a_truncated_zip_or_another_file_is_refused(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    path = zipped(make_celeba(1), tmp_path / "c.zip")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetError, match=r"c\.zip: not a readable zip"):
        CelebA.open(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(DatasetError, match=r"c\.zip: not a readable zip"):
        CelebA.open(path)


def test_a_damaged_member_is_told_when_read(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    path = zipped(make_celeba(2), tmp_path / "c.zip")
    data = bytearray(path.read_bytes())
    data[data.index(jpeg(1)) + 300] ^= 0xFF
    path.write_bytes(data)
    with CelebA.open(path) as celeba:
        assert celeba.read(celeba.entries[0]) == jpeg(0)
        with pytest.raises(DatasetError, match=r"images/000002\.jpg cannot be read \(Bad CRC"):
            celeba.read(celeba.entries[1])


def test_reading_a_closed_zip_is_an_error(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    with CelebA.open(zipped(make_celeba(1), tmp_path / "c.zip")) as celeba:
        pass
    with pytest.raises(DatasetError, match="cannot be read"):
        celeba.read(celeba.entries[0])


def test_a_member_with_a_long_extra_field_is_read(make_celeba: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_celeba(1)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.write(folder / "list_attr_celeba.txt", "list_attr_celeba.txt")
        member = zipfile.ZipInfo("images/000001.jpg")
        member.extra = struct.pack("<HH", 0x7777, 5000) + bytes(5000)
        archive.writestr(member, jpeg(0))
    with CelebA.open(tmp_path / "c.zip") as celeba:
        assert celeba.read(celeba.entries[0]) == jpeg(0)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_every_compression_gives_the_stored_bytes(
    make_celeba: Callable[..., Path], tmp_path: Path, method: int
) -> None:
    folder = make_celeba(2)
    with zipfile.ZipFile(tmp_path / "c.zip", "w", method) as archive:
        archive.write(folder / "list_attr_celeba.txt", "list_attr_celeba.txt")
        for index in range(2):
            archive.writestr(f"images/{index + 1:06d}.jpg", jpeg(index))
        archive.writestr("images/Größe.jpg", jpeg(2))  # the name is UTF-8
    with CelebA.open(tmp_path / "c.zip") as celeba:
        assert [celeba.read(entry) for entry in celeba.entries] == [jpeg(0), jpeg(1)]
        assert celeba._source.read_image("Größe.jpg") == jpeg(2)


@pytest.mark.parametrize(
    ("where", "find", "change", "message"),
    [
        ("header", b"PK\x03\x04", b"PK\x03\x05", "no member's header"),
        ("header", b"000001.jpg", b"000009.jpg", "has another name"),
        ("directory", struct.pack("<I", len(jpeg(0))), struct.pack("<I", len(jpeg(0)) - 1), "bytes that it declares"),
        ("directory", struct.pack("<I", len(jpeg(0))), struct.pack("<I", len(jpeg(0)) + 1), "bytes that it declares"),
    ],
)
def test_a_member_that_is_not_what_the_directory_says_is_told_when_read(
    make_celeba: Callable[..., Path], tmp_path: Path, where: str, find: bytes, change: bytes, message: str
) -> None:
    folder = make_celeba(1)
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "images" / "000001.jpg", "images/000001.jpg")
        archive.write(folder / "list_attr_celeba.txt", "list_attr_celeba.txt")
    data = (tmp_path / "c.zip").read_bytes()
    start = 0 if where == "header" else data.index(b"PK\x01\x02")
    (tmp_path / "c.zip").write_bytes(data[:start] + data[start:].replace(find, change, 1))
    with (
        CelebA.open(tmp_path / "c.zip") as celeba,
        pytest.raises(DatasetError, match=rf"images/000001\.jpg cannot be read \(.*{message}"),
    ):
        celeba.read(celeba.entries[0])
