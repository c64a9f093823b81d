"""What a converter must know of an .onnx file: its content's hash, its files, the names and shapes of its inputs."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import ConversionError

_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
ONNX_DOMAINS = ("", "ai.onnx")


def told(path: Path, made_from: str) -> str:
    """A file for messages: by its name, and where it was made of another file by that one's name, too."""
    return f"{made_from} (converted: {path})" if made_from else path.name


@dataclass(frozen=True, slots=True)
class GraphInput:
    """An input as the file declares it; a dimension that is left open is None."""

    name: str
    dims: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class OpsetImport:
    """A set of operators that the file asks for, and whether any node is of it; "" and ai.onnx are ONNX's own."""

    domain: str
    version: int
    used: bool = True

    def __str__(self) -> str:
        return f"{self.domain or 'ai.onnx'} {self.version}"


@dataclass(frozen=True, slots=True)
class Graph:
    """An .onnx file. `sha256` covers its external data; `external` are their paths relative to the file's folder."""

    path: Path
    sha256: str
    inputs: tuple[GraphInput, ...]
    external: tuple[str, ...] = ()
    opsets: tuple[OpsetImport, ...] = ()
    #: name of the user's file, where this one was made of it
    made_from: str = ""

    @property
    def title(self) -> str:
        """The file for messages: by the name that the user knows."""
        return told(self.path, self.made_from)

    @property
    def opset(self) -> int | None:
        """Version of ONNX's own operators; None if the file asks for none of them."""
        return next((each.version for each in self.opsets if each.domain in ONNX_DOMAINS), None)

    @property
    def static(self) -> bool:
        """Whether the file leaves no dimension open."""
        return all(dim is not None for each in self.inputs for dim in each.dims)

    def shapes(self, batch: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the inputs at that batch size, which is every input's first dimension.

        Raises ConversionError when the file fixes another batch size or leaves other dimensions open.
        """
        found = {}
        for each in self.inputs:
            if not each.dims or each.dims[0] not in (None, batch):
                given = "x".join("?" if dim is None else str(dim) for dim in each.dims) or "no dimension"
                raise ConversionError(
                    f"{self.path.name}: input {each.name} has {given}, which cannot hold a batch of {batch}; export the"
                    " model with a dynamic batch as first dimension."
                )
            if None in each.dims[1:]:
                raise ConversionError(
                    f"{self.path.name}: input {each.name} leaves more than its batch open; export the model with fixed"
                    " sizes."
                )
            found[each.name] = (batch, *(dim for dim in each.dims[1:] if dim is not None))
        return found

    def open_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the inputs with -1 for the batch, which every input must leave open as its first dimension.

        Raises ConversionError when one fixes its batch, has no dimension, or leaves others open.
        """
        fixed = next((each for each in self.inputs if not each.dims or each.dims[0] is not None), None)
        if fixed is not None:
            given = f"fixes its batch at {fixed.dims[0]}" if fixed.dims else "has no dimension"
            raise ConversionError(
                f"{self.path.name}: input {fixed.name} {given}, so that one model cannot take several batch sizes;"
                " export it with a dynamic batch as first dimension of every input."
            )
        return {name: (-1, *shape[1:]) for name, shape in self.shapes(1).items()}

    def copy_into(self, folder: Path) -> Path:
        """Copy the file and its external data to a folder of plain characters, where atc accepts every path.

        Copies, since readers of ONNX refuse external data behind links. Raises OSError.
        """
        model = folder / (self.path.name if _PLAIN.fullmatch(self.path.name) else "model.onnx")
        shutil.copyfile(self.path, model)
        for name in self.external:
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.path.parent / name, copy)
        return model


def read_graph(path: Path) -> Graph:
    """Read an .onnx file; its weights are hashed, not loaded. Raises ConversionError. Imports onnx."""
    try:
        import onnx
    except ImportError:
        raise ConversionError("onnx is not installed; install it with: pip install -c constraints.txt onnx.") from None
    try:
        content = path.read_bytes()
        model: Any = onnx.load_model_from_string(content)
    except OSError as error:
        raise ConversionError(f"{path} cannot be read: {error.strerror}; check the path.") from None
    except Exception:  # protobuf's errors differ by its version
        raise ConversionError(f"{path} is no .onnx file, or cut off; export it again.") from None
    if not model.graph.input or not model.graph.output:
        raise ConversionError(f"{path} is no .onnx file, or cut off; export it again.")
    external = tuple(sorted({_location(tensor) for tensor in _tensors(model.graph) if _is_external(tensor)}))
    weights = {tensor.name for tensor in model.graph.initializer}
    return Graph(
        path=path,
        sha256=_digest(path, content, external),
        inputs=tuple(GraphInput(value.name, _dims(value)) for value in model.graph.input if value.name not in weights),
        external=external,
        opsets=_opsets(model),
    )


def _opsets(model: Any) -> tuple[OpsetImport, ...]:
    used = set(_domains(model.graph)).union(*(_domains(function) for function in model.functions))
    if not used.isdisjoint(ONNX_DOMAINS):
        used.update(ONNX_DOMAINS)
    return tuple(OpsetImport(each.domain, int(each.version), each.domain in used) for each in model.opset_import)


def _domains(graph: Any) -> Iterator[str]:
    """Domain of every node, those in the graphs of If and Loop included."""
    for node in graph.node:
        yield node.domain
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _domains(inner)


def _dims(value: Any) -> tuple[int | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(int(dim.dim_value) if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0 else None
                 for dim in dims)  # fmt: skip


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor with values, those in nodes and in the graphs of If and Loop included."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _is_external(tensor: Any) -> bool:
    return bool(tensor.external_data) and tensor.data_location == type(tensor).EXTERNAL


def _location(tensor: Any) -> str:
    """Path of the tensor's file, relative to the model's folder and inside of it. Raises ConversionError."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    if not location or Path(location).is_absolute() or ".." in Path(location).parts:
        raise ConversionError(
            f"the weights of {tensor.name} lie in {location or 'a file without a name'!r}, outside of the model's"
            " folder; save the model with its data beside it."
        )
    return str(Path(location))


def _digest(path: Path, content: bytes, external: tuple[str, ...]) -> str:
    """SHA-256 over the file and its external data, each with its name and length. Raises ConversionError."""
    digest = hashlib.sha256(content)
    for name in external:
        try:
            with (path.parent / name).open("rb") as file:
                data = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConversionError(
                f"{path}: its weights file {name} cannot be read ({error.strerror}); copy it beside the model."
            ) from None
        digest.update(f"|{name}|{data}".encode())
    return digest.hexdigest()
