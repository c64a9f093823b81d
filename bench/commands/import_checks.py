"""What the user says of other tools' logs held against what the logs say themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from backends import cards
from bench.errors import UsageError
from reports.importers import ToolLog
from reports.records import CellRecord

#: Files are called `StarGAN_bs16.om`, as the guide names them.
_NAMED = re.compile(r"(?:^|[_.-])bs(\d{1,6})(?=[_.-]|$)", re.IGNORECASE)
#: Of the settings, what logs of one measurement may differ in: several chips of a card.
_MAY_DIFFER = ("device",)


def named_card(name: str) -> cards.Card:
    """The catalogue's card of that name, or one of a single chip. Raises UsageError for a name of several cards."""
    found = cards.resolve(name)
    if found is not None:
        return found
    several = [
        card.name for card in cards.CATALOGUE.values() if name.casefold() in (other.casefold() for other in card.also)
    ]
    if several:
        raise UsageError(f"--card {name} may be {' or '.join(several)}; name that one.")
    return cards.find(name)


def check_each_once(files: Sequence[Path], logs: Sequence[ToolLog]) -> None:
    """Raises UsageError for a log that is named twice: it would pass for two measurements.

    Equal content is no proof where it is a line or two, so there only the same file counts.
    """
    seen: dict[str, Path] = {}
    for path, log in zip(files, logs, strict=True):
        key = log.sha256 if log.samples_ms else str(path.resolve())
        first = seen.setdefault(key, path)
        if first is not path:
            what = "is named twice" if first == path else f"holds the same as {first}"
            raise UsageError(f"{path} {what}; name every log once.")


def batch_of(path: Path, log: ToolLog, given: int | None) -> int:
    """The batch size as given, which must be the log's own where it tells one. Raises UsageError."""
    shapes = ", ".join(f"{name}:{'x'.join(map(str, dims))}" for name, dims in log.shapes.items())
    if given is None and log.batch is None:
        why = f"tells no single batch size ({shapes})" if shapes else "does not tell its batch size"
        raise UsageError(f"{path} {why}; give it with --bs.")
    firsts = {dims[0] for dims in log.shapes.values() if dims}
    if given is not None and (given != log.batch if log.batch is not None else firsts and given not in firsts):
        what = f"of batch size {log.batch}" if log.batch is not None else "of other shapes"
        raise UsageError(
            f"{path} is {what}{f' ({shapes})' if shapes else ''}, and --bs says {given}; leave --bs out, or name the"
            " right log."
        )
    return given or log.batch or 0


def remarks_on(path: Path, log: ToolLog, card: cards.Card, workload: str, batch: int) -> list[str]:
    """What in the log does not fit what the user says of it, one clause each. Raises UsageError for another card."""
    remarks = []
    if log.device:
        told = cards.resolve(log.device)
        if told is not None and told != card and card.name in cards.CATALOGUE:
            raise UsageError(f"{path} says that it ran on {log.device}, and --card is {card.name}; name its own card.")
        if told is None and log.device != card.name:
            remarks.append(f"the log names its device {log.device}; that it is {card.name} is the word of who imported")
    if card.name not in cards.CATALOGUE:
        remarks.append(f"the catalogue does not know the card {card.name}: it counts as one chip, without limits")
    if log.model and workload.casefold() not in log.model.casefold():
        remarks.append(f"the log's model is {log.model}; that it is {workload} is the word of who imported it")
    named = _NAMED.search(log.model)
    if named and int(named[1]) != batch:
        remarks.append(f"the model is called {log.model}, and the batch size is given as {batch}")
    return remarks


def unlike(cells: Sequence[CellRecord]) -> list[str]:
    """Sentences on logs of one cell that are not of the same version, model or settings, as far as they tell them."""
    groups: dict[str, list[CellRecord]] = {}
    for cell in cells:
        groups.setdefault(cell.id, []).append(cell)
    notes = []
    for group in groups.values():
        told = [_facts(cell) for cell in group]
        names = dict.fromkeys(name for facts in told for name in facts)
        different = [name for name in names if len({facts[name] for facts in told if name in facts}) > 1]
        if different:
            notes.append(
                f"the {len(group)} logs of batch size {group[0].identity.batch} differ in {', '.join(different)}: they"
                " are no repetitions of one measurement."
            )
    return notes


def _facts(cell: CellRecord) -> dict[str, str]:
    """What tells one measurement from another, where the log tells it; a default is as good as the same setting."""
    if cell.origin is None:
        return {}
    facts = {"version": cell.origin.version, "model": cell.origin.model, **cell.origin.settings}
    return {name: value.partition(" (")[0] for name, value in facts.items() if value and name not in _MAY_DIFFER}
