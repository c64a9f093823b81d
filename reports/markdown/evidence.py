"""Why the figures may be believed, or not: verdicts, statistics of every cell, accuracy, telemetry."""

from __future__ import annotations

from reports import flags
from reports.host import activity_in_words
from reports.markdown.format import clean, number, plus_minus, table_lines
from reports.page import Page
from reports.records import CellRecord, DeviceReading, OutputAccuracy, Telemetry

_GIB = 2**30
_MIB = 2**20
_IDLE = "before/after only"
#: From here on what others did is told beside the verdicts.
_BUSY_CORES = 0.5
_BUSY_STEAL = 0.05
#: Beyond so many cells nobody reads a list of them; `cells.csv` has all.
MOST_LISTED = 120
_MOST_FLAGGED = 40


def verdicts(page: Page) -> str:
    """How many cells hold up, and what speaks against the others, in words."""
    measured = [cell for cell in page.cells if cell.status == "ok" and cell.provenance in ("measured", "simulated")]
    others = [cell for cell in page.cells if cell.status == "ok" and cell.provenance not in ("measured", "simulated")]
    if not measured and not others:
        return ""
    checked = [cell for cell in measured if cell.flags]
    flagged = [cell for cell in checked if flags.short(cell)]
    unsteady = [cell for cell in others if flags.short(cell)]
    old = flags.unchecked(page.runs)
    paragraphs = [
        "## Verdicts", _headline(page, checked, flagged), f"⚠ {old}" if old else "", _elsewhere(others),
        _noise(measured),
    ]  # fmt: skip
    flagged += unsteady
    if flagged or old:
        paragraphs.append(
            "Flagged cells (⚠) are in the ratios below only because `--include-flagged` was given."
            if page.request.include_flagged
            else "The figures of flagged cells (⚠) are shown, but left out of ratios."
        )
    if flagged:
        paragraphs[-1] += " What speaks against these cells:"
        lines = [
            f"- ⚠ {clean(page.name(cell))}: {clean('; '.join(flags.in_words(cell)))}."
            for cell in flagged[:_MOST_FLAGGED]
        ]
        if len(flagged) > _MOST_FLAGGED:
            lines.append(f"- ⚠ and {len(flagged) - _MOST_FLAGGED} more: see the column flags of the CSV file.")
        paragraphs.append("\n".join(lines))
    if any(cell.flags and not (cell.flags.converged and cell.flags.steady) for cell in checked):
        paragraphs.append("More time (`--max-time`) or a quieter machine makes intervals narrower.")
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _elsewhere(others: list[CellRecord]) -> str:
    """One sentence on figures that this harness did not measure."""
    if not others:
        return ""
    imported = sum(cell.provenance == "imported" for cell in others)
    published = len(others) - imported
    kinds = [
        f"{count} {'figure is' if count == 1 else 'figures are'} {what}"
        for count, what in ((imported, "imported from other tools' logs"), (published, "published ones"))
        if count
    ]
    return (
        f"{' and '.join(kinds).capitalize()}: this harness measured none of these, and nothing shows that the outputs"
        " behind them were right."
    )


def _headline(page: Page, checked: list[CellRecord], flagged: list[CellRecord]) -> str:
    """How many of the checked cells hold up, claiming only what was found out about them."""
    if not checked:
        return ""
    total, good = len(checked), len(checked) - len(flagged)
    sound = [cell for cell in checked if not flags.short(cell)]
    unknown = sum(1 for cell in sound if cell.flags and cell.flags.throttled is None)
    held = "" if unknown else "not held back, "
    widths = {run.run.limits.half_width for run in page.runs if run.run.limits} or {0.01}
    known = f"±{max(widths) * 100:g} %"
    claims = f"steady, the median known to {known}, {held}run where asked to, outputs right"
    if not good:
        none = (
            "The one measured cell does not hold up" if total == 1 else f"None of the {total} measured cells holds up"
        )
        return f"**{none}**. Holding up means: {claims}."
    if good == total:
        count = "The one measured cell holds up" if total == 1 else f"All {total} measured cells hold up"
    else:
        count = f"{good} of {total} measured cells {'holds' if good == 1 else 'hold'} up"
    text = f"**{count}**: {claims}."
    if not unknown:
        return text
    if unknown == good:
        return text + (" Whether it was throttled is not known" + (f" for any of these {good}." if good > 1 else "."))
    return f"{text} Whether it was throttled is not known for {unknown} of them; the others were not held back."


