"""Why the figures may be believed, or not: statistics of every cell, accuracy, telemetry."""

from __future__ import annotations

from reports.digits import significant
from reports.host import activity_in_words
from reports.markdown.format import NOTHING, number, plain, plus_minus, table_lines
from reports.page import Page
from reports.records import CellRecord, DeviceReading, OutputAccuracy, Telemetry

_GIB = 2**30
_MIB = 2**20
_IDLE = "before/after only"
#: Beyond so many cells nobody reads a list of them; `cells.csv` has all.
MOST_LISTED = 120


def every_cell(page: Page) -> str:
    """The statistics of every cell, for readers who check."""
    rows = []
    told = [cell for cell in page.cells if cell.status == "ok" and cell.latency]
    if len(told) > MOST_LISTED:
        return f"## Every cell\n\n{len(told)} cells are too many to be listed here: the CSV file has a row for each."
    for cell in told:
        figures = cell.latency
        if figures is None:
            continue
        interval = "-"
        if figures.median_low_ms is not None and figures.median_high_ms is not None:
            interval = f"{significant(figures.median_low_ms)} to {significant(figures.median_high_ms)}"
        spread = plus_minus(figures.mean_low_ms, figures.mean_high_ms, figures.mean_ms, figures.mean_optimistic)
        mean = f"{significant(figures.mean_ms)}{spread}"
        rows.append(
            (
                plain(page.name(cell)), significant(figures.median_ms), interval, mean, significant(figures.best_ms),
                *map(_or_nothing, (figures.p90_ms, figures.p95_ms, figures.p99_ms, figures.p99_upper99_ms)),
                str(figures.count),
                number(figures.effective_count, "{:.0f}"), str(figures.cut),
                f"{figures.outliers_mild} / {figures.outliers_severe}",
            )
        )  # fmt: skip
    if not rows:
        return ""
    header = ("Cell", "Median (ms)", "95 % interval", "Mean", "Best", "p90", "p95", "p99", "p99, upper bound",
              "Samples", "Worth", "Left out", "Outliers")  # fmt: skip
    return (
        "## Every cell\n\n"
        "Samples of one process resemble their neighbours: *worth* is the number of independent samples that would tell"
        " as much about the median, and its interval is taken from that. *Left out*: samples at the start that were not"
        " steady yet. *p99, upper bound*: the true p99 is below it with 99 % confidence. *Outliers*: beyond 1.5 / 3"
        " interquartile ranges, counted and kept. *(optimistic)*: too few samples for the mean's interval to be safe."
        " - where there are too few samples.\n\n" + table_lines(header, rows)
    )


def _or_nothing(value: float | None) -> str:
    return NOTHING if value is None else significant(value)


def accuracy(page: Page) -> str:
    """Every output against the reference; of very many only those that are wrong."""
    judged = [(cell, output) for cell in page.cells for output in cell.accuracy]
    total, wrong = len(judged), 0
    if total > MOST_LISTED:
        judged = [(cell, output) for cell, output in judged if not output.passed]
        wrong = len(judged)
        judged = judged[:MOST_LISTED]
        if not judged:
            return f"## Accuracy\n\nAll {total} outputs passed; the CSV file has their figures."
    if not judged:
        return ""
    by_image = any(output.images for _, output in judged)
    header = ["Cell", "Executed precision", "Output", "Verdict", "max abs", "PSNR (dB)", "cosine"]
    rows = [
        [
            plain(page.name(cell)),
            cell.identity.precision,
            plain(output.output),
            "passed" if output.passed else f"**wrong**: {plain(output.reason)}",
            number(output.max_abs, "{:.2e}"),
            "equal" if output.max_abs == 0 else number(output.psnr_db, "{:.1f}"),
            number(output.cosine, "{:.7f}"),
            *(_by_image(output) if by_image else ()),
        ]
        for cell, output in judged
    ]
    thresholds = dict.fromkeys(f"{cell.identity.precision}: {output.threshold}" for cell, output in judged)
    references = dict.fromkeys(run.run.workload.reference for run in page.runs if run.run.workload.reference)
    text = (
        f"## Accuracy\n\nOutputs against the reference ({plain('; '.join(references))}), checked before and after"
        f" measuring. Thresholds: {plain('; '.join(thresholds))}.\n\n"
    )
    if total > len(judged):
        these = "these" if wrong == len(judged) else f"{wrong}"
        text += f"Of {total} outputs {these} are wrong{'' if wrong == len(judged) else ', the first of them'}:\n\n"
    if by_image:
        header += ["SSIM, lowest", "Changed pixels", "Worst image"]
        text += (
            "Pictures are judged image by image, and every one must pass; the figures are over all of a batch. *Changed"
            " pixels*: off by more than 1/255 of the range in some channel. *Worst image*: the one that uses up most of"
            " what the thresholds allow, counted from 0.\n\n"
        )
    return text + table_lines(header, rows)


