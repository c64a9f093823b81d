"""Reading what `npu-smi info` prints: a table of chips, and below it, in most versions, one of processes.

Two lines a chip, cells separated by "|", whose widths and columns differ by version and product. The layouts of
20.2.2, 21.0, 22.0, 23.0, 24.1, 25.x and the one with a column of its own for the NPU ID (Ascend 950) are known from
transcripts that users published and from the tool's own source (print_total_info, Ascend driver repository, 2026):

- 310, 310P, 310B:  | NPU Name | Health | Power(W) Temp(C) [Hugepages-Usage(page)] |
                    | Chip Device | Bus-Id | AICore(%) Memory-Usage(MB) |
- 910, 910B:        second line | Chip | Bus-Id | AICore(%) Memory-Usage(MB) HBM-Usage(MB) |
- 910_93 (A3):      the same with | Chip Phy-ID |; the second die of a card has "-" for power
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backends.telemetry.base import TelemetryUnavailable

_VERSION = re.compile(r"npu-smi\s+(\S+)\s+Version:\s*([^\s|]+)")
#: AICore share, then "used / total" once or twice; in wide values the slash touches the number.
_USAGE = re.compile(r"(\S+)\s+([^\s/]+)\s*/\s*([^\s/]+)(?:\s+([^\s/]+)\s*/\s*([^\s/]+))?")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
#: 310, 310P3, 310B4, 910B2: names that become exact with "Ascend" before them; Ascend910 is a family's.
_EXACT_NAME = re.compile(r"\d+[A-Z]*\d*", re.ASCII)
_MIB = 2**20


class NotUnderstood(TelemetryUnavailable):
    """The text is no table of `npu-smi info` that this version can read."""


@dataclass(frozen=True, slots=True)
class NpuChip:
    """One chip as listed; None or "" where the tool prints NA, "-", or what cannot be.

    `npu` is the number of the card's slot, often large, the same for all chips of a card; `device` is what
    aclrtSetDevice takes in a process that sees all of them: the Device column, or in layouts without it the position
    in the list. `power_w` of an Ascend 310 is the rated 12.8 W, never a measured one.
    """

    npu: int
    chip: int
    device: int
    name: str
    health: str
    power_w: float | None
    temperature_c: float | None
    utilization: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    bus_id: str

    @property
    def soc_version(self) -> str:
        """The exact name that atc and pyACL have for it, as Ascend310P3; "" where the tool names a family only."""
        return f"Ascend{self.name}" if _EXACT_NAME.fullmatch(self.name) else ""


@dataclass(frozen=True, slots=True)
class NpuProcess:
    """A process on a chip, numbered as the machine numbers processes."""

    npu: int
    chip: int
    pid: int


@dataclass(frozen=True, slots=True)
class NpuTable:
    """Versions of tool and driver, the chips in order, and the processes on them; None where they are not listed."""

    version: str
    driver: str
    chips: tuple[NpuChip, ...]
    processes: tuple[NpuProcess, ...] | None

    def chip(self, device: int) -> NpuChip | None:
        """The chip with that device number."""
        return next((chip for chip in self.chips if chip.device == device), None)


def parse_info(text: str) -> NpuTable:
    """Read the output of `npu-smi info`. Raises NotUnderstood."""
    version = _VERSION.search(text)
    if version is None:
        raise _not_understood(f"it begins with {_first_line(text)!r}")
    lines: list[list[str]] = []
    running: list[list[str]] | None = None
    numbered: bool | None = None
    for cells in _rows(text):
        if "Process id" in cells:
            running = []
        elif running is not None:
            running.append(cells)
        elif "Bus-Id" in cells:
            numbered = "Device" in cells[0].split()
        elif "Health" not in cells and not _VERSION.search(cells[0]):
            lines.append(cells)
    if numbered is None or len(lines) % 2:
        raise _not_understood("it has no header" if numbered is None else f"it has {len(lines)} lines of chips")
    pairs = enumerate(zip(lines[::2], lines[1::2], strict=True))
    chips = tuple(_chip(first, second, index, numbered) for index, (first, second) in pairs)
    if len({chip.device for chip in chips}) < len(chips):
        raise _not_understood("it lists a device number twice")
    return NpuTable(version[1], version[2], chips, None if running is None else _processes(running))


def _rows(text: str) -> list[list[str]]:
    lines = [line.strip() for line in text.splitlines()]
    return [
        [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")] for line in lines if "|" in line
    ]


def _chip(first: list[str], second: list[str], index: int, numbered: bool) -> NpuChip:
    try:
        identity, health, sensors = _three_cells(first)
        numbers, bus_id, usages = _three_cells(second)
        npu, name = identity.split(maxsplit=1)
        power, temperature = sensors.split()[:2]
        own = [int(number) for number in numbers.split()]
        usage = _USAGE.fullmatch(usages)
        if usage is None or not health[:1].isalpha() or (numbered and len(own) < 2):
            raise ValueError("cells are not where they belong")
        used, total = _memory(usage[4], usage[5]) if usage[5] else (None, None)
        if total is None:  # a chip without HBM, or of a product that shows 0 / 0 there
            used, total = _memory(usage[2], usage[3])
        share = _number(usage[1], 0, 100)
        return NpuChip(
            npu=int(npu),
            chip=own[0] if own else 0,
            device=own[1] if numbered else index,
            name=name,
            health=health,
            power_w=_number(power, 0.05, 5000),  # 0.0 stands for a chip that does not measure it
            temperature_c=_number(temperature, -100, 200),
            utilization=None if share is None else share / 100,
            memory_used_bytes=used,
            memory_total_bytes=total,
            bus_id="" if bus_id in ("NA", "-") else bus_id,
        )
    except ValueError as error:
        raise _not_understood(f"chip {index + 1} reads {' | '.join(first)!r}, {' | '.join(second)!r}") from error


def _three_cells(cells: list[str]) -> list[str]:
    """Identity, health or bus, and values; newest tools give the NPU ID and the name a cell each."""
    return cells if len(cells) == 3 else [" ".join(cells[:2]).strip(), *cells[2:]]


def _memory(used: str, total: str) -> tuple[int | None, int | None]:
    """Bytes of "used / total", which are given in MB of 2^20; both None where the total is nothing."""
    taken, capacity = _number(used, 0, 2**30), _number(total, 1, 2**30)
    if capacity is None:
        return None, None
    return None if taken is None else int(taken) * _MIB, int(capacity) * _MIB


def _number(text: str, low: float, high: float) -> float | None:
    """A plain number within bounds; None for NA, "-", and the defaults that stand for a failed query (-1, -200)."""
    value = float(text) if _NUMBER.fullmatch(text) else None
    return value if value is not None and low <= value <= high else None


def _processes(rows: list[list[str]]) -> tuple[NpuProcess, ...] | None:
    found = []
    for cells in rows:
        if cells[0].startswith("No running processes"):
            continue
        try:
            npu, *chip = (int(number) for number in cells[0].split())
            found.append(NpuProcess(npu, chip[0] if chip else 0, int(cells[1])))
        except (ValueError, IndexError):  # sensors are worth having without the list of processes
            return None
    return tuple(found)


def _first_line(text: str) -> str:
    return next((line.strip()[:120] for line in text.splitlines() if line.strip()), "")


def _not_understood(detail: str) -> NotUnderstood:
    return NotUnderstood(
        f"the output of npu-smi info was not understood: {detail}; please report it with the whole output"
    )
