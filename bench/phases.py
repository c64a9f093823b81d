"""What a worker may be doing, as failures name it, and how long it may be silent meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Seconds without a sign of life after which a worker counts as hung. Building and loading may take a compiler's
#: time; a measuring worker speaks after every block of samples, so only a single call can take long there.
DEFAULT_LIMITS_S: Mapping[str, float] = {
    "start": 120,
    "prepare": 3600,
    "build": 3600,
    "load": 900,
    "check": 600,
    "measure": 300,
    "device time": 300,
    "recheck": 600,
    "translate": 600,
    "line up": 1800,
    "diagnose": 60,
}
PHASES = tuple(DEFAULT_LIMITS_S)


@dataclass(frozen=True, slots=True)
class PhaseLimits:
    """Seconds of silence allowed in each phase; a phase that is not named here has the limit of `prepare`."""

    seconds: Mapping[str, float] = field(default_factory=lambda: DEFAULT_LIMITS_S)

    def of(self, phase: str) -> float:
        return self.seconds[self.key_of(phase)]

    def key_of(self, phase: str) -> str:
        """The phase whose limit counts."""
        return phase if phase in self.seconds else "prepare"

    def name_of(self, phase: str) -> str:
        """How the command line writes that phase."""
        return self.key_of(phase).replace(" ", "-")

    def changed(self, seconds: Mapping[str, float]) -> PhaseLimits:
        """These limits with some replaced."""
        return PhaseLimits({**self.seconds, **seconds})
