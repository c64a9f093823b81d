"""Strict reader of CelebA's `list_attr_celeba.txt`.

Line 1 is the number of entries, line 2 the attribute names, every further line a file name and one `1` or `-1`
for each attribute.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from datasets.errors import DatasetError

HEADER_LINES: Final = 2
_VALUES: Final = frozenset({"1", "-1"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of the list: its plain file name, its selected labels, its 1-based line in the attribute file."""

    filename: str
    labels: tuple[bool, ...]
    line: int


@dataclass(frozen=True, slots=True)
class AttributeTable:
    """The parsed file: every attribute name in file order, and the entries in file order.

    `Entry.labels` holds only the attributes asked for, in the order asked for: all 40 of 202,599 entries would
    take some 75 MB.
    """

    names: tuple[str, ...]
    entries: tuple[Entry, ...]


def parse_attributes(data: bytes, attributes: Sequence[str], where: str) -> AttributeTable:
    """Parse the attribute file's bytes (UTF-8, LF or CRLF); `where` names the file in messages.

    Raises DatasetError naming the file and the line for anything that is not exactly the format, and for an
    unknown or repeated name in `attributes`.
    """
    lines = _lines(data, where)
    count, names = _header(lines, where)
    columns = _columns(names, attributes, where)
    rows = len(lines) - HEADER_LINES
    if rows != count:
        raise DatasetError(
            f"{where} line 1: promises {count} entries but {rows} lines follow the header; "
            "restore the complete file or correct the count"
        )
    return AttributeTable(names, tuple(_entries(lines, len(names), columns, where)))


def _lines(data: bytes, where: str) -> list[str]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{where} line {line}: not UTF-8 text ({error.reason}); give CelebA's own list_attr_celeba.txt"
        ) from error
    if not text.strip():
        raise DatasetError(f"{where}: the file is empty; give CelebA's own list_attr_celeba.txt")
    # Not str.splitlines(): it also splits at form feeds and other separators, which the published loader's
    # text-mode reading does not, and the split depends on the number of lines.
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.rstrip() for line in lines]


def _header(lines: Sequence[str], where: str) -> tuple[int, tuple[str, ...]]:
    first = lines[0].strip()
    # isdigit() alone takes other scripts' digits, int() alone takes "1_0" and "+1".
    if not (first.isascii() and first.isdigit() and len(first) < 10):
        raise DatasetError(
            f"{where} line 1: {_quote(first)} is not a number of entries; the file starts with its entry count"
        )
    names = tuple(lines[1].split()) if len(lines) > 1 else ()
    if not names:
        raise DatasetError(f"{where} line 2: no attribute names; the second line lists them")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DatasetError(f"{where} line 2: attribute {_quote(twice)} is listed twice; name each once")
    return int(first), names


def _columns(names: Sequence[str], attributes: Sequence[str], where: str) -> tuple[int, ...]:
    if not attributes:
        raise DatasetError(f"no attribute selected from {where}; select at least one of {', '.join(names)}")
    for position, attribute in enumerate(attributes):
        if attribute in attributes[:position]:
            raise DatasetError(f"attribute {_quote(attribute)} is selected twice; select each once")
        if attribute not in names:
            lowered = {name.lower(): name for name in names}
            near = difflib.get_close_matches(attribute.lower(), lowered, n=1)
            hint = f"did you mean {lowered[near[0]]}? " if near else ""
            raise DatasetError(
                f"unknown attribute {_quote(attribute)} in {where}: {hint}select among {', '.join(names)}"
            )
    return tuple(names.index(attribute) for attribute in attributes)


def _entries(lines: Sequence[str], width: int, columns: tuple[int, ...], where: str) -> Iterator[Entry]:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines[HEADER_LINES:], start=HEADER_LINES + 1):
        filename, *values = line.split() or [""]
        if not filename:
            raise DatasetError(f"{where} line {number}: the line is blank; remove it or restore its entry")
        _check_filename(filename, f"{where} line {number}")
        if len(values) != width:
            raise DatasetError(
                f"{where} line {number}: {_quote(filename)} has {len(values)} values for {width} attributes; "
                "give one 1 or -1 for each"
            )
        if not _VALUES.issuperset(values):
            bad = next(value for value in values if value not in _VALUES)
            raise DatasetError(
                f"{where} line {number}: {_quote(filename)} has the value {_quote(bad)}; only 1 and -1 are allowed"
            )
        first = seen.setdefault(filename, number)
        if first != number:
            raise DatasetError(
                f"{where} line {number}: {_quote(filename)} is already on line {first}; list each image once"
            )
        yield Entry(filename, tuple([values[column] == "1" for column in columns]), number)


def _check_filename(name: str, where: str) -> None:
    """A plain file name only: it is joined to the images folder, which it must not leave."""
    if name in {".", ".."} or any(mark in name for mark in ("/", "\\", ":", "\0")) or ".." in name:
        raise DatasetError(f"{where}: {_quote(name)} is not a plain file name; use names such as 000001.jpg")


def _quote(text: str) -> str:
    """repr, cut: a binary file handed in by mistake can have a 'word' of any length."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