def _noise(measured: list[CellRecord]) -> str:
    """One sentence about cells that shared the machine; no verdict, but a reader should see it beside them."""
    activities = [cell.telemetry.activity for cell in measured if cell.telemetry and cell.telemetry.activity]
    cores = [a.other_cores for a in activities if a.other_cores is not None and a.other_cores > _BUSY_CORES]
    steal = [a.steal_share for a in activities if a.steal_share is not None and a.steal_share > _BUSY_STEAL]
    parts = []
    if cores:
        parts.append(f"during {_cells(cores)} others used more than half a core (up to {max(cores):.1f})")
    if steal:
        parts.append(f"during {_cells(steal)} the hypervisor took more than 5 % of the time (up to {max(steal):.0%})")
    return f"Not a quiet machine: {', '.join(parts)}; see Telemetry." if parts else ""


def _cells(values: list[float]) -> str:
    return "1 cell" if len(values) == 1 else f"{len(values)} cells"


def every_cell(page: Page) -> str:
    """The statistics of every cell, for readers who check."""
    rows = []
    for cell in page.cells if len(page.cells) <= MOST_LISTED else ():
        figures = cell.latency
        if cell.status != "ok" or figures is None:
            continue
        interval = "-"
        if figures.median_low_ms is not None and figures.median_high_ms is not None:
            interval = f"{figures.median_low_ms:.4g} to {figures.median_high_ms:.4g}"
        spread = plus_minus(figures.mean_low_ms, figures.mean_high_ms, figures.mean_ms, figures.mean_optimistic)
        mean = f"{figures.mean_ms:.4g}{spread}"
        rows.append(
            (
                page.name(cell), f"{figures.median_ms:.4g}", interval, mean, f"{figures.best_ms:.4g}",
                number(figures.p90_ms, "{:.4g}"), number(figures.p95_ms, "{:.4g}"), number(figures.p99_ms, "{:.4g}"),
                number(figures.p99_upper99_ms, "{:.4g}"), str(figures.count),
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


def accuracy(page: Page) -> str:
    """Every output against the reference; of very many only those that are wrong."""
    judged = [(cell, output) for cell in page.cells for output in cell.accuracy]
    total = len(judged)
    if total > MOST_LISTED:
        judged = [(cell, output) for cell, output in judged if not output.passed][:MOST_LISTED]
        if not judged:
            return f"## Accuracy\n\nAll {total} outputs passed; the CSV file has their figures."
    if not judged:
        return ""
    by_image = any(output.images for _, output in judged)
    header = ["Cell", "Executed precision", "Output", "Verdict", "max abs", "PSNR (dB)", "cosine"]
    rows = [
        [
            page.name(cell),
            cell.identity.precision,
            output.output,
            "passed" if output.passed else f"**wrong**: {output.reason}",
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
        f"## Accuracy\n\nOutputs against the reference ({clean('; '.join(references))}), checked before and after"
        f" measuring. Thresholds: {clean('; '.join(thresholds))}.\n\n"
    )
    if total > len(judged):
        text += f"Of {total} outputs these are wrong:\n\n"
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
        f"- {clean(f'{cell.identity.device}: {telemetry.missing}')}." for cell, telemetry in seen if telemetry.missing
    )
    sources = dict.fromkeys(
        f"- {cell.identity.device}: {clean(telemetry.source)}, driver {clean(telemetry.driver) or 'unknown'}."
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
        page.name(cell),
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
