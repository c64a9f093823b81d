"""Why the figures may be believed, or not: verdicts, statistics of every cell, accuracy, telemetry."""

from __future__ import annotations

from reports import flags
from reports.host import activity_in_words
from reports.markdown.format import name_of, number, table_lines
from reports.records import CellRecord, DeviceReading, Run, Telemetry

_GIB = 2**30
_MIB = 2**20


def verdicts(run: Run, include_flagged: bool) -> str:
    """How many cells hold up, and what speaks against the others, in words."""
    measured = [cell for cell in run.cells if cell.status == "ok"]
    if not measured:
        return ""
    flagged = [cell for cell in measured if flags.short(cell)]
    lines = ["## Verdicts", ""]
    good = len(measured) - len(flagged)
    lines.append(
        f"**{good} of {len(measured)} measured cells hold up**: steady, their median known to ±1 %, not held back,"
        " run where they were asked to, outputs right."
    )
    if flagged:
        consequence = (
            "They are in the ratios below only because `--include-flagged` was given."
            if include_flagged
            else "Their figures are shown, but left out of ratios."
        )
        lines += ["", f"{consequence} What speaks against them:", ""]
        lines += [f"- ⚠ {name_of(cell)}: {'; '.join(flags.in_words(cell))}." for cell in flagged]
        if any(cell.flags and not (cell.flags.converged and cell.flags.steady) for cell in flagged):
            lines += ["", "More time (`--max-time`) or a quieter machine makes intervals narrower."]
    return "\n".join(lines)


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
        mean = f"{figures.mean_ms:.4g}"
        if figures.mean_low_ms is not None and figures.mean_high_ms is not None:
            mean += f" ±{(figures.mean_high_ms - figures.mean_low_ms) / (2 * figures.mean_ms):.1%}"
            mean += " (optimistic)" if figures.mean_optimistic else ""
        rows.append(
            (
                name_of(cell), f"{figures.median_ms:.4g}", interval, mean, f"{figures.best_ms:.4g}",
                number(figures.p90_ms, "{:.4g}"), number(figures.p99_ms, "{:.4g}"),
                number(figures.p99_upper99_ms, "{:.4g}"), str(figures.count),
                number(figures.effective_count, "{:.0f}"), str(figures.cut),
                f"{figures.outliers_mild} / {figures.outliers_severe}",
            )
        )  # fmt: skip
    if not rows:
        return ""
    header = ("Cell", "Median (ms)", "95 % interval", "Mean", "Best", "p90", "p99", "p99, upper bound", "Samples",
              "Worth", "Left out", "Outliers")  # fmt: skip
    return (
        "## Every cell\n\n"
        "Samples of one process resemble their neighbours: *worth* is the number of independent samples that would tell"
        " as much about the median, and its interval is taken from that. *Left out*: samples at the start that were not"
        " steady yet. *p99, upper bound*: the true p99 is below it with 99 % confidence. *Outliers*: beyond 1.5 / 3"
        " interquartile ranges, counted and kept. *(optimistic)*: too few samples for the mean's interval to be safe."
        " - where there are too few samples.\n\n" + table_lines(header, rows)
    )


def accuracy(run: Run) -> str:
    rows = [
        (
            f"{cell.identity.label()} bs{cell.identity.batch} {cell.identity.scope}",
            cell.identity.precision,
            output.output,
            "passed" if output.passed else f"**wrong**: {output.reason}",
            number(output.max_abs, "{:.2e}"),
            "equal" if output.max_abs == 0 else number(output.psnr_db, "{:.1f}"),
            number(output.cosine, "{:.7f}"),
        )
        for cell in run.cells
        for output in cell.accuracy
    ]
    if not rows:
        return ""
    header = ("Cell", "Executed precision", "Output", "Verdict", "max abs", "PSNR (dB)", "cosine")
    thresholds = dict.fromkeys(
        f"{cell.identity.precision}: {output.threshold}" for cell in run.cells for output in cell.accuracy
    )
    return (
        f"## Accuracy\n\nOutputs against the reference ({run.run.workload.reference}), checked before and after"
        f" measuring. Thresholds: {'; '.join(thresholds)}.\n\n" + table_lines(header, rows)
    )


def telemetry(run: Run) -> str:
    """What was seen of host and devices beside the samples."""
    seen = [(cell, cell.telemetry) for cell in run.cells if cell.telemetry]
    if not seen:
        return ""
    rows = [_telemetry_row(cell, telemetry) for cell, telemetry in seen]
    header = ("Cell", "Host meanwhile", "Peak memory", "Device clock (MHz)", "Power (W)", "Temperature (°C)",
              "Device memory", "Energy per image (J)")  # fmt: skip
    missing = dict.fromkeys(
        f"- {cell.identity.device}: {telemetry.missing}." for cell, telemetry in seen if telemetry.missing
    )
    sources = dict.fromkeys(
        f"- {cell.identity.device}: {telemetry.source}, driver {telemetry.driver or 'unknown'}."
        for cell, telemetry in seen
        if telemetry.source
    )
    used = [index for index in range(len(header)) if index == 0 or any(row[index] != "-" for row in rows)]
    text = "## Telemetry\n\nSeen between blocks of samples, never while one was taken.\n\n"
    text += table_lines([header[index] for index in used], [[row[index] for index in used] for row in rows])
    notes = [*sources, *missing]
    return text + ("\n\n" + "\n".join(notes) if notes else "")


def _telemetry_row(cell: CellRecord, telemetry: Telemetry) -> tuple[str, ...]:
    during = [r for r in telemetry.readings if r.moment == "during"] or telemetry.readings
    host = activity_in_words(telemetry.activity) if telemetry.activity else ""
    memory = telemetry.peak_memory_bytes
    device_memory = telemetry.device_memory_bytes
    return (
        name_of(cell),
        host or "-",
        f"{memory / _GIB:.2f} GiB" if memory else "-",
        _range(during, "clock_mhz"),
        _range(during, "power_w"),
        _range(during, "temperature_c"),
        f"{device_memory / _MIB:.0f} MiB" if device_memory is not None else "-",
        number(telemetry.energy_per_image_j, "{:.3g}"),
    )


def _range(readings: list[DeviceReading], name: str) -> str:
    values = [value for reading in readings if (value := getattr(reading, name)) is not None]
    if not values:
        return "-"
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"
