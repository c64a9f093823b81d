"""What was run, what went wrong, and how the figures were obtained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reports.markdown.environment import engine, settings_of
from reports.markdown.evidence import MOST_LISTED
from reports.markdown.format import clean, code, plain
from reports.page import Page
from reports.records import CellRecord, Failure, MeasureLimits, Run, WorkloadInfo

#: Of many files so many are named.
_MOST_TOLD = 5


def title(page: Page) -> str:
    lines = [f"# {plain(', '.join(page.workloads))}: latency and FPS per card", ""]
    if page.simulated:
        lines += ["> **SIMULATED: some figures below come from a test double, not from a device.**", ""]
    for run in page.runs:
        if len(run.cells) < run.run.cells_planned:
            lines += [
                f"> **Unfinished: {len(run.cells)} of {run.run.cells_planned} cells were measured"
                f" before the run{_which(run, page)} was interrupted.**", "",
            ]  # fmt: skip
    for form, of in _ABOUT:
        lines += _told(page, form, of)
    return "\n".join(lines)


#: What is told of every workload, and how.
_ABOUT: tuple[tuple[str, Callable[[WorkloadInfo], Sequence[str]]], ...] = (
    ("Model{}: {}", lambda workload: [workload.model]),
    ("Inputs{}: {}", lambda workload: [workload.inputs]),
    ("Reference{}: {}", lambda workload: [workload.reference]),
    ("**Note{}:** {}", lambda workload: workload.notes),
)


def _told(page: Page, form: str, of: Callable[[WorkloadInfo], Sequence[str]]) -> list[str]:
    """A line for every different text, with the runs that it is of unless it is of all."""
    texts: dict[str, list[Run]] = {}
    for run in page.runs:
        for text in of(run.run.workload):
            if text:
                texts.setdefault(text, []).append(run)
    lines = []
    for text, runs in texts.items():
        whose = page.whose(runs)
        lines.append("- " + form.format(f" ({plain(whose)})" if whose else "", plain(text)))
    return lines


def _which(run: Run, page: Page) -> str:
    return f" of {run.run.started}" if len(page.runs) > 1 else ""


def problems(page: Page) -> str:
    """What went wrong, and what a reader would otherwise stumble over."""
    lines = [
        f"- {code(skipped.backend)} was not measured{_which(run, page)}: {plain(skipped.reason)}"
        for run in page.runs
        for skipped in run.run.skipped
    ]
    for cell in page.cells:
        lines += _of_cell(cell, plain(page.name(cell)))
    warnings = [warning for run in page.runs for warning in run.warnings]
    lines += [f"- {plain(warning)}" for warning in dict.fromkeys([*warnings, *page.request.notes])]
    more = len(lines) - MOST_LISTED
    if more > 0:
        lines = [*lines[:MOST_LISTED], f"- and {more} more lines like these."]
    return "## What to know\n\n" + "\n".join(map(_bullet, lines)) if lines else ""


def _of_cell(cell: CellRecord, name: str) -> list[str]:
    lines = []
    if cell.failure:
        lines.append(f"- {name} failed in phase '{cell.failure.phase}': {plain(cell.failure.message)}")
        lines += _tail(cell.failure)
    elif cell.status == "wrong":
        lines.append(f"- {name}: the outputs are wrong, so it has no speed.")
    if cell.asked_precision != cell.identity.precision:
        lines.append(f"- {name}: {cell.asked_precision} was asked for, {cell.identity.precision} was executed.")
    samples = cell.samples
    if samples and cell.latency and samples.group > 1:
        share = (samples.overhead_ns or 0.0) / (cell.latency.median_ms * 1e6)
        lines.append(
            f"- {name}: one call is so short that samples cover {samples.group} calls; no percentiles."
            f" The harness's own share of the latency is {share:.1%}."
        )
    failed = cell.throughput_failure
    if failed:
        lines.append(f"- {name}: no measured throughput, failed in phase '{failed.phase}': {plain(failed.message)}")
        lines += _tail(failed)
    if samples and samples.discarded_blocks:
        lines.append(
            f"- {name}: {samples.discarded_blocks} blocks of samples were thrown away, taken while"
            " the device's clock was under 75 % of its nominal one."
        )
    if "aftermath" in cell.session:
        lines.append(f"- {name}: {plain(cell.session['aftermath'])}.")
    return lines


def _bullet(line: str) -> str:
    """The line cleaned, at its depth in the list."""
    return " " * (len(line) - len(line.lstrip(" "))) + clean(line)


def _tail(failure: Failure) -> list[str]:
    """What the worker printed last, below its failure."""
    return [f"  - {code(line)}" for line in failure.output_tail if clean(line)]


def method(page: Page) -> str:
    """How the measured figures were obtained, and the settings of each session."""
    measured = [cell for cell in page.cells if cell.provenance in ("measured", "simulated")]
    if not measured:
        return ""
    shares = [cell.samples.overhead_ns for cell in measured if cell.samples and cell.samples.overhead_ns is not None]
    least, most = (f"{min(shares):.0f}", f"{max(shares):.0f}") if shares else ("-", "-")
    overhead = f"{least if least == most else f'{least} to {most}'} ns"
    settings: dict[str, None] = {}
    for cell in measured:
        if cell.session:
            letter = page.letter(cell)
            settings.setdefault(f"{engine(cell)}{f' ({letter})' if letter else ''}: {settings_of(cell)}")
    told = list(dict.fromkeys(_stopping(run.run.limits) for run in page.runs if run.run.host is not None))
    kept = ", ".join(map(code, page.request.sources[:_MOST_TOLD]))
    if len(page.request.sources) > _MOST_TOLD:
        kept += f" and {len(page.request.sources) - _MOST_TOLD} more files"
    lines = [
        "## How this was measured",
        "",
        "- Every cell ran in a process of its own, under the same loop, one after another; neighbours in time are the"
        " backends of one batch size.",
        "- `compute`: from enqueue to the return of synchronize, inputs on the device before and outputs left there."
        " `end-to-end`: with the copies to and from the device, over 8 different batches in turn.",
        f"- Clock: the host's (`perf_counter_ns`); the loop itself adds {overhead} to a call (measured, not"
        " subtracted). Warm-up, building, loading and the first call are not in the samples.",
        *told,
        "- Steady: the start is cut off where that makes the mean more certain (MSER-5); what is left must be at least"
        " half of the samples, and the medians of its quarters must lie within 2 % of each other.",
        "- Intervals cover the true value in 95 of 100 cases. Within one process: the median's by order statistics of"
        " as many samples as the autocorrelation leaves, the mean's by batch means. Between processes: Student's t on"
        " the logarithms of their figures, Welch's for ratios.",
        *_invocations(page),
        f"- Provenance: measured by this harness, unless a column says otherwise. Every sample is in {kept}.",
        *[f"- {plain(text)}" for text in list(settings)[:MOST_LISTED]],
    ]
    return "\n".join(lines)


def _invocations(page: Page) -> list[str]:
    """What made cells of several runs invocations of one another."""
    if not any(len(machine.runs) > 1 for machine in page.machines if machine.runs[0].run.host is not None):
        return []
    return [
        "- Cells of several runs count as invocations of one another where the machine, the CPUs that it lets a process"
        " use, versions, driver, settings, model and inputs are the same; else they have letters of their own."
    ]


def _stopping(limits: MeasureLimits | None) -> str:
    """When warming up and measuring ended; without numbers where the run does not hold them."""
    if limits is None:
        return (
            "- Warm-up first. Then measuring goes on until the median is known well enough and the samples are steady,"
            " or the time limit is reached."
        )
    return (
        f"- Warm-up: at least {limits.warmup_calls} calls and {limits.warmup_min_s:g} s, but no longer than"
        f" {limits.warmup_max_s:g} s. Then measuring goes on until the median is known to "
        f"±{limits.half_width * 100:g} % and steady, with at least {limits.min_samples} samples in"
        f" {limits.min_time_s:g} s, or {limits.max_time_s:g} s have passed."
    )
