"""Images a second of several workers at once, counted over the window in which all of them were at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.records import Throughput, WorkerRate
from reports.statistics import autocorrelation_time, mean_interval

#: Parts of the window whose rates give the interval (batch means), and the fewest that can.
_PARTS = 15
_FEWEST_PARTS = 6
#: Completions of every worker in a part: fewer, and what straddles its edges smooths the rates.
_IN_A_PART = 10
#: A part must be this many autocorrelation times long, or the interval is marked optimistic.
_BATCH_TAUS = 10


@dataclass(frozen=True, slots=True)
class Lane:
    """What one worker did: start and end of every inference in ns of one clock, in order of completion."""

    device: str
    cpus: Sequence[int]
    streams: int
    starts_ns: Sequence[int]
    ends_ns: Sequence[int]
    #: what was seen meanwhile that speaks against the figure, in words
    remarks: Sequence[str] = ()


def images_between(lane: Lane, batch: int, edges_ns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Images that a lane completed between each two neighbouring `edges_ns`, shape (edges - 1,).

    An inference that straddles an edge counts on either side by its share of time there: counting whole ones would
    round every worker's part of the window down.
    """
    starts = np.asarray(lane.starts_ns, dtype=np.float64)
    ends = np.asarray(lane.ends_ns, dtype=np.float64)
    # Share of every inference that is over at each edge, summed: (edges, inferences) is kept small edge by edge.
    done = [np.clip((edge - starts) / np.maximum(ends - starts, 1.0), 0.0, 1.0).sum() for edge in edges_ns]
    return np.diff(np.asarray(done)) * batch


def _tau(lane: Lane) -> float:
    """Autocorrelation time of a lane's latencies, in inferences."""
    return autocorrelation_time(np.subtract(lane.ends_ns, lane.starts_ns))


def _full_from(lane: Lane) -> int:
    """When a lane is at full load, in ns: at once with one request in flight, else after a round of completions."""
    if lane.streams == 1:
        return lane.starts_ns[0]
    return lane.ends_ns[min(lane.streams, len(lane.ends_ns)) - 1]


def summarise_throughput(lanes: Sequence[Lane], batch: int, chips_per_card: int, single_fps: float) -> Throughput:
    """The common rate; `single_fps` is what one chip gave alone, in images a second.

    The window begins when the last worker has filled its pipeline and ends when the first one stopped issuing, so that
    as much is in flight at its begin as at its end. Raises ValueError when there is no such time.
    """
    begin = max(_full_from(lane) for lane in lanes)
    # The last `streams - 1` completions only drain what was in flight.
    end = min(lane.ends_ns[len(lane.ends_ns) - lane.streams] for lane in lanes)
    if end <= begin:
        raise ValueError("the workers were never all at work at once; give more time with --max-time")
    window_s = (end - begin) / 1e9
    fewest = min(len(lane.ends_ns) for lane in lanes)
    parts = max(1, min(_PARTS, fewest // _IN_A_PART))
    edges = np.linspace(begin, end, parts + 1)
    counted = np.stack([images_between(lane, batch, edges) for lane in lanes])
    images = float(counted.sum())
    fps = images / window_s
    rates = mean_interval(counted.sum(axis=0) * parts / window_s) if parts >= _FEWEST_PARTS else None
    chips = len({lane.device for lane in lanes})
    latencies = np.concatenate([np.subtract(lane.ends_ns, lane.starts_ns) for lane in lanes])
    return Throughput(
        chips=chips,
        streams=sum(lane.streams for lane in lanes) // chips,
        window_s=window_s,
        images=images,
        fps=fps,
        fps_low=rates.low if rates else None,
        fps_high=rates.high if rates else None,
        fps_per_card=fps * chips_per_card / chips if chips % chips_per_card == 0 else None,
        efficiency=fps / (single_fps * chips),
        median_latency_ms=float(np.median(latencies)) / 1e6,
        queueing=any(lane.streams > 1 for lane in lanes),
        optimistic=rates is not None and fewest / parts < _BATCH_TAUS * max(map(_tau, lanes)),
        flags=[remark for lane in lanes for remark in lane.remarks],
        workers=[
            WorkerRate(
                device=lane.device,
                cpus=list(lane.cpus),
                fps=float(row.sum()) / window_s,
                starts_ns=[start - begin for start in lane.starts_ns],
                ends_ns=[stop - begin for stop in lane.ends_ns],
            )
            for lane, row in zip(lanes, counted, strict=True)
        ],
    )
