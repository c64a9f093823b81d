"""A machine as a JSON file, so that worker processes can be told too, and a backend that finds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

_ROOT = Path(__file__).parents[3]

C = TypeVar("C", bound=msgspec.Struct)


def read(path: Path, kind: type[C]) -> C:
    """The configuration in a JSON file. Raises ValueError naming the file and the field."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise ValueError(f"{path}: {error}") from error


def write(path: Path, config: msgspec.Struct) -> Path:
    """Write `config` as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(config)))
    return path


def of_process(variable: str, double: str) -> Path:
    """The file that describes this process's machine. Raises RuntimeError where `variable` names none."""
    path = os.environ.get(variable)
    if not path:
        raise RuntimeError(f"{variable} names no file; tests.doubles.{double}.install() says what to put there")
    return Path(path)


def install(
    folder: Path, double: str, code: str, backends: Mapping[str, str], variable: str, config: msgspec.Struct
) -> dict[str, str]:
    """Lay a double's backends down in `folder` as a third party's, and the machine's description.

    `code` is the module's, `backends` are its classes by the names that commands know them by. Returns the variables
    of the environment with which a process finds all of it: PYTHONPATH and `variable`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    module = f"bench_simulated_{double}"
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
    entries = "".join(f"{name} = {module}:{kind}\n" for name, kind in backends.items())
    (info / "entry_points.txt").write_text(f"[bench.backends]\n{entries}")
    described = write(folder / f"{double}-double.json", config)
    before = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(folder), str(_ROOT), *before])),
        variable: str(described),
    }
