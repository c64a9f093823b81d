"""Names -> Backend: the built-in ones and those that other packages register under `bench.backends`."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from backends.base import Availability, Backend, BackendUnavailable, OptionSpec, OptionValue

ENTRY_POINT_GROUP = "bench.backends"

BUILT_IN: dict[str, str] = {
    "pytorch": "backends.pytorch:PyTorchBackend",
    "onnxruntime": "backends.onnxruntime:OnnxRuntimeBackend",
    "openvino": "backends.openvino:OpenVinoBackend",
    "tensorrt": "backends.tensorrt:TensorRTBackend",
    "tensorrt-rtx": "backends.tensorrt:TensorRTRTXBackend",
    "acl": "backends.acl:AclBackend",
}
ALIASES: dict[str, str] = {"torch": "pytorch", "ort": "onnxruntime", "ov": "openvino", "trt": "tensorrt"}


class UnknownBackend(ValueError):  # noqa: N818 - a state, like its neighbours in backends.base
    """No backend of that name; the message has the near match and the list."""


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A third party's backend that could not be loaded, with the reason in one line."""

    name: str
    reason: str


@lru_cache(maxsize=1)
def _plugins() -> Mapping[str, EntryPoint]:
    """Third-party entry points by name; a built-in name cannot be taken over."""
    found = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    return {name: point for name, point in found.items() if name not in BUILT_IN}


def names() -> list[str]:
    """Every name that can be asked for, built-in ones first."""
    return [*BUILT_IN, *sorted(_plugins())]


def canonical_name(name: str) -> str:
    """Resolve an alias. Raises UnknownBackend with the near match."""
    resolved = ALIASES.get(name, name)
    known = names()
    if resolved not in known:
        near = difflib.get_close_matches(name, [*known, *ALIASES], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownBackend(f"backend {name!r} is not known; {hint}known: {', '.join(known)}.")
    return resolved


def load(name: str) -> Backend:
    """The backend of that name or alias.

    Raises UnknownBackend, or BackendUnavailable when a third party's plug-in does not load.
    """
    resolved = canonical_name(name)
    if resolved in BUILT_IN:
        module, _, attribute = BUILT_IN[resolved].partition(":")
        built_in: type[Backend] = getattr(importlib.import_module(module), attribute)
        return built_in()
    point = _plugins()[resolved]
    origin = f"{point.value} of package {point.dist.name}" if point.dist else point.value
    try:
        backend = point.load()()
    except (Exception, SystemExit) as error:  # a plug-in may fail in any way, and must only cost itself
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise BackendUnavailable(
            f"backend {resolved!r}: its plug-in {origin} does not load ({reason}); repair or uninstall that package."
        ) from error
    if not isinstance(backend, Backend):
        raise BackendUnavailable(
            f"backend {resolved!r}: its plug-in {origin} is no backends.base.Backend; derive it from that class."
        )
    return backend


def load_all() -> list[Backend | BrokenPlugin]:
    """Every backend, with a BrokenPlugin in place of each that does not load."""
    loaded: list[Backend | BrokenPlugin] = []
    for name in names():
        try:
            loaded.append(load(name))
        except BackendUnavailable as error:
            loaded.append(BrokenPlugin(name, str(error)))
    return loaded


def probe(backend: Backend) -> Availability:
    """The backend's own probe, with whatever goes wrong in it turned into an unusable Availability."""
    try:
        found = backend.probe()
    except (Exception, SystemExit) as error:  # a third party's probe may raise, though it should not
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Availability(False, f"its probe failed ({reason}); report this to the backend's author.")
    if found.usable and not found.devices:
        return Availability(False, "its probe found no device; see its documentation.", found.versions)
    return found


def parse_options(backend: Backend, given: Mapping[str, str]) -> dict[str, OptionValue]:
    """Complete and typed options of a backend. Raises ValueError naming the unknown key or the bad value."""
    specs: dict[str, OptionSpec] = {spec.key: spec for spec in backend.options}
    values: dict[str, OptionValue] = {key: spec.default for key, spec in specs.items()}
    for key, text in given.items():
        if key not in specs:
            near = difflib.get_close_matches(key, specs, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            known = ", ".join(specs) or "none"
            raise ValueError(f"backend {backend.name!r} has no option {key!r}; {hint}its options: {known}.")
        try:
            values[key] = specs[key].parse(text)
        except ValueError as error:
            raise ValueError(f"backend {backend.name!r}: option {error}.") from None
    return values
