"""What is run: a workload turns files into a model, inputs and a reference, once a run; cells then only load them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np

from backends.base import Array, Feeds, Model
from bench.errors import UsageError
from bench.plan import WorkloadSpec
from reports.records import WorkloadInfo

#: `end-to-end` rotates through this many different host batches, so that no cache of results can hide in it.
HOST_BATCHES = 8


class Materials(msgspec.Struct, frozen=True, kw_only=True):
    """Files that a prepared workload left in the cache; paths are absolute."""

    info: WorkloadInfo
    onnx: str | None
    inputs: str
    #: batch size -> .npz with the reference outputs of host batch 0
    references: dict[str, str]
    weights: str | None = None


class Workload(ABC):
    """One kind of model with its inputs and its reference."""

    name: ClassVar[str]

    @abstractmethod
    def materialise(
        self, spec: WorkloadSpec, batches: Sequence[int], cache: Path, say: Callable[[str], None]
    ) -> Materials:
        """Make (or find in the cache) the model file, the inputs and the reference outputs.

        `say` is told what is being done, in a few words. Raises UsageError or datasets' DatasetError for bad files.
        """

    @abstractmethod
    def model(self, spec: WorkloadSpec, materials: Materials, batch: int) -> Model:
        """The model at one batch size."""

    @abstractmethod
    def host_batches(self, spec: WorkloadSpec, materials: Materials, batch: int) -> list[Feeds]:
        """HOST_BATCHES different inputs; batch 0 is the one whose reference outputs are known."""

    def reference(self, materials: Materials, batch: int) -> dict[str, Array]:
        """Reference outputs of host batch 0."""
        return load_arrays(Path(materials.references[str(batch)]))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary sibling that takes the name `path` when the block ends well, and vanishes when it does not.

    Raises UsageError when the folder cannot be written or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror or error}; free some space, or name another folder with --cache."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an .npz atomically. Raises UsageError."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> dict[str, Array]:
    """Read an .npz that `save_arrays` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_arrays(arrays: Mapping[str, Array]) -> str:
    """Hex digest over names, shapes, dtypes and bytes, in the mapping's order."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def key_of(*parts: object) -> str:
    """Short content key for a cache file."""
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:24]
