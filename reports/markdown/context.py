"""What was run, where, what went wrong, and how the figures were obtained."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from reports.host import conditions_in_words
from reports.machines import Machine
from reports.markdown.evidence import MOST_LISTED
from reports.markdown.format import clean, code, table_lines
from reports.page import Page
from reports.records import CellRecord, Failure, MeasureLimits, Run

#: Of many runs under one set of conditions so many commands and starts are told.
_MOST_TOLD = 5


def title(page: Page) -> str:
    lines = [f"# {clean(', '.join(page.workloads))}: latency and FPS per card", ""]
    if page.simulated:
        lines += ["> **SIMULATED: some figures below come from a test double, not from a device.**", ""]
    for run in page.runs:
        if len(run.cells) < run.run.cells_planned:
            lines += [
                f"> **Unfinished: {len(run.cells)} of {run.run.cells_planned} cells were measured"
                f" before the run{_which(run, page)} was interrupted.**", "",
            ]  # fmt: skip
    for name in ("model", "inputs", "reference"):
        told = dict.fromkeys(text for run in page.runs if (text := getattr(run.run.workload, name)))
        lines += [f"- {name.capitalize()}: {clean(text)}" for text in told]
    notes = dict.fromkeys(note for run in page.runs for note in run.run.workload.notes)
    lines += [f"- **Note:** {clean(note)}" for note in notes]
    return "\n".join(lines)


def _which(run: Run, page: Page) -> str:
    return f" of {run.run.started}" if len(page.runs) > 1 else ""


def environment(page: Page) -> str:
    """Where the figures were measured: a column for each set of conditions."""
    machines = [machine for machine in page.machines if machine.runs[0].run.host is not None]
    if not machines:
        return ""
    columns = [_machine(machine) for machine in machines]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [(name, *(column.get(name, "-") for column in columns)) for name in names]
    header = ("", *(machine.letter for machine in machines))
    width = len(machines)
    return "## Environment\n\n" + table_lines(header, rows).replace("--:|" * width, ":--|" * width, 1)


def _machine(machine: Machine) -> dict[str, str]:
    first = machine.runs[0].run
    host = first.host
    if host is None:
        return {}
    memory = f"{host.memory_bytes / 2**30:.1f} GiB" if host.memory_bytes else "unknown"
    commits = dict.fromkeys(
        f"{git.commit[:12]}{' with uncommitted changes' if git.dirty else ''}"
        for run in machine.runs
        if (git := run.run.git)
    )
    cards = dict.fromkeys(f"{c.identity.card} ({c.identity.device}, {_chips(c)})" for c in machine.cells)
    found = {
        "Started": _some([run.run.started for run in machine.runs]),
        "Host": f"{host.name}, {host.os}",
        "CPU": f"{host.cpu}, {host.physical_cores} cores ({host.logical_cpus} logical CPUs) usable, {memory}",
        "Cards": ", ".join(cards),
    }
    if first.conditions:
        found["When it began"] = conditions_in_words(first.conditions)
    resumed = [resumed.at for run in machine.runs for resumed in run.resumed]
    if resumed:
        found["Resumed"] = _some(resumed)
    return found | {
        "Python": host.python,
        "Packages": ", ".join(f"{name} {version}" for name, version in first.packages.items()),
        "Harness": ", ".join(commits) or "-",
        "Command": _some([code(shlex.join(run.run.command)) for run in machine.runs]),
    }


def _some(texts: Sequence[str]) -> str:
    """All of a few different texts; the first and the last of many."""
    different = list(dict.fromkeys(texts))
    if len(different) <= _MOST_TOLD:
        return "; ".join(different)
    return f"{different[0]} to {different[-1]} ({len(different)} of them)"


def _chips(cell: CellRecord) -> str:
    return "1 chip" if cell.chips == 1 else f"{cell.chips} chips"


def problems(page: Page) -> str:
    """What went wrong, and what a reader would otherwise stumble over."""
    lines = [
        f"- {code(skipped.backend)} was not measured{_which(run, page)}: {skipped.reason}"
        for run in page.runs
        for skipped in run.run.skipped
    ]
    for cell in page.cells:
        lines += _of_cell(cell, page.name(cell))
    warnings = [warning for run in page.runs for warning in run.warnings]
    lines += [f"- {warning}" for warning in dict.fromkeys([*warnings, *page.request.notes])]
    more = len(lines) - MOST_LISTED
    if more > 0:
        lines = [*lines[:MOST_LISTED], f"- and {more} more lines like these."]
    return "## What to know\n\n" + "\n".join(map(_bullet, lines)) if lines else ""


def _of_cell(cell: CellRecord, name: str) -> list[str]:
    lines = []
    if cell.failure:
        lines.append(f"- {name} failed in phase '{cell.failure.phase}': {cell.failure.message}")
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
        lines.append(f"- {name}: no measured throughput, failed in phase '{failed.phase}': {failed.message}")
        lines += _tail(failed)
    if samples and samples.discarded_blocks:
        lines.append(
            f"- {name}: {samples.discarded_blocks} blocks of samples were thrown away, taken while"
            " the device's clock was under 75 % of its nominal one."
        )
    if "aftermath" in cell.session:
        lines.append(f"- {name}: {cell.session['aftermath']}.")
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
    overhead = f"{min(shares):.0f} to {max(shares):.0f} ns" if shares else "-"
    settings: dict[str, None] = {}
    for cell in measured:
        if cell.session:
            text = ", ".join(f"{key}: {value}" for key, value in cell.session.items())
            settings.setdefault(f"{cell.identity.label()} on {cell.identity.device}, {cell.identity.precision}: {text}")
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
        "- Intervals cover the true value in 95 of 100 cases; the median's by order statistics of as many samples as"
        " the autocorrelation leaves, the mean's by batch means.",
        f"- Provenance: measured by this harness, unless a column says otherwise. Every sample is in {kept}.",
        *[f"- {clean(text)}" for text in list(settings)[:MOST_LISTED]],
    ]
    return "\n".join(lines)


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