def _by_image(output: OutputAccuracy) -> tuple[str, str, str]:
    worst = "-" if output.worst_image is None or output.max_abs == 0 else f"{output.worst_image} of {output.images}"
    return number(output.ssim, "{:.6f}"), number(output.changed_pixels, "{:.2%}"), worst


def telemetry(page: Page) -> str:
    """What was seen of host and devices beside the samples."""
    seen = [(cell, cell.telemetry) for cell in page.cells if cell.telemetry]
    if not seen or len(seen) > MOST_LISTED:
        return ""
    rows = [_telemetry_row(page, cell, telemetry) for cell, telemetry in seen]
    header = ("Cell", "Host meanwhile", "Peak memory", "Device clock (MHz)", "Power (W)", "Temperature (°C)",
              "Device memory", "Energy per image (J)")  # fmt: skip
    missing = dict.fromkeys(
        f"- {plain(f'{cell.identity.device}: {telemetry.missing}')}." for cell, telemetry in seen if telemetry.missing
    )
    sources = dict.fromkeys(
        f"- {plain(f'{cell.identity.device}: {telemetry.source}')}, driver {plain(telemetry.driver) or 'unknown'}."
        for cell, telemetry in seen
        if telemetry.source
    )
    used = [index for index in range(len(header)) if index == 0 or any(row[index] != "-" for row in rows)]
    text = "## Telemetry\n\nSeen between blocks of samples, never while one was taken.\n\n"
    text += table_lines([header[index] for index in used], [[row[index] for index in used] for row in rows])
    idle = [f"- {_IDLE}: the device's tool was read before loading and after measuring, when the device was idle."]
    notes = [*sources, *missing, *(idle if any(_IDLE in text for row in rows for text in row) else [])]
    return text + ("\n\n" + "\n".join(notes) if notes else "")


def _telemetry_row(page: Page, cell: CellRecord, telemetry: Telemetry) -> tuple[str, ...]:
    host = activity_in_words(telemetry.activity) if telemetry.activity else ""
    memory = telemetry.peak_memory_bytes
    device_memory = telemetry.device_memory_bytes
    return (
        plain(page.name(cell)),
        host or "-",
        f"{memory / _GIB:.2f} GiB" if memory else "-",
        _range(telemetry.readings, "clock_mhz"),
        _range(telemetry.readings, "power_w"),
        _range(telemetry.readings, "temperature_c"),
        f"{device_memory / _MIB:.0f} MiB" if device_memory is not None else "-",
        number(telemetry.energy_per_image_j, "{:.3g}"),
    )


def _range(readings: list[DeviceReading], name: str) -> str:
    """What was seen during the measurement. Readings of an idle device are none of it: only their being is told."""
    seen = [(reading.moment, value) for reading in readings if (value := getattr(reading, name)) is not None]
    values = [value for moment, value in seen if moment == "during"]
    if not values:
        return _IDLE if seen else "-"
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"
