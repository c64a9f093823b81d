"""Folders of output files, as msame, ais_bench and this harness leave them: which file holds what.

msame names the outputs of input file `7.bin` `7_output_0.txt`, ais_bench `7_0.txt`; the last number counts the model's
outputs. The name alone says which input an output belongs to: msame works through its inputs as text (10 before 2),
ais_bench as numbers, and neither order matters here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from datasets.errors import DatasetError
from datasets.tensors import FORMATS, TensorFormat

Scheme = Literal["msame", "ais_bench"]
#: Where a folder made by this harness has its outputs.
OUTPUTS: Final = "outputs"

_NAME: Final = re.compile(r"(?P<stem>.+?)(?P<msame>_output)?_(?P<output>\d+)\.(?P<kind>bin|npy|txt)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """The files of a model's first output; `files[i]` belongs to input i, from 0 on without a gap."""

    path: Path
    scheme: Scheme
    kind: TensorFormat
    files: tuple[Path, ...]


def output_name(index: int, kind: TensorFormat) -> str:
    """The name that this harness writes, which is msame's: `7_output_0.bin`."""
    return f"{index}_output_0.{kind}"


def find_outputs(path: Path) -> OutputFolder:
    """The outputs in a folder, or in the one folder in it that has some (such as msame's with the time as its name).

    Raises DatasetError: no such folder, no outputs, several folders with outputs, naming schemes or formats mixed,
    more than one output of a model, names that are no numbers, or an input in the middle without its output.
    """
    folder = _with_outputs(path)
    found = _matching(folder)
    schemes = {bool(match["msame"]): name for name, match in found}
    if len(schemes) > 1:
        raise DatasetError(
            f"{folder}: mixes msame's names ({schemes[True]}) and ais_bench's ({schemes[False]}); "
            "keep the outputs of one tool only"
        )
    kinds = {kind: name for name, match in found for kind in FORMATS if kind == match["kind"].lower()}
    if len(kinds) > 1:
        raise DatasetError(f"{folder}: mixes formats ({', '.join(sorted(kinds.values()))}); keep one of them only")
    files: dict[int, Path] = {}
    for name, match in found:
        if not (match["stem"].isascii() and match["stem"].isdecimal()):
            raise DatasetError(f"{folder}: {name} belongs to no numbered input; inputs must be named 0.bin, 1.bin, ...")
        if int(match["output"]) != 0:
            raise DatasetError(f"{folder}: {name} is a second output; StarGAN's generator has one: another model's?")
        index = int(match["stem"])
        if index in files:
            raise DatasetError(f"{folder}: {name} and {files[index].name} are both the output of input {index}")
        files[index] = folder / name
    _check_complete(folder, files)
    scheme: Scheme = "msame" if next(iter(schemes)) else "ais_bench"
    return OutputFolder(folder, scheme, next(iter(kinds)), tuple(files[index] for index in range(len(files))))


def _check_complete(folder: Path, files: dict[int, Path]) -> None:
    missing = [index for index in range(max(files) + 1) if index not in files]
    if missing:
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DatasetError(
            f"{folder}: the output of input {missing[0]} is missing{others}, but there is that of input {max(files)};"
            " run that input again"
        )


def _with_outputs(path: Path) -> Path:
    if not path.is_dir():
        raise DatasetError(f"{path}: no such folder; give the folder with a tool's output files")
    try:
        if _matching(path):
            return path
        inner = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and _matching(folder)]
    except OSError as error:
        raise DatasetError(f"{path}: cannot be listed ({error.strerror or error}); check it") from None
    if not inner:
        raise DatasetError(
            f"{path}: holds no outputs; expected files such as 0_output_0.txt (msame) or 0_0.bin (ais_bench)"
        )
    if len(inner) > 1:
        names = ", ".join(folder.name for folder in inner[:4])
        raise DatasetError(f"{path}: several folders in it hold outputs ({names}); give the path of one of them")
    return inner[0]


def _matching(folder: Path) -> list[tuple[str, re.Match[str]]]:
    return list(_matches(sorted(item.name for item in folder.iterdir())))


def _matches(names: Iterable[str]) -> Iterable[tuple[str, re.Match[str]]]:
    for name in names:
        match = _NAME.fullmatch(name)
        if match and not name.startswith("."):  # a write that was killed leaves a hidden file
            yield name, match
