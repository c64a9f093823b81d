"""The engine for one batch size: built here or found in the cache, or a file of the user's in a folder that they trust.

Loading an engine runs code that is in it. So files from elsewhere are only loaded where the user says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from backends._cuda import Cuda
from backends.base import Artifact, DeviceError, Model, ModelMismatch, Precision
from backends.convert import ArtifactCache, Graph, read_graph
from backends.convert.half import to_fp16
from backends.tensorrt.build import build
from backends.tensorrt.library import Library
from backends.tensorrt.loaded import Loaded
from backends.tensorrt.precision import GIVEN, Route
from backends.tensorrt.products import Product
from backends.tensorrt.recipe import Recipe
from backends.tensorrt.timings import TimingFile

_SUFFIXES = (".engine", ".plan")
_NAMED = re.compile(r".*_bs([1-9]\d*)(?:_.*)?")


def source(product: Product, model: Model, onnx: Path, way: Route) -> tuple[Graph, Route]:
    """The file that an engine is built from, by that route: the model's own, or one in fp16 that is made of it.

    Raises ConversionError, ModelMismatch.
    """
    if not way.converts:
        return read_graph(onnx), way
    half = to_fp16(onnx, _cache_of(product, model))
    return replace(read_graph(half.path), made_from=onnx.name), way.through(half)


def built(library: Library, recipe: Recipe, open_cuda: Callable[[], Cuda]) -> Artifact:
    """From the cache, or built now on the device that `open_cuda` opens.

    One from the cache is loaded once to see that it can be; where it cannot, it is built again and the reason kept.
    Raises ConversionError, DeviceError, ModelMismatch, BackendUnavailable.
    """
    model = recipe.model
    folder = _cache_of(library.product, model) / library.product.name
    cache, key = ArtifactCache(folder), recipe.key(library)
    timings = None
    if library.product.keeps_timings:
        timings = TimingFile(folder, {name: key[name] for name in ("library", "card", "compute capability", "CUDA")})

    def make(path: Path) -> dict[str, str]:
        return build(library, recipe, path, timings)

    with open_cuda():
        found, reason = cache.get(key, "engine", make), ""
        if found.hit and (reason := refusal(library, found.path)):
            cache.forget(found)
            found = cache.get(key, "engine", make)
    how = "from the cache" if found.hit else "built now"
    again = {"built again": f"the one in the cache was refused: {reason}"} if reason else {}
    settings = {"engine": how, **again, **recipe.told(), **found.facts}
    return Artifact(model, recipe.precision, found.path, found.sha256, settings)


def _cache_of(product: Product, model: Model) -> Path:
    if model.cache is None:
        raise ModelMismatch(
            f"{product.name} builds engines in a cache folder, and was given none; name one with --cache."
        )
    return model.cache


def refusal(library: Library, path: Path) -> str:
    """Why TensorRT does not load that plan, empty if it does."""
    try:
        Loaded(library, path.read_bytes(), path.name).close()
    except DeviceError as error:
        return str(error).partition(" failed: ")[2].rpartition("; ")[0] or str(error)
    return ""


@dataclass(frozen=True, slots=True)
class Trust:
    """The folder whose engines may be loaded; `folder` "" for none. `backend` is the name for messages."""

    folder: str
    backend: str

    def check(self, path: Path) -> None:
        """Raises ModelMismatch unless the file itself, not only a link to it, lies in the folder or below."""
        if not self.folder:
            raise ModelMismatch(
                f"{path} is not loaded: an engine holds code that runs when it is loaded; write --backend"
                f" {self.backend}:trust={path.parent} if you trust all that lies in that folder."
            )
        if not path.resolve().is_relative_to(Path(self.folder).resolve()):
            real = f" (which is {path.resolve()})" if path.resolve() != path.absolute() else ""
            raise ModelMismatch(
                f"{path}{real} is not loaded: it lies outside of {self.folder}, the folder that trust= names; move it"
                " there, or name its own folder if you trust all that lies in it."
            )


def given(model: Model, precision: Precision, trust: Trust) -> Artifact:
    """The user's engine for the model's batch size. Raises ModelMismatch."""
    assert model.compiled is not None
    path = _in_folder(model.compiled, model.batch) if model.compiled.is_dir() else model.compiled
    trust.check(path)
    try:
        digest, size = _sha256(path), path.stat().st_size
    except OSError as error:
        raise ModelMismatch(f"{path} cannot be read: {error.strerror}; check the path.") from None
    if not size:
        raise ModelMismatch(f"{path} is empty; build it again.")
    settings = {
        "engine": GIVEN, "file": path.name, "trusted folder": trust.folder,
        "precision told by": "--precision, and the engine's own account of its layers where it gives one",
    }  # fmt: skip
    return Artifact(model, precision, path, digest, settings)


def _in_folder(folder: Path, batch: int) -> Path:
    """The folder's engine with that batch size in its name."""
    engines = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    found = [path for path in engines if (named := _NAMED.fullmatch(path.stem)) and int(named[1]) == batch]
    if len(found) == 1:
        return found[0]
    if found:
        raise ModelMismatch(
            f"{folder} has several engines for batch size {batch}: {', '.join(path.name for path in found)}; name the"
            " one that is meant, or move the others away."
        )
    has = ", ".join(path.name for path in engines) or "none at all"
    raise ModelMismatch(
        f"{folder} has no engine for batch size {batch} (it has {has}); make one and call it NAME_bs{batch}.engine:"
        " python -m bench convert --to engine."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
