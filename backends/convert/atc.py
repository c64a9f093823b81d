"""ONNX -> .om with atc, Ascend's converter: one static .om a batch size. Not run on hardware.

Options, texts and codes: CANN's atc guide and the tool's own source (api/atc/main_impl.cc of GE, 2026), and what
users published; tested with a double that keeps these rules.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.base import ConversionError
from backends.convert import tool
from backends.convert.cache import ArtifactCache
from backends.convert.graph import Graph
from backends.convert.tool import Conversion, Explained

_INSTALL = (
    "source CANN's set_env.sh (source /usr/local/Ascend/ascend-toolkit/set_env.sh; newer: .../cann/set_env.sh), or"
    " install the CANN toolkit."
)
#: The code of an error as atc prints it: `E10001: ...`, or `Invalid_Argument(E10001): ...` in newer versions.
_ERROR = re.compile(r"(?<![A-Za-z0-9_])(E[A-Z]?\d{4,5})\)?:\s*(.*)")
_WARNING = re.compile(r"(?<![A-Za-z0-9_])(W[A-Z]?\d{4,5})\)?:\s*(.*)")
_MODULE = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
#: Errors that say nothing in their own line; the next one has the matter.
_INNER = ("E19999", "EZ9999")

_OPSET = "export with a lower --opset (11 is read by old CANN, too), or convert with a newer CANN."
_VALUE = "check the names and shapes of the inputs, the flags against atc --help, and --soc-version."
_ADVICE = {
    "E10001": _VALUE,
    "E10002": "check the names and shapes of the inputs against those of the .onnx file.",
    "E10014": _VALUE,
    "E16002": _OPSET,
    "E16005": "keep one opset domain in the model: remove the opset_imports that no node uses.",
    "E19010": _OPSET,  # older code of EZ9010
    "EZ9010": _OPSET,
    "EZ3003": "check --soc-version, and that CANN's operator package for this chip is installed (a package of its own"
    " from CANN 8.5 on); else the chip does not have this operator.",
}
_SOC_ADVICE = (
    "give the chip's exact name with --soc-version, Ascend and the Name column of npu-smi info (Ascend310,"
    " Ascend310P3), to a CANN that still knows this chip."
)
_OTHER_ADVICE = "see the output, and with --log=debug atc's own log in $HOME/ascend/log."

#: What atc computes a float32 graph in, by its --precision_mode; "" is its default.
_PRECISIONS = {
    "": "fp16 (force_fp16, atc's default)",
    "force_fp16": "fp16 (force_fp16)",
    "force_fp32": "fp32 (force_fp32)",
    "must_keep_origin_dtype": "fp32 (must_keep_origin_dtype)",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user decides: the chip, exactly, and atc's --precision_mode ("" leaves atc's default)."""

    soc_version: str
    precision_mode: str = ""

    @property
    def precision(self) -> str:
        """What a float32 graph is computed in, in words; `mixed` where atc chooses for every operator."""
        return _PRECISIONS.get(self.precision_mode, f"mixed ({self.precision_mode})")


@dataclass(frozen=True, slots=True)
class Atc:
    """An installed atc. `version` is all that can honestly be told of it; see `identify`."""

    path: Path
    version: str


def locate() -> Atc:
    """The atc on PATH. Raises ToolMissing."""
    path = tool.find("atc", _INSTALL)
    return Atc(path, identify(path))


def identify(path: Path) -> str:
    """What tells this atc from another one: nothing is guessed, and atc has no option that prints its version.

    The file behind the links and the atc.bin that it may start, each with size and time of change, and the text of
    the version.cfg and version.info that CANN lays into its folders, up to the toolkit's own. Raises ConversionError.
    """
    real = path.resolve()
    files = [real, real.with_name("atc.bin")]
    # <toolkit>/compiler/bin/atc, or <toolkit>/<arch>-linux/bin/atc in newer versions
    notes = [folder / name for folder in list(real.parents)[:4] for name in ("version.cfg", "version.info")]
    try:
        parts = [tool.file_identity(file) for file in files if file.exists()]
        parts += [note.read_text(encoding="utf-8", errors="replace") for note in notes if note.is_file()]
    except OSError as error:
        raise ConversionError(f"{error.filename} cannot be read: {error.strerror}; {_INSTALL}") from error
    return "\n".join(parts)


