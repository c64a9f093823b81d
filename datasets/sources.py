"""Where CelebA's files lie: a folder, or a .zip read in place without extracting it.

Both find `X/list_attr_celeba.txt` beside `X/images/` or `X/img_align_celeba/`, where X is the folder or zip
itself or lies up to two folders deep in it (`celeba/`, `data/celeba/`).
"""

from __future__ import annotations

import os
import re
import threading
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from datasets.errors import DatasetError
from datasets.spots import READ_ERRORS, FileSpot, MemberSpot, Spot, readable, reason, unreadable

ATTRIBUTE_FILE: Final = "list_attr_celeba.txt"
IMAGE_FOLDERS: Final = ("images", "img_align_celeba")
MAX_DEPTH: Final = 2
# CelebA's largest file here is the 26 MB list; a zip that declares far more is a bomb or not CelebA.
MAX_MEMBER_BYTES: Final = 256 * 1024 * 1024

_LAYOUT: Final = f"expected {ATTRIBUTE_FILE} beside a folder {' or '.join(IMAGE_FOLDERS)}"


class Source(Protocol):
    """An opened folder or zip. `attribute_file` and `images` name the two parts in messages.

    `movable`: whether other processes can read every image by its `spot`.
    """

    attribute_file: str
    images: str
    movable: bool

    def read_attributes(self) -> bytes:
        """The attribute file's bytes. Raises DatasetError if it cannot be read."""
        ...

    def image_names(self) -> frozenset[str]:
        """The plain names of the files in the images folder. Raises DatasetError if it cannot be listed."""
        ...

    def read_image(self, filename: str) -> bytes:
        """One image file's bytes, from any thread. Raises DatasetError if it cannot be read."""
        ...

    def spot(self, filename: str) -> Spot:
        """Where another process finds the image file. Raises DatasetError if there is none."""
        ...

    def close(self) -> None: ...


def open_source(path: Path) -> Source:
    """Open a folder or a .zip. Raises DatasetError if it is neither or does not hold CelebA's layout."""
    if path.is_dir():
        return FolderSource(path)
    if path.is_file():
        return ZipSource(path)
    raise DatasetError(f"{path}: no such folder or .zip; give the path of CelebA's folder or zip")


class FolderSource:
    """CelebA in a folder. Every read opens and closes its own file, so any thread may read."""

    def __init__(self, path: Path) -> None:
        root = _find_folder(path)
        folder = next((root / name for name in IMAGE_FOLDERS if (root / name).is_dir()), None)
        if folder is None:
            raise DatasetError(f"{root}: has {ATTRIBUTE_FILE} but no images; {_LAYOUT}")
        self._attributes = root / ATTRIBUTE_FILE
        self._images = folder
        self.attribute_file = str(self._attributes)
        self.images = str(folder)
        self.movable = True
        self._absolute = os.path.abspath(folder)  # noqa: PTH100 - a worker may have another working directory

    def read_attributes(self) -> bytes:
        return _read_file(self._attributes)

    def image_names(self) -> frozenset[str]:
        try:
            return frozenset(item.name for item in self._images.iterdir())
        except OSError as error:
            raise DatasetError(f"{self.images}: cannot be listed ({reason(error)}); check it") from error

    def read_image(self, filename: str) -> bytes:
        return self.spot(filename).read()

    def spot(self, filename: str) -> FileSpot:
        return FileSpot(f"{self._absolute}/{filename}", f"{self.images}/{filename}")

    def close(self) -> None:
        """Nothing is held open."""


