"""Why the figures may be believed, or not: verdicts, statistics of every cell, accuracy, telemetry."""

from __future__ import annotations

from reports import flags
from reports.host import activity_in_words
from reports.markdown.format import clean, name_of, number, plus_minus, table_lines
from reports.records import CellRecord, DeviceReading, OutputAccuracy, Run, Telemetry

_GIB = 2**30
_MIB = 2**20
_IDLE = "before/after only"
#: From here on what others did is told beside the verdicts.
_BUSY_CORES = 0.5
_BUSY_STEAL = 0.05


def verdicts(run: Run, include_flagged: bool) -> str:
    """How many cells hold up, and what speaks against the others, in words."""
    measured = [cell for cell in run.cells if cell.status == "ok"]
    if not measured:
        return ""
    checked = [cell for cell in measured if cell.flags]
    flagged = [cell for cell in checked if flags.short(cell)]
    old = flags.unchecked(run)
    paragraphs = ["## Verdicts", _headline(run, checked, flagged), f"⚠ {old}" if old else "", _noise(measured)]
    if flagged or old:
        paragraphs.append(
            "Flagged cells (⚠) are in the ratios below only because `--include-flagged` was given."
            if include_flagged
            else "The figures of flagged cells (⚠) are shown, but left out of ratios."
        )
    if flagged:
        paragraphs[-1] += " What speaks against these cells:"
        paragraphs.append(
            "\n".join(f"- ⚠ {name_of(cell)}: {clean('; '.join(flags.in_words(cell)))}." for cell in flagged)
        )
    if any(cell.flags and not (cell.flags.converged and cell.flags.steady) for cell in flagged):
        paragraphs.append("More time (`--max-time`) or a quieter machine makes intervals narrower.")
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _headline(run: Run, checked: list[CellRecord], flagged: list[CellRecord]) -> str:
    """How many of the checked cells hold up, claiming only what was found out about them."""
    if not checked:
        return ""
    total, good = len(checked), len(checked) - len(flagged)
    sound = [cell for cell in checked if cell not in flagged]
    unknown = sum(1 for cell in sound if cell.flags and cell.flags.throttled is None)
    held = "" if unknown else "not held back, "
    known = f"±{run.run.limits.half_width * 100:g} %" if run.run.limits else "±1 %"
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


def every_cell(run: Run) -> str:
    """The statistics of every cell, for readers who check."""
    rows = []
    for cell in run.cells:
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
                name_of(cell), f"{figures.median_ms:.4g}", interval, mean, f"{figures.best_ms:.4g}",
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


def accuracy(run: Run) -> str:
    judged = [(cell, output) for cell in run.cells for output in cell.accuracy]
    if not judged:
        return ""
    by_image = any(output.images for _, output in judged)
    header = ["Cell", "Executed precision", "Output", "Verdict", "max abs", "PSNR (dB)", "cosine"]
    rows = [
        [
            f"{cell.identity.label()} bs{cell.identity.batch} {cell.identity.scope}",
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
    text = (
        f"## Accuracy\n\nOutputs against the reference ({clean(run.run.workload.reference)}), checked before and after"
        f" measuring. Thresholds: {clean('; '.join(thresholds))}.\n\n"
    )
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


def telemetry(run: Run) -> str:
    """What was seen of host and devices beside the samples."""
    seen = [(cell, cell.telemetry) for cell in run.cells if cell.telemetry]
    if not seen:
        return ""
    rows = [_telemetry_row(cell, telemetry) for cell, telemetry in seen]
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


def _telemetry_row(cell: CellRecord, telemetry: Telemetry) -> tuple[str, ...]:
    host = activity_in_words(telemetry.activity) if telemetry.activity else ""
    memory = telemetry.peak_memory_bytes
    device_memory = telemetry.device_memory_bytes
    return (
        name_of(cell),
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