def command(atc: str, model: str, output: str, shapes: Mapping[str, Sequence[int]], settings: Settings) -> list[str]:
    """The command line; `output` is the .om's path without `.om`."""
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
    if settings.precision_mode:
        line.append(f"--precision_mode={settings.precision_mode}")
    return [*line, "--log=error"]


def convert(
    atc: Atc, graph: Graph, batch: int, settings: Settings, cache: ArtifactCache, limit_s: float = tool.LIMIT_S
) -> Conversion:
    """The .om of one batch size, from the cache or built now. Raises ConversionError."""
    key = {
        "what": "om",
        "onnx": graph.sha256,
        "batch": str(batch),
        "soc_version": settings.soc_version,
        "precision_mode": settings.precision_mode,
        "tool": atc.version,
        "host": f"{platform.system()} {platform.machine()}",  # newer atc writes files for one host alone
    }
    shapes = graph.shapes(batch)
    log = cache.log(key)

    def build(path: Path) -> dict[str, str]:
        folder, stem = path.parent, f"model_bs{batch}"
        line = command(str(atc.path), graph.copy_into(folder).name, stem, shapes, settings)
        text = tool.run(line, folder, log, explain, limit_s)
        facts = {"platform": _take_output(folder, stem, path, text, log)}
        warning = _WARNING.search(text)
        if warning is not None:
            facts["warning"] = warning[0].strip()
        return facts

    cached = cache.get(key, "om", build)
    notes = []
    if host := cached.facts.get("platform"):
        notes.append(f"runs only on {host.replace('_', ' ', 1)}, as atc named it")
    if warned := cached.facts.get("warning"):
        notes.append(f"atc warned: {warned}")
    return Conversion(cached.path, cached.sha256, cached.hit, settings.precision, key, tuple(notes))


def explain(output: str) -> Explained:
    """The first error line in atc's output, and what to do about it."""
    found = _ERROR.search(output)
    if found is None:
        return _explain_without_code(output)
    code, text = found[1], found[2].strip()
    if code in _INNER:
        text = f"{text} {_next_line(output[found.end() :], code)}".strip()
    advice = _ADVICE.get(code, _OTHER_ADVICE)
    if code in ("E10001", "E10014") and "soc_version" in text:
        advice = _SOC_ADVICE
    return Explained(f"{code}: {text}", advice)


def _explain_without_code(output: str) -> Explained:
    if started := tool.explain_start(output, _INSTALL):
        return started
    if module := _MODULE.search(output):
        advice = f"install what atc's Python part needs, into the Python that it runs: pip install {module[1]}."
        return Explained(module[0], advice)
    wrong = next((line.strip() for line in output.splitlines() if "error" in line.lower()), "")
    return Explained(wrong or tool.last_line(output), _OTHER_ADVICE)


def _next_line(rest: str, code: str) -> str:
    line = next((line.strip() for line in rest.splitlines() if line.strip()), "")
    return line.removeprefix(code).strip()


def _take_output(folder: Path, stem: str, path: Path, output: str, log: Path) -> str:
    """Give the .om its name; returns the `<os>_<arch>` that atc put into its own, or "". Raises ConversionError."""
    plain = folder / f"{stem}.om"
    found = plain if plain.is_file() else next(iter(sorted(folder.glob(f"{stem}_*.om"))), None)
    if found is None or found.stat().st_size == 0:
        what = "ended with status 0 but wrote no .om" if found is None else "ended with status 0 but its .om is empty"
        raise tool.failure("atc", what, explain(output), log)
    found.replace(path)
    return found.stem.removeprefix(stem).removeprefix("_")
