"""Bytes on a device: pieces of immutable sources, of which some are computed only when somebody reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Source(Protocol):
    """Where bytes come from."""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`."""


@dataclass(frozen=True)
class Fill:
    """The same byte for ever."""

    value: int

    def read(self, start: int, stop: int) -> bytes:
        return bytes([self.value]) * (stop - start)


@dataclass(frozen=True, eq=False)
class Data:
    """Bytes that were copied in. Read whole, they are always the same object."""

    data: bytes

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]


@dataclass(frozen=True)
class Piece:
    """`length` bytes of `source`, from `skip` on."""

    length: int
    source: Source
    skip: int = 0

    def cut(self, start: int, stop: int) -> Piece:
        """The part of this piece between two positions in it."""
        return Piece(stop - start, self.source, self.skip + start)

    def read(self) -> bytes:
        return self.source.read(self.skip, self.skip + self.length)


def join(pieces: list[Piece]) -> bytes:
    """The bytes of some pieces; of a single whole source its own object, which makes it quick to recognise."""
    return pieces[0].read() if len(pieces) == 1 else b"".join(piece.read() for piece in pieces)


class Content:
    """The bytes of one allocation."""

    def __init__(self, size: int, fill: int) -> None:
        self._pieces = [Piece(size, Fill(fill))]

    def slice(self, offset: int, length: int) -> list[Piece]:
        """The pieces that make up a range, as they are now: later writes do not change them."""
        found, position = [], 0
        for piece in self._pieces:
            start, stop = max(offset - position, 0), min(offset + length - position, piece.length)
            if start < stop:
                found.append(piece.cut(start, stop))
            position += piece.length
        return found

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range, computed now if need be."""
        return join(self.slice(offset, length))

    def write(self, offset: int, pieces: list[Piece]) -> None:
        """Put pieces in the place of what is there."""
        length = sum(piece.length for piece in pieces)
        size = sum(piece.length for piece in self._pieces)
        self._pieces = [*self.slice(0, offset), *pieces, *self.slice(offset + length, size - offset - length)]

    def write_bytes(self, offset: int, data: bytes) -> None:
        """Copy bytes in; the same bytes again leave the object that is there."""
        there = self.slice(offset, len(data))
        if len(there) == 1 and isinstance(there[0].source, Data) and there[0].read() == data:
            return
        self.write(offset, [Piece(len(data), Data(data))])
