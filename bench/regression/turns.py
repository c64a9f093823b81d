"""Both processes of a pair alive at once, taking turns of a few milliseconds on the device.

Whatever else the machine does, it does to neighbouring turns alike: on a shared host their differences are steadier
by an order of magnitude than those of processes that run one after another.
"""

from __future__ import annotations

import contextlib
import math
import select
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bench.messages import Event, Progress, Ready
from bench.process import Worker
from bench.regression.environments import EnvironmentSide, Started
from bench.regression.pairs import Duo, SideName
from reports.records import CellRecord

#: Short against what a host does to a process, long against what a change of turns costs.
TURN_S = 0.02
#: The longest sleep between two looks at whether a silent worker still lives.
_LOOK_S = 1.0


class PairRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A line of pairs.jsonl: one pair's turns, each the median of one call in ms, null where a turn gave none."""

    row: str
    first: SideName
    #: of the cells in base.jsonl and new.jsonl
    base_invocation: int
    new_invocation: int
    base_ms: list[float | None]
    new_ms: list[float | None]
    #: median over turns of the logarithm of new over base
    difference: float


class TurnTaking:
    """Measures pairs with both processes alive; what `bench.regression.pairs.Interleaved` takes as its `duo`.

    Every pair is appended to `path`.
    """

    def __init__(self, sides: Mapping[SideName, EnvironmentSide], path: Path) -> None:
        self._sides, self._path = sides, path

    def __call__(self, row: str, order: Sequence[SideName]) -> Duo:
        """One pair; the first in `order` is started first and has the first turn. KeyboardInterrupt passes through."""
        seats: list[_Seat] = []
        with contextlib.ExitStack() as stack:
            for name in order:
                seat = _Seat(self._sides[name].start(row, TURN_S), stack)
                seats.append(seat)
                seat.until_turn()
                if seat.worker.ended and not seat.worker.succeeded:
                    break
            _alternate(seats)
        found: dict[SideName, CellRecord] = {}
        interrupted = False
        for name, seat in zip(order, seats, strict=False):
            outcome = seat.worker.outcome()
            interrupted = interrupted or outcome.interrupted
            if seat.worker.abandoned:
                continue
            found[name] = self._sides[name].keep(seat.started, outcome, alone=False)
        if interrupted:
            raise KeyboardInterrupt
        return Duo(found, self._difference(row, order, dict(zip(order, seats, strict=False)), found))

    def _difference(
        self, row: str, order: Sequence[SideName], seats: Mapping[SideName, _Seat], found: Mapping[SideName, CellRecord]
    ) -> float | None:
        """The median difference of neighbouring turns, as a logarithm; None where a side has no turns."""
        if any(name not in found or found[name].samples is None for name in ("base", "new")):
            return None
        base, new = (seats[name].medians_ms(found[name]) for name in ("base", "new"))
        differences = [math.log(mine / theirs) for theirs, mine in zip(base, new, strict=False) if theirs and mine]
        if not differences:
            return None
        record = PairRecord(
            row=row, first=order[0], base_invocation=found["base"].invocation, new_invocation=found["new"].invocation,
            base_ms=base, new_ms=new, difference=statistics.median(differences),
        )  # fmt: skip
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")
        return record.difference


class _Seat:
    """One process at the table, and the number of samples that it had at the beginning of each of its turns."""

    def __init__(self, started: Started, stack: contextlib.ExitStack) -> None:
        self.started = started
        self.worker: Worker = stack.enter_context(started.worker)
        self.turns: list[int] = []

    def until_turn(self) -> None:
        """Listen, asleep in between, until it waits for its turn, and stop it there; or until it has ended."""
        while not self.worker.ended:
            sleep = max(0.0, min(_LOOK_S, self.worker.deadline - time.monotonic()))
            if select.select([self.worker], [], [], sleep)[0]:
                heard = [self._hear(event) for event in self.worker.read()]
                if any(heard):
                    self.worker.pause()
                    return
            self.worker.look()

    def _hear(self, event: Event) -> bool:
        """Whether it waits for its turn."""
        if isinstance(event, Progress) and event.phase == "turn":
            self.turns.append(event.samples)
        return isinstance(event, Ready)

    def medians_ms(self, record: CellRecord) -> list[float | None]:
        """The median of one call in each turn; null for a turn whose samples were thrown away."""
        assert record.samples is not None
        taken, to_ms = record.samples.samples_ns, 1 / (record.samples.group * 1e6)
        ends = [*self.turns[1:], len(taken)]
        return [
            statistics.median(taken[begin:end]) * to_ms if end > begin else None
            for begin, end in zip(self.turns, ends, strict=True)
        ]


def _alternate(seats: Sequence[_Seat]) -> None:
    """Give turns until everyone has ended; first and second change places every time, as from pair to pair.

    When one is lost or has failed the others are stopped: what they measure would not be what was asked for.
    """
    turn = 0
    while left := [seat for seat in seats if not seat.worker.ended]:
        if any(seat.worker.ended and not seat.worker.succeeded for seat in seats):
            for seat in left:
                seat.worker.abandon()
            return
        for seat in left if turn % 2 == 0 else reversed(left):
            seat.worker.take_turn()
            seat.until_turn()
        turn += 1
