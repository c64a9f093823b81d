"""Runs as a table for people who want to go on in pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports import flags
from reports.device_time import figures
from reports.groups import mean_ms, median_ms
from reports.machines import machines
from reports.records import CellRecord, Run

if TYPE_CHECKING:
    import pandas as pd


def frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One row an invocation of a cell with its figures; latency in ms, times in s."""
    import pandas as pd

    rows = []
    for machine, head, cell in ((m, run.run, cell) for m in machines(runs) for run in m.runs for cell in run.cells):
        identity, artifact, stated = cell.identity, cell.artifact, cell.stated
        latency = cell.latency if cell.status == "ok" else None
        together, telemetry = cell.throughput, cell.telemetry
        device = figures(cell.device_times) if latency and cell.device_times else None
        rows.append(
            {
                "run": head.id, "started": head.started, "machine": machine.letter,
                "host": head.host.name if head.host else None,
                "workload": identity.workload, "invocation": cell.invocation,
                "backend": identity.label(), "card": identity.card, "device": identity.device,
                "precision": identity.precision, "asked_precision": cell.asked_precision, "scope": identity.scope,
                "batch": identity.batch, "model_sha256": identity.model_sha256,
                "inputs_sha256": identity.inputs_sha256,
                "status": cell.status, "provenance": cell.provenance, "clock": cell.clock,
                "source": _source(cell),
                "chips": cell.chips, "fps_per_card": cell.fps_per_card, "fps_basis": cell.fps_basis,
                "samples": latency.count if latency else stated.count if stated else 0,
                "median_ms": median_ms(cell) if cell.status == "ok" else None,
                "median_low_ms": latency.median_low_ms if latency else None,
                "median_high_ms": latency.median_high_ms if latency else None,
                "mean_ms": mean_ms(cell) if cell.status == "ok" else None,
                "best_ms": latency.best_ms if latency else None,
                "p90_ms": latency.p90_ms if latency else None,
                "p95_ms": latency.p95_ms if latency else None,
                "p99_ms": latency.p99_ms if latency else None,
                "p99_upper99_ms": latency.p99_upper99_ms if latency else None,
                "mean_low_ms": latency.mean_low_ms if latency else None,
                "mean_high_ms": latency.mean_high_ms if latency else None,
                "effective_samples": latency.effective_count if latency else None,
                "left_out": latency.cut if latency else None,
                "device_median_ms": device.median_ms if device else None,
                "fps_low": cell.fps_low, "fps_high": cell.fps_high,
                "flags": ", ".join(flags.short(cell)),
                "measured_fps": together.fps if together else None,
                "measured_fps_per_card": together.fps_per_card if together else None,
                "chips_at_once": together.chips if together else None,
                "streams": together.streams if together else None,
                "efficiency": together.efficiency if together else None,
                "peak_memory_bytes": telemetry.peak_memory_bytes if telemetry else None,
                "energy_per_image_j": telemetry.energy_per_image_j if telemetry else None,
                "max_abs": max((o.max_abs for o in cell.accuracy if o.max_abs is not None), default=None),
                "ssim": min((o.ssim for o in cell.accuracy if o.ssim is not None), default=None),
                "changed_pixels": max(
                    (o.changed_pixels for o in cell.accuracy if o.changed_pixels is not None), default=None
                ),
                "build_s": artifact.build_s if artifact else None,
                "load_s": artifact.load_s if artifact else None,
                "first_call_s": artifact.first_call_s if artifact else None,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _source(cell: CellRecord) -> str | None:
    """The log or publication of a figure from elsewhere, with the version of what it ran."""
    origin = cell.origin
    if origin is None:
        return None
    return ", ".join(part for part in (origin.tool, origin.version, origin.source) if part)
