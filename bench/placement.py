"""Where work goes: which chips and cores take part in a throughput measurement, and what must be locked for a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backends.base import BackendUnavailable, Capabilities, DeviceInfo
from backends.cards import Card
from backends.host import core_groups, usable_cpus
from bench.plan import Lane, Variant

#: The value of `--chips` that stands for as many as the card has.
ALL_CHIPS = 0


def lanes_for(
    found: DeviceInfo,
    devices: Sequence[DeviceInfo],
    capabilities: Capabilities,
    card: Card,
    chips: int | None,
    streams: int,
) -> tuple[Lane, ...]:
    """The workers of a throughput measurement on `found` and its neighbours; none when it was not asked for.

    On the CPU a stream is a worker on cores of its own; elsewhere it is one more request in flight in its chip's
    worker. Raises BackendUnavailable for more chips or streams than there are.
    """
    if chips is None and streams == 1:
        return ()
    if found.device.kind == "cpu":
        if chips not in (None, ALL_CHIPS, 1):
            raise BackendUnavailable(f"the host CPU counts as one chip, not {chips}; use --streams instead of --chips.")
        try:
            groups = core_groups(streams)
        except ValueError as error:
            raise BackendUnavailable(f"--streams {streams}: {error}; ask for fewer.") from None
        return tuple(Lane(device=str(found.device), address="", cpus=sorted(group), streams=1) for group in groups)
    if streams > 1 and not capabilities.streams:
        raise BackendUnavailable(
            f"on {found.device} it runs one inference at a time and declares no streams; leave --streams out."
        )
    wanted = card.chips if chips == ALL_CHIPS else chips or 1
    alike = [info for info in devices if info.device.kind == found.device.kind and info.card == found.card]
    if wanted <= card.chips:  # half of one card and half of another are no card
        alike = [info for info in alike if info.board == found.board]
    chosen = [info for info in alike if info.device.index >= found.device.index][:wanted]
    if len(chosen) < wanted:
        first = min((info.device for info in alike), key=lambda device: device.index)
        earlier = f", or name the first of this card: --device {first}" if first.index < found.device.index else ""
        raise BackendUnavailable(
            f"{wanted} chips of {card.name} are wanted from {found.device} on, {len(chosen)} were found; ask for fewer"
            f" with --chips{earlier}."
        )
    return tuple(Lane(device=str(info.device), address=info.address, cpus=[], streams=streams) for info in chosen)


def lock_names(variants: Iterable[Variant]) -> list[str]:
    """The locks that a run of these variants needs: one a device, and for the CPU one a logical CPU.

    Two runs on disjoint cores do not exclude each other.
    """
    names: set[str] = set()
    for variant in variants:
        if variant.device == "cpu":
            names.update(cpu_locks())
        else:
            names.add(variant.address or variant.device)
            names.update(lane.address or lane.device for lane in variant.lanes)
    return sorted(names)


def cpu_locks() -> list[str]:
    """Locks of all logical CPUs that this process may use."""
    return [f"cpu-{cpu}" for cpu in sorted(usable_cpus())]
