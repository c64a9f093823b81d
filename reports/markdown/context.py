"""What was run, where, what went wrong, and how the figures were obtained."""

from __future__ import annotations

import shlex

from reports.host import conditions_in_words
from reports.markdown.format import clean, code, name_of, table_lines
from reports.records import CellRecord, Failure, MeasureLimits, Run


def title(run: Run) -> str:
    workload = run.run.workload
    lines = [f"# {clean(workload.name)}: latency and FPS per card", ""]
    if any(cell.provenance == "simulated" for cell in run.cells):
        lines += ["> **SIMULATED: some figures below come from a test double, not from a device.**", ""]
    if len(run.cells) < run.run.cells_planned:
        lines += [
            f"> **Unfinished: {len(run.cells)} of {run.run.cells_planned} cells were measured"
            " before the run was interrupted.**", "",
        ]  # fmt: skip
    told = {"Model": workload.model, "Inputs": workload.inputs, "Reference": workload.reference}
    lines += [f"- {name}: {clean(text)}" for name, text in told.items()]
    lines += [f"- **Note:** {clean(note)}" for note in workload.notes]
    return "\n".join(lines)


def environment(run: Run) -> str:
    header, host = run.run, run.run.host
    memory = f"{host.memory_bytes / 2**30:.1f} GiB" if host.memory_bytes else "unknown"
    git = f"{header.git.commit[:12]}{' with uncommitted changes' if header.git.dirty else ''}" if header.git else "-"
    rows = [
        ("Started", header.started),
        ("Host", f"{host.name}, {host.os}"),
        ("CPU", f"{host.cpu}, {host.physical_cores} cores ({host.logical_cpus} logical CPUs) usable, {memory}"),
        ("Cards", ", ".join(dict.fromkeys(f"{c.identity.card} ({c.identity.device}, {_chips(c)})" for c in run.cells))),
        *([("When it began", conditions_in_words(header.conditions))] if header.conditions else []),
        *[("Resumed", resumed.at) for resumed in run.resumed],
        ("Python", host.python),
        ("Packages", ", ".join(f"{name} {version}" for name, version in header.packages.items())),
        ("Harness", git),
        ("Command", code(shlex.join(header.command))),
    ]
    return "## Environment\n\n" + table_lines(("", ""), rows).replace("--:|", ":--|", 1)


def _chips(cell: CellRecord) -> str:
    return "1 chip" if cell.chips == 1 else f"{cell.chips} chips"


def problems(run: Run) -> str:
    lines = [f"- {code(skipped.backend)} was not measured: {skipped.reason}" for skipped in run.run.skipped]
    for cell in run.cells:
        name = name_of(cell)
        if cell.failure:
            lines.append(f"- {name} failed in phase '{cell.failure.phase}': {cell.failure.message}")
            lines += _tail(cell.failure)
        elif cell.status == "wrong":
            lines.append(f"- {name}: the outputs are wrong, so it has no speed.")
        if cell.asked_precision != cell.identity.precision:
            lines.append(f"- {name}: {cell.asked_precision} was asked for, {cell.identity.precision} was executed.")
        if cell.samples and cell.latency and cell.samples.group > 1:
            share = cell.samples.overhead_ns / (cell.latency.median_ms * 1e6)
            lines.append(
                f"- {name}: one call is so short that samples cover {cell.samples.group} calls; no percentiles."
                f" The harness's own share of the latency is {share:.1%}."
            )
    for cell in run.cells:
        failed = cell.throughput_failure
        if failed:
            lines.append(
                f"- {name_of(cell)}: no measured throughput, failed in phase '{failed.phase}': {failed.message}"
            )
            lines += _tail(failed)
        if cell.samples and cell.samples.discarded_blocks:
            lines.append(
                f"- {name_of(cell)}: {cell.samples.discarded_blocks} blocks of samples were thrown away, taken while"
                " the device's clock was under 75 % of its nominal one."
            )
        if "aftermath" in cell.session:
            lines.append(f"- {name_of(cell)}: {cell.session['aftermath']}.")
    lines += [f"- {warning}" for warning in run.warnings]
    return "## What to know\n\n" + "\n".join(map(_bullet, lines)) if lines else ""


def _bullet(line: str) -> str:
    """The line cleaned, at its depth in the list."""
    return " " * (len(line) - len(line.lstrip(" "))) + clean(line)


def _tail(failure: Failure) -> list[str]:
    """What the worker printed last, below its failure."""
    return [f"  - {code(line)}" for line in failure.output_tail if clean(line)]


def method(run: Run, source: str) -> str:
    """How the figures were obtained, and the settings of each session."""
    samples = [cell.samples for cell in run.cells if cell.samples]
    shares = [s.overhead_ns for s in samples]
    overhead = f"{min(shares):.0f} to {max(shares):.0f} ns" if shares else "-"
    settings: dict[str, str] = {}
    for cell in run.cells:
        if cell.session:
            text = ", ".join(f"{key}: {value}" for key, value in cell.session.items())
            who = f"{cell.identity.label()} on {cell.identity.device}, {cell.identity.precision}"
            settings.setdefault(who, text)
    lines = [
        "## How this was measured",
        "",
        "- Every cell ran in a process of its own, under the same loop, one after another; neighbours in time are the"
        " backends of one batch size.",
        "- `compute`: from enqueue to the return of synchronize, inputs on the device before and outputs left there."
        " `end-to-end`: with the copies to and from the device, over 8 different batches in turn.",
        f"- Clock: the host's (`perf_counter_ns`); the loop itself adds {overhead} to a call (measured, not"
        " subtracted). Warm-up, building, loading and the first call are not in the samples.",
        _stopping(run.run.limits),
        "- Steady: the start is cut off where that makes the mean more certain (MSER-5); what is left must be at least"
        " half of the samples, and the medians of its quarters must lie within 2 % of each other.",
        "- Intervals cover the true value in 95 of 100 cases; the median's by order statistics of as many samples as"
        " the autocorrelation leaves, the mean's by batch means.",
        f"- Provenance: measured by this harness, unless a column says otherwise. Every sample is in {code(source)}.",
        *[f"- {clean(f'{name}: {text}')}" for name, text in settings.items()],
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
