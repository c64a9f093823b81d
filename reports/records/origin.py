"""Where figures come from that this harness did not measure, and what that source states."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Another tool's log, or a publication. What it does not tell is empty, never guessed."""

    #: `msame`, `ais_bench`, `trtexec`, or a publication's short name
    tool: str
    #: as the source writes it
    version: str = ""
    #: file name of the log, or address of the publication
    source: str = ""
    sha256: str = ""
    command: str = ""
    #: the model file's name
    model: str = ""
    #: input name -> shape
    shapes: dict[str, list[int]] = {}
    #: what bears on the figures: streams, CUDA graph, data transfers, precision flags
    settings: dict[str, str] = {}
    #: what a reader must know before believing the figures, one clause each
    remarks: list[str] = []


class Stated(msgspec.Struct, frozen=True, kw_only=True):
    """Figures as their source states them; null where it does not. Latencies in milliseconds of one batch."""

    count: int | None = None
    mean_ms: float | None = None
    median_ms: float | None = None
    min_ms: float | None = None
    max_ms: float | None = None
    #: "99" -> milliseconds, by the source's own definition
    percentiles_ms: dict[str, float] = {}
    #: msame's second average, which leaves the first, cold inference out
    mean_without_first_ms: float | None = None
    #: images a second, as the source counts them
    fps: float | None = None
    fps_per_card: float | None = None
