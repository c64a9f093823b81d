"""What a person sees while pairs are measured: how far it is, what the last row looks like, how long it will take."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Literal

from rich.markup import escape

from bench.progress import WorkDisplay
from bench.regression.pairs import SideName

#: With fewer pairs a standard deviation is only noise itself.
_FEWEST = 4


class CheckDisplay(WorkDisplay):
    """An Observer of `bench.regression.pairs` that draws them; `now` is injected for tests."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__("preparing")
        self._now = now
        self._begun: float | None = None
        self._total = self._done = 0
        self._differences: dict[str, list[float]] = {}
        self._last = ""

    def expect(self, pairs: int) -> None:
        """So many more pairs of a row each are coming."""
        self._total += pairs
        self._show(total=self._total)

    def invoking(self, side: SideName | Literal["both"], rows: Sequence[str], pair: int) -> None:
        """A process is about to start, or both of a pair."""
        if self._begun is None:
            self._begun = self._now()
        what = rows[0] if len(rows) == 1 else f"{len(rows)} rows"
        self._show(description=escape(f"pair {pair + 1}: {side}, {what}"), detail=escape(self._last))

    def paired(self, row: str, difference: float) -> None:
        """A pair is complete; the difference is that of the logarithms, new - base."""
        taken = self._differences.setdefault(row, [])
        taken.append(difference)
        self._done += 1
        self._last = "; ".join(filter(None, (summary(row, taken), self.remaining())))
        self._show(completed=self._done, detail=escape(self._last))

    def lost(self, row: str, reason: str, pairs: int) -> None:
        """A row is given up, with so many of the pairs that were expected."""
        self._total -= pairs
        self._show(total=self._total)
        self.note(f"  {row}: not measured: {reason}")

    def remaining(self) -> str:
        """About how long the pairs will take that are known to come; empty at the beginning."""
        if self._begun is None or not self._done or self._done >= self._total:
            return ""
        seconds = (self._now() - self._begun) / self._done * (self._total - self._done)
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"


def summary(row: str, differences: Sequence[float]) -> str:
    """`onnxruntime bs1 fp32: +0.4 %, sd 1.2 %`."""
    words = f"{row}: {math.expm1(statistics.fmean(differences)):+.1%}"
    return f"{words}, sd {statistics.stdev(differences):.1%}" if len(differences) >= _FEWEST else words
