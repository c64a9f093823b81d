"""Where one image's bytes lie, in a few plain values: enough to read it from any thread or process.

A worker process gets them with its job, so it lists no folder and reads no zip's directory of 202,599 members.
"""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from typing import BinaryIO, Final, NamedTuple

from datasets.errors import DatasetError

#: What reading a zip can raise.
READ_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,  # the archive ends inside a member
    NotImplementedError,  # a compression method this Python lacks
    RuntimeError,  # a password is needed
    OSError,
    ValueError,  # the archive has been closed, or offsets that cannot be
)

_HEADER: Final = struct.Struct("<4s22xHH")  # of a member: magic, lengths of its name and of its extra field
_MAGIC: Final = b"PK\x03\x04"
# Room for the name and the extra field of an ordinary member, so that one read gets them and the data.
_USUAL: Final = _HEADER.size + 256
_UTF8_NAME: Final = 0x800
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def readable(info: zipfile.ZipInfo) -> bool:
    """Whether a member can be a MemberSpot: not with another compression method, nor on a system without `pread`."""
    return hasattr(os, "pread") and info.compress_type in _METHODS


class FileSpot(NamedTuple):
    """A file of its own; `shown` names it in messages."""

    path: str
    shown: str

    def read(self) -> bytes:
        """The whole file. Raises DatasetError if it cannot be read."""
        try:
            with open(self.path, "rb", buffering=0) as file:  # noqa: PTH123 - a Path of each image takes longer
                return file.readall()
        except (OSError, ValueError) as error:
            raise DatasetError(f"{self.shown}: cannot be read ({reason(error)}); check the file") from error


class MemberSpot(NamedTuple):
    """A stored or deflated member of a zip, as the zip's directory describes it; `shown` names the zip in messages."""

    archive: str
    shown: str
    member: str
    name: bytes  # as the member's own header has it
    offset: int  # of that header
    packed: int
    size: int
    method: int
    crc: int

    @classmethod
    def of(cls, archive: str, shown: str, info: zipfile.ZipInfo) -> MemberSpot:
        return cls(
            archive,
            shown,
            info.filename,
            info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8_NAME else "cp437"),
            info.header_offset,
            info.compress_size,
            info.file_size,
            info.compress_type,
            info.CRC,
        )

    def read(self, archive: BinaryIO) -> bytes:
        """The member's bytes, unpacked and checked, from the opened zip; any number of threads may read at once.

        Raises DatasetError if the member is not there, is damaged, or the zip is closed.
        """
        try:
            return self._read(archive.fileno())
        except READ_ERRORS as error:
            raise unreadable(self.shown, self.member, error) from error

    def _read(self, descriptor: int) -> bytes:
        block = os.pread(descriptor, _USUAL + self.packed, self.offset)
        if not block.startswith(_MAGIC) or len(block) < _HEADER.size:
            raise zipfile.BadZipFile("no member's header where the directory says")
        _, name, extra = _HEADER.unpack_from(block)
        start = _HEADER.size + name + extra
        if start > _USUAL:
            block = os.pread(descriptor, start + self.packed, self.offset)
        if block[_HEADER.size : _HEADER.size + name] != self.name:
            raise zipfile.BadZipFile("its header has another name than the directory")
        packed = memoryview(block)[start : start + self.packed]
        if self.method == zipfile.ZIP_STORED:
            data = bytes(packed)
        else:
            # A byte more than declared is enough to see that there is more: a bomb is not unpacked.
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, self.size + 1)
        if len(data) != self.size:
            raise zipfile.BadZipFile(f"it does not hold the {self.size} bytes that it declares")
        if zlib.crc32(data) != self.crc:
            raise zipfile.BadZipFile("Bad CRC-32")
        return data


Spot = FileSpot | MemberSpot


def unreadable(archive: str, member: str, error: BaseException) -> DatasetError:
    """The error for a member of a zip that cannot be read."""
    return DatasetError(f"{archive}: member {member} cannot be read ({reason(error)}); copy or download the zip again")


def reason(error: BaseException) -> str:
    """An error in the few words that a message puts in brackets."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
