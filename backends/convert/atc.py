"""ONNX -> .om with atc, Ascend's converter: one static .om a batch size, or one for several. Not run on hardware.

Options, texts and codes: CANN's atc guide and the tool's own source (api/atc/main_impl.cc of GE, 2026), and what
users published; tested with a double that keeps these rules.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.base import ConversionError, Precision
from backends.convert import cann, om, tool
from backends.convert.atc_errors import DOMAINS, INSTALL, explain, warning
from backends.convert.cache import ArtifactCache
from backends.convert.graph import Graph
from backends.convert.tool import Conversion

#: How many batch sizes one .om takes at most (atc's "gears").
MOST_GEARS = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user decides: the chip, exactly, and atc's --precision_mode ("" leaves atc's default)."""

    soc_version: str
    precision_mode: str = ""

    @property
    def precision(self) -> str:
        """What a float32 graph is computed in, in words; `mixed` where atc chooses for every operator."""
        return om.precision_words(self.precision_mode)

    @property
    def arithmetic(self) -> Precision | None:
        """What a float32 graph is computed in; None where atc chooses for every operator."""
        return om.arithmetic(self.precision_mode)


@dataclass(frozen=True, slots=True)
class Atc:
    """An installed atc. `version` tells it from any other, see `identify`; `cann` is CANN's own, "" if unknown."""

    path: Path
    version: str
    cann: str = ""


def locate() -> Atc:
    """The atc on PATH. Raises ToolMissing."""
    path = tool.find("atc", INSTALL)
    return Atc(path, identify(path), cann.version_of(path))


def identify(path: Path) -> str:
    """What tells this atc from another one: nothing is guessed, and atc has no option that prints its version.

    The file behind the links and the atc.bin that it may start, each with size and time of change, and the text of
    the files on versions that CANN lays into its folders, up to the toolkit's own. Raises ConversionError.
    """
    real = path.resolve()
    files = [real, real.with_name("atc.bin")]
    try:
        parts = [tool.file_identity(file) for file in files if file.exists()]
        parts += [note.read_text(encoding="utf-8", errors="replace") for note in cann.notes(cann.folders(path))]
    except OSError as error:
        raise ConversionError(f"{error.filename} cannot be read: {error.strerror}; {INSTALL}") from error
    return "\n".join(parts)


def command(
    atc: str,
    model: str,
    output: str,
    shapes: Mapping[str, Sequence[int]],
    settings: Settings,
    gears: Sequence[int] = (),
) -> list[str]:
    """The command line; `output` is the .om's path without `.om`. With `gears` the batch in `shapes` is -1."""
    shape_text = ";".join(f"{name}:{','.join(map(str, shape))}" for name, shape in shapes.items())
    line = [
        atc,
        "--framework=5",
        f"--model={model}",
        f"--output={output}",
        "--input_format=NCHW",
        f"--input_shape={shape_text}",
        f"--soc_version={settings.soc_version}",
    ]
    if gears:
        line.append(f"--dynamic_batch_size={_joined(gears)}")
    if settings.precision_mode:
        line.append(f"--precision_mode={settings.precision_mode}")
    return [*line, "--log=error"]


def check_gears(gears: Sequence[int]) -> tuple[int, ...]:
    """The batch sizes of one .om, in order and each once. Raises ConversionError for too few, too many or a bad one."""
    sizes = tuple(sorted(set(gears)))
    if len(sizes) < 2 or sizes[0] < 1:
        given = ", ".join(map(str, gears)) or "none"
        raise ConversionError(
            f"a dynamic batch takes at least two different sizes of 1 or more, and it was given {given}; name more, or"
            " make a file of one size."
        )
    if len(sizes) > MOST_GEARS:
        raise ConversionError(
            f"a dynamic batch takes at most {MOST_GEARS} sizes, and it was given {len(sizes)}; name fewer."
        )
    return sizes


def check_graph(atc: Atc, graph: Graph) -> None:
    """Raise ConversionError for a model that this atc is known to refuse: its opset, or opsets of several domains."""
    if graph.opset is not None and (refusal := cann.refused_opset(atc.cann, graph.opset)):
        raise ConversionError(f"{graph.path.name}: {refusal}")
    if len({each.domain for each in graph.opsets}) < 2 or cann.takes_several_domains(atc.cann):
        return
    listed = ", ".join(map(str, graph.opsets))
    unused = [each for each in graph.opsets if not each.used]
    if unused:
        advice = f"{DOMAINS.removesuffix('.')} ({', '.join(map(str, unused))})."
    else:
        advice = "its nodes use them all: export it without operators beyond ONNX's own."
    raise ConversionError(
        f"{graph.path.name} imports opsets of {len(graph.opsets)} domains ({listed}), and atc takes one (E16005);"
        f" {advice}"
    )


def convert(
    atc: Atc,
    graph: Graph,
    batch: int | Sequence[int],
    settings: Settings,
    cache: ArtifactCache,
    limit_s: float = tool.LIMIT_S,
) -> Conversion:
    """The .om of one batch size, or a dynamic one of several, from the cache or built now. Raises ConversionError.

    A dynamic one is another model than the static ones, and usually slower: results with it are to be told apart.
    """
    gears = () if isinstance(batch, int) else check_gears(batch)
    sizes = (batch,) if isinstance(batch, int) else gears
    shapes = graph.open_shapes() if gears else graph.shapes(sizes[0])
    check_graph(atc, graph)
    key = {
        "what": "om",
        "onnx": graph.sha256,
        "gears" if gears else "batch": _joined(sizes),
        "soc_version": settings.soc_version,
        "precision_mode": settings.precision_mode,
        "cann": atc.cann,
        "tool": atc.version,
        "host": f"{platform.system()} {platform.machine()}",  # newer atc writes files for one host alone
    }
    log = cache.log(key)

    def build(path: Path) -> dict[str, str]:
        folder, stem = path.parent, om.stem("model", sizes)
        line = command(str(atc.path), graph.copy_into(folder).name, stem, shapes, settings, gears)
        text = tool.run(line, folder, log, explain, limit_s)
        facts = {"platform": _take_output(folder, stem, path, text, log)}
        if warned := warning(text):
            facts["warning"] = warned
        return facts

    cached = cache.get(key, "om", build)
    notes = []
    if gears:
        notes.append(f"one model for batch sizes {', '.join(map(str, gears))}, usually slower than a model of one size")
    if host := cached.facts.get("platform"):
        notes.append(f"runs only on {host.replace('_', ' ', 1)}, as atc named it")
    if warned := cached.facts.get("warning"):
        notes.append(f"atc warned: {warned} (output: {log})")
    return Conversion(cached.path, cached.sha256, cached.hit, settings.precision, key, tuple(notes))


def _joined(sizes: Sequence[int]) -> str:
    return ",".join(map(str, sizes))


def _take_output(folder: Path, stem: str, path: Path, output: str, log: Path) -> str:
    """Give the .om its name; returns the `<os>_<arch>` that atc put into its own, or "". Raises ConversionError."""
    plain = folder / f"{stem}.om"
    found = plain if plain.is_file() else next(iter(sorted(folder.glob(f"{stem}_*.om"))), None)
    if found is None or found.stat().st_size == 0:
        what = "ended with status 0 but wrote no .om" if found is None else "ended with status 0 but its .om is empty"
        raise tool.failure("atc", what, explain(output), log)
    found.replace(path)
    return found.stem.removeprefix(stem).removeprefix("_")
