"""From what the user asked for to what can run here: backends, options, devices, and reasons for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends import cards, registry
from backends.base import Availability, Backend, BackendUnavailable, Capabilities, Device, DeviceInfo, Precision, Scope
from bench.errors import UsageError
from bench.placement import lanes_for
from bench.plan import Variant
from reports.records import Skipped


@dataclass(frozen=True, slots=True)
class BackendRequest:
    """`NAME` or `NAME:KEY=VALUE,KEY=VALUE` as the user wrote it."""

    name: str
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> BackendRequest:
        """Raises UsageError for an unknown name, an unknown option or a bad value, with the near match."""
        name, _, settings = text.partition(":")
        options: dict[str, str] = {}
        for setting in filter(None, settings.split(",")):
            key, equals, value = setting.partition("=")
            if not equals:
                raise UsageError(f"--backend {text}: {setting!r} is no KEY=VALUE; write {name}:KEY=VALUE,KEY=VALUE.")
            options[key.strip()] = value.strip()
        try:
            canonical = registry.canonical_name(name)
        except registry.UnknownBackend as error:
            raise UsageError(f"--backend: {error}") from None
        return cls(canonical, options)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure, on what, and how much of it at once (`chips` None: no throughput on several chips).

    Without `precisions` every backend has its own default.
    """

    device: Device | None
    precisions: Sequence[Precision]
    scopes: Sequence[Scope]
    chips: int | None = None
    streams: int = 1


@dataclass(frozen=True, slots=True)
class Selection:
    """What can be measured here and what cannot, and what the backends that can warn of."""

    variants: list[Variant]
    skipped: list[Skipped]
    notes: list[str]


def select(requests: Sequence[BackendRequest], what: Wanted) -> Selection:
    """Probe the requested backends, or all of them when none is named (then unusable ones are left out silently).

    Raises UsageError for an unknown option or a bad value.
    """
    explicit = bool(requests) or what.device is not None
    wanted = list(requests) or [BackendRequest(name, {}) for name in registry.names()]
    variants: list[Variant] = []
    skipped: list[Skipped] = []
    notes: dict[str, None] = {}
    for request in wanted:
        try:
            backend = registry.load(request.name)
            _check_options(backend, request)
            variant, missing, warnings = _variant(backend, request, what)
        except BackendUnavailable as error:
            if explicit:
                skipped.append(Skipped(backend=request.name, reason=str(error)))
            continue
        if variant in variants:
            raise UsageError(f"--backend {request.name} is given twice with the same options; name it once.")
        variants.append(variant)
        skipped += missing
        notes |= dict.fromkeys(f"{request.name}: {text}" for text in warnings)
    return Selection(variants, skipped, list(notes))


def takes_compiled(backend: str) -> bool:
    """Whether a backend of that name looks at compiled files; of one that is not there that is not known."""
    try:
        return registry.load(backend).takes_compiled
    except BackendUnavailable:
        return True


def check_compiled(compiled: str | None, backends: Sequence[str]) -> None:
    """Raise UsageError for compiled files that none of these would look at."""
    if compiled is None or not backends or any(takes_compiled(name) for name in backends):
        return
    raise UsageError(
        f"{compiled} was compiled for one vendor's runtime, and {', '.join(dict.fromkeys(backends))} would not use it;"
        " add the backend that does, such as --backend acl, or leave it out."
    )


def _check_options(backend: Backend, request: BackendRequest) -> None:
    try:
        registry.parse_options(backend, request.options)
    except ValueError as error:
        raise UsageError(f"--backend: {error}") from None


def _variant(backend: Backend, request: BackendRequest, what: Wanted) -> tuple[Variant, list[Skipped], tuple[str, ...]]:
    """What the backend can take part in, the precisions that it cannot, and what it warns of.

    Raises BackendUnavailable if there is nothing that it can take part in.
    """
    availability = registry.probe(backend)
    if not availability.usable:
        raise BackendUnavailable(availability.reason)
    found = _pick_device(availability, what.device)
    capabilities = backend.capabilities(found.device)
    asked = tuple(what.precisions) or (capabilities.default_precision,)
    usable = tuple(precision for precision in asked if precision in capabilities.precisions)
    if not usable:
        raise BackendUnavailable(_not_offered(found, capabilities, asked[0]))
    for scope in what.scopes:
        if scope not in capabilities.scopes:
            offered = ", ".join(sorted(capabilities.scopes))
            raise BackendUnavailable(f"on {found.device} it can time {offered}, not {scope}; change --scope.")
    card = cards.find(found.card)
    lanes = lanes_for(found, availability.devices, capabilities, card, what.chips, what.streams)
    missing = [
        Skipped(backend=f"{request.name} {precision}", reason=_not_offered(found, capabilities, precision))
        for precision in asked
        if precision not in usable
    ]
    variant = Variant(
        backend=request.name,
        options=request.options,
        device=str(found.device),
        address=found.address,
        card=card.name,
        chips=card.chips,
        lanes=lanes,
        simulated=backend.simulated,
        precisions=usable,
    )
    return variant, missing, availability.warnings


def _not_offered(found: DeviceInfo, capabilities: Capabilities, precision: Precision) -> str:
    offered = ", ".join(sorted(capabilities.precisions)) or "none"
    return f"on {found.device} it offers {offered}, not {precision}; change --precision."


def _pick_device(availability: Availability, wanted: Device | None) -> DeviceInfo:
    devices = availability.devices
    if wanted is None:
        return devices[0]
    for info in devices:
        if info.device == wanted:
            return info
    here = ", ".join(str(info.device) for info in devices)
    why = "".join(f" ({text.rstrip('.')})" for text in availability.warnings)
    raise BackendUnavailable(f"it finds no device {wanted} here, but {here}{why}; change --device.")
