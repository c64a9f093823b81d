"""Which CANN lies on this machine, by the files in its folders, and which ONNX opsets that version reads.

CANN has no command that prints its version. Its own version and those of its components differ (8.0.0 has components
"7.6.0.1.220"), so only the fields that name the former are read. Forms: version.cfg, ascend_toolkit_install.info and
version.info as users published them (5.0 to 9.2). Opsets: the operator lists of the vendor's atc guides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

#: 5.0.2, 5.0.4.alpha001, 8.0.RC2, 9.2.0-beta.2
_VERSION = re.compile(r"\d{1,2}\.\d+(?:[.-][A-Za-z0-9]+)*")
_FIELD = re.compile(r"^([A-Za-z_]+)=(.*?)\s*$", re.MULTILINE)
#: [1.82.22.2.220:5.0.4]: the component's version, then CANN's.
_PAIR = re.compile(r"\[(?:[^:\]]*:)?([^\]]*)\].*")
_HOMES = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH")
#: From <toolkit>/compiler/bin/atc or <toolkit>/<arch>-linux/bin/atc up to the toolkit's own folder.
_LEVELS = 4
#: What is read in all versions that are in use, and what the Ascend 310's models are published with.
SAFE_OPSET = 11


def folders(tool: Path) -> list[Path]:
    """Folders that may hold the version of a tool of CANN: those above it, as it was found and behind its links."""
    found = [*list(tool.parents)[:_LEVELS], *list(tool.resolve().parents)[:_LEVELS]]
    return list(dict.fromkeys(found))


def notes(places: list[Path]) -> Iterator[Path]:
    """The files in those folders that speak of versions, those that tell CANN's own first."""
    patterns = ("version.cfg", "ascend_toolkit_install.info", "*-linux/ascend_toolkit_install.info", "version.info")
    for pattern in patterns:
        for place in places:
            yield from (path for path in sorted(place.glob(pattern)) if path.is_file())


def version_of(tool: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Version of the CANN that a tool belongs to; "" if nothing tells it. Never raises."""
    return _version_in(folders(tool)) or version_here(environment)


def version_here(environment: Mapping[str, str] = os.environ) -> str:
    """Version of the CANN whose set_env.sh was sourced; "" if none was or nothing tells it. Never raises."""
    homes = [Path(home) for name in _HOMES if (home := environment.get(name))]
    return next((found for home in homes if (found := _version_in([home, home / "compiler"]))), "")


def opsets(version: str) -> tuple[int, int] | None:
    """First and last ONNX opset that this version of CANN reads; None where no list of the vendor's is known."""
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None:
        return None
    major, minor = int(match[1]), int(match[2])
    if major == 5 or (major, minor) == (6, 0):
        return 9, 13
    if major in (7, 8):
        return 9, 18  # 7.0 in one list; 8.x by operator, none beyond 18
    return None


def refused_opset(version: str, opset: int) -> str:
    """Why this version of CANN will not read a model of that opset, and what to do; "" if it may."""
    known = opsets(version)
    if known is None or known[0] <= opset <= known[1]:
        return ""
    remedy = ", or convert with a newer CANN" if opset > known[1] else ""
    return (
        f"opset {opset} is not read by CANN {version}, which reads opsets {known[0]} to {known[1]}; export with"
        f" --opset {SAFE_OPSET}{remedy}."
    )


def takes_several_domains(version: str) -> bool:
    """Whether atc of that version may take a model that imports opsets of several domains: from CANN 9 on."""
    match = re.match(r"(\d+)\.", version)
    return match is not None and int(match[1]) >= 9


def _version_in(places: list[Path]) -> str:
    try:
        for note in notes(places):
            if found := _version_from(note.name, note.read_text(encoding="utf-8", errors="replace")):
                return found
        names = (place.resolve().name.removeprefix("cann-") for place in places)  # ascend-toolkit/8.0.RC2, cann-8.5.0
        return next((name for name in names if _VERSION.fullmatch(name)), "")
    except OSError:
        return ""  # a version is worth having, and nothing more


def _version_from(name: str, text: str) -> str:
    """CANN's version in a file of that name; "" if it does not tell it."""
    fields = dict(reversed(_FIELD.findall(text)))  # of several lines alike the first
    if name == "version.cfg":
        parts = ("toolkit_running", "toolkit_installed", "compiler_running", "runtime_running")
        pairs = [_PAIR.fullmatch(fields.get(f"{part}_version", "")) for part in parts]
        values = [pair[1] for pair in pairs if pair]
    elif name == "version.info":
        folder = fields.get("version_dir", "")
        # where the folder is the word cann (9.x), Version is CANN's own; elsewhere it is the component's
        values = [fields.get("Version", "") if folder == "cann" else folder]
    else:
        values = [fields.get("version", "")]
    return next((value for value in values if _VERSION.fullmatch(value)), "")
