"""Two folders of pictures compared: what is known of them, every image's metrics, and these as tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.accuracy import THRESHOLDS, Differences, ImageAccuracy, PictureAccuracy
from reports.files import atomic_path
from reports.records import OutputAccuracy, PrecisionName, Provenance

_HEADER = ("image", "pair", "batch", "row", "target", "attribute", "passed", "nonfinite", "max_abs", "mean_abs",
           "cosine", "psnr_db", "ssim", "changed_pixels", "reason")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ComparedFolder:
    """One side: its path and what made it; empty and None where that is not known."""

    path: str
    maker: str
    precision: PrecisionName | None
    provenance: Provenance | None
    session: str = ""


@dataclass(frozen=True, slots=True)
class Numbering:
    """Which image a number is: pair 5·b + t holds batch b with target attribute t, `batch` images in each.

    Image n is row n mod batch of pair n // batch.
    """

    batch: int
    attributes: Sequence[str]
    targets: int

    def place(self, number: int) -> str:
        pair, row = divmod(number, self.batch)
        return f"pair {pair} image {row}"

    def name(self, number: int) -> str:
        """The place with the target attribute."""
        return self.place(number) + (f" ({self.attribute(number)})" if self.attributes else "")

    def target(self, number: int) -> int:
        return number // self.batch % self.targets

    def attribute(self, number: int) -> str:
        target = self.target(number)
        return self.attributes[target] if target < len(self.attributes) else ""


@dataclass(frozen=True, slots=True)
class FolderComparison:
    """Candidate against reference, held against the thresholds of `precision`."""

    reference: ComparedFolder
    candidate: ComparedFolder
    precision: PrecisionName
    numbering: Numbering
    accuracy: PictureAccuracy
    #: images in the folders that were copies to fill up the last batch, and are left out
    padding: int
    #: what a reader should know, a sentence each
    notes: tuple[str, ...]
    started: str
    command: str = ""

    @property
    def simulated(self) -> bool:
        return "simulated" in (self.reference.provenance, self.candidate.provenance)

    def verdict(self) -> OutputAccuracy:
        return self.accuracy.verdict(self.precision, name=self.numbering.name)

    def worst(self, count: int) -> list[ImageAccuracy]:
        return self.accuracy.worst(self.precision, count)

    def sentence(self) -> str:
        """The verdict in one sentence, with the worst images by name."""
        verdict = self.verdict()
        if verdict.passed:
            images = "the one image is" if verdict.images == 1 else f"all {verdict.images} images are"
            return f"Passed: {images} within the thresholds of {self.precision}."
        return f"Not passed, by the thresholds of {self.precision}: {verdict.reason}."


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric: over all images, of the worst and of the best image in it, and what every image must hold."""

    metric: str
    total: str
    worst: str
    worst_name: str
    best: str
    limit: str


def metric_rows(comparison: FolderComparison) -> list[MetricRow]:
    """The totals with the ends of every metric's range; nothing where no image could be compared."""
    totals = comparison.accuracy.totals()
    if totals is None:
        return []
    verdict, limit = comparison.verdict(), THRESHOLDS[comparison.precision]
    largest = f"<= {limit.max_abs * totals.span:g}"
    rows: list[tuple[str, Callable[[Differences], float], float, Callable[[float], str], bool, str]] = [
        ("max abs", lambda d: d.max_abs, totals.max_abs, "{:.3g}".format, True, largest),
        ("mean abs", lambda d: d.mean_abs, totals.mean_abs, "{:.3g}".format, True, "-"),
        ("cosine", lambda d: d.cosine, totals.cosine, "{:.7f}".format, False, f">= {limit.cosine}"),
        ("PSNR (dB)", lambda d: d.psnr_db, totals.psnr_db, decibels, False, f">= {limit.psnr_db:g}"),
        ("SSIM", lambda d: _or_nan(d.ssim), _or_nan(verdict.ssim_mean), "{:.6f}".format, False, f">= {limit.ssim}"),
        ("changed pixels", lambda d: _or_nan(d.changed_pixels), _or_nan(totals.changed_pixels), "{:.3%}".format, True,
         "-"),
    ]  # fmt: skip
    return [_row(comparison, *row) for row in rows]


def _row(
    comparison: FolderComparison, metric: str, of: Callable[[Differences], float], total: float,
    form: Callable[[float], str], high_is_bad: bool, limit: str,
) -> MetricRow:  # fmt: skip
    found = [(of(image.differences), image.number) for image in comparison.accuracy.images if image.differences]
    # Of equal values the first image is named.
    low = min(found)
    high = max(found, key=lambda pair: (pair[0], -pair[1]))
    worst, best = (high, low) if high_is_bad else (low, high)
    return MetricRow(metric, form(total), form(worst[0]), comparison.numbering.place(worst[1]), form(best[0]), limit)


def decibels(value: float) -> str:
    """A PSNR in words: equal pictures have none."""
    return f"{value:.1f}" if math.isfinite(value) else "equal"


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def write_csv(path: Path, comparison: FolderComparison) -> None:
    """Write a row an image, whole or not at all; metrics are empty where values are no numbers. Raises OSError.

    `psnr_db` of equal pictures is inf.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        writer.writerows(_csv_rows(comparison))


def _csv_rows(comparison: FolderComparison) -> Iterator[list[object]]:
    numbering, threshold = comparison.numbering, THRESHOLDS[comparison.precision]
    for image in comparison.accuracy.images:
        pair, row = divmod(image.number, numbering.batch)
        batch, target = divmod(pair, numbering.targets)
        problems = image.problems(threshold)
        found = image.differences
        metrics: list[object] = [""] * 6
        if found:
            metrics = [found.max_abs, found.mean_abs, found.cosine, found.psnr_db, found.ssim, found.changed_pixels]
        yield [batch * numbering.batch + row, pair, batch, row, target, numbering.attribute(image.number),
               "no" if problems else "yes", image.nonfinite, *metrics, "; ".join(problems)]  # fmt: skip
