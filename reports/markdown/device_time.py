"""What the device itself says of a call, beside what the host saw."""

from __future__ import annotations

from reports.device_time import figures
from reports.digits import significant
from reports.markdown.evidence import MOST_LISTED
from reports.markdown.format import plain, table_lines
from reports.page import Page


def device_time(page: Page) -> str:
    """Empty where no cell has such times."""
    told = [
        (cell, cell.latency, cell.device_times)
        for cell in page.cells
        if cell.status == "ok" and cell.latency and cell.device_times
    ]
    if not told or len(told) > MOST_LISTED:
        return ""
    rows = []
    for cell, host, times in told:
        device = figures(times)
        rows.append(
            (
                plain(page.name(cell)),
                significant(host.median_ms),
                significant(device.median_ms),
                significant(device.mean_ms),
                f"{host.median_ms - device.median_ms:+.3f}",
                str(device.count),
            )
        )
    header = ("Cell", "Host, median (ms)", "Device, median (ms)", "Device, mean (ms)", "Host - device (ms)", "Calls")
    return (
        "## On the device's own clock\n\n"
        "From an event on the device's stream before each call to one after it, taken after the samples with several"
        " calls enqueued before one wait, as trtexec's GPU Compute is. What the host's figure has more is the launch"
        " and the wait; all figures, ratios and verdicts above are the host's.\n\n" + table_lines(header, rows)
    )