class ZipSource:
    """CelebA in a .zip, by random access to its members; member names are keys, never used as paths.

    Its directory of 202,599 members takes seconds to read, so it is read once; threads and processes read a member
    where the directory says it lies. Only members that need `zipfile` itself wait for each other.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._absolute = os.path.abspath(path)  # noqa: PTH100 - a worker may have another working directory
        self._lock = threading.Lock()
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({reason(error)}); check the file") from error
        try:
            self._zip = zipfile.ZipFile(self._file)
        except READ_ERRORS as error:
            self._file.close()
            raise DatasetError(
                f"{path}: not a readable zip ({reason(error)}); give a folder or a complete .zip"
            ) from error
        try:
            _check_members(path, self._zip.infolist())
            self._attributes = _find_member(path, self._zip.namelist())
            root = self._attributes.removesuffix(ATTRIBUTE_FILE)
            self._prefix, self._names = self._list_images(root)
        except BaseException:
            self.close()
            raise
        self.attribute_file = f"{path}!{self._attributes}"
        self.images = f"{path}!{self._prefix.rstrip('/')}"
        self.movable = all(map(readable, self._zip.infolist()))

    def _list_images(self, root: str) -> tuple[str, frozenset[str]]:
        for folder in IMAGE_FOLDERS:
            prefix = f"{root}{folder}/"
            inside = (name.removeprefix(prefix) for name in self._zip.namelist() if name.startswith(prefix))
            names = frozenset(name for name in inside if name and "/" not in name)
            if names:
                return prefix, names
        raise DatasetError(f"{self._path}: has {self._attributes} but no images; {_LAYOUT}")

    def read_attributes(self) -> bytes:
        return self._read(self._attributes)

    def image_names(self) -> frozenset[str]:
        return self._names

    def read_image(self, filename: str) -> bytes:
        return self._read(self._prefix + filename)

    def spot(self, filename: str) -> MemberSpot:
        return MemberSpot.of(self._absolute, str(self._path), self._member(self._prefix + filename))

    def _member(self, member: str) -> zipfile.ZipInfo:
        try:
            return self._zip.getinfo(member)
        except KeyError as error:
            raise DatasetError(f"{self._path}: has no member {member}; give a complete zip") from error

    def _read(self, member: str) -> bytes:
        info = self._member(member)
        if readable(info):
            return MemberSpot.of(self._absolute, str(self._path), info).read(self._file)
        try:
            with self._lock:
                return self._zip.read(info)
        except READ_ERRORS as error:
            raise unreadable(str(self._path), member, error) from error

    def close(self) -> None:
        with self._lock:
            self._zip.close()
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_members(path: Path, members: Iterable[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for member in members:
        name = member.orig_filename  # before zipfile cuts it at a NUL or swaps the separators
        if _leaves_archive(name):
            raise DatasetError(
                f"{path}: unsafe member name {name!r} (absolute, with a drive, or with ..); make a clean zip"
            )
        if member.flag_bits & 0x1:
            raise DatasetError(f"{path}: member {name!r} is encrypted; give a zip without a password")
        if member.file_size > MAX_MEMBER_BYTES:
            raise DatasetError(
                f"{path}: member {name!r} declares {member.file_size} bytes, the limit is {MAX_MEMBER_BYTES}; "
                "give CelebA's own zip"
            )
        if member.filename in seen:
            raise DatasetError(f"{path}: member {name!r} is there twice; make a clean zip")
        seen.add(member.filename)


def _leaves_archive(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return name.startswith(("/", "\\")) or bool(re.match(r"[A-Za-z]:", name)) or ".." in parts or "\0" in name


def _find_member(path: Path, names: Iterable[str]) -> str:
    found = [name for name in names if name.split("/")[-1] == ATTRIBUTE_FILE and name.count("/") <= MAX_DEPTH]
    shallowest = min((name.count("/") for name in found), default=0)
    return _only(path, [name for name in found if name.count("/") == shallowest])


def _find_folder(path: Path) -> Path:
    """The folder that holds the attribute file, the shallowest first; image folders are never listed for it."""
    level = [path]
    for _ in range(MAX_DEPTH + 1):
        found = [folder for folder in level if (folder / ATTRIBUTE_FILE).is_file()]
        if found:
            return Path(_only(path, [str(folder) for folder in found]))
        try:
            level = [item for folder in level for item in sorted(folder.iterdir()) if _may_hold(item)]
        except OSError as error:
            raise DatasetError(f"{path}: cannot be listed ({reason(error)}); check it") from error
    return Path(_only(path, []))


def _may_hold(item: Path) -> bool:
    return item.name not in IMAGE_FOLDERS and item.is_dir()


def _only(path: Path, found: list[str]) -> str:
    if not found:
        raise DatasetError(f"{path}: no {ATTRIBUTE_FILE} in it or up to {MAX_DEPTH} folders deep; {_LAYOUT}")
    if len(found) > 1:
        raise DatasetError(f"{path}: holds several lists ({', '.join(found[:4])}); give the path of one of them")
    return found[0]


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read ({reason(error)}); check the file") from error
