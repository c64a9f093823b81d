"""The words that records choose from, and the version of their schema."""

from __future__ import annotations

from typing import Literal

#: major.minor; readers take older minors of their major, and refuse what is newer: they would not know what it says.
SCHEMA_VERSION = "1.5"

PrecisionName = Literal["fp32", "tf32", "fp16", "bf16", "int8"]
#: unknown: another tool's log does not tell
RecordedPrecision = Literal["fp32", "tf32", "fp16", "bf16", "int8", "unknown"]
ScopeName = Literal["compute", "end-to-end"]
Provenance = Literal["measured", "imported", "published", "simulated"]
Clock = Literal["host", "device-events"]
#: ok: measured and right; wrong: outputs failed the accuracy check, so it has no speed; failed: see `failure`.
Status = Literal["ok", "wrong", "failed"]
#: not told: of another tool's samples
StopReason = Literal["converged", "time limit", "sample limit", "not told"]
#: derived: from the mean latency; stated: as another tool or a publication gives it, without a latency to check it by
FpsBasis = Literal["derived", "stated"]


def variant_label(backend: str, options: dict[str, str]) -> str:
    """A backend with the options that were set: `pytorch`, `pytorch:compile=default`."""
    settings = ",".join(f"{key}={value}" for key, value in sorted(options.items()))
    return f"{backend}:{settings}" if settings else backend
