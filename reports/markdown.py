"""A run as a markdown report that a reader understands without other documentation."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from reports.records import CellRecord, Run
from reports.table import Column, ScopeTable, by_scope, find_baseline, may_meet


class UnknownBaseline(ValueError):  # noqa: N818 - reads as what is wrong
    """`--baseline` names a backend that the run does not hold."""


def render(run: Run, plots: Sequence[Path], baseline: str | None = None) -> str:
    """The report. Plots are linked by file name, so they must lie beside it.

    Raises UnknownBaseline when `baseline` is no column of the run.
    """
    sections = [_title(run), _environment(run)]
    for table in by_scope(run):
        column = find_baseline(table, baseline)
        if baseline is not None and column is None:
            known = ", ".join(other.label for other in table.columns)
            raise UnknownBaseline(f"--baseline {baseline}: the run holds {known}; name one of these.")
        sections += [_latency(table), _fps(table, column), _pictures(table, plots)]
    sections += [_accuracy(run), _problems(run), _method(run)]
    return "\n\n".join(section for section in sections if section) + "\n"


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; the first column is left-aligned, the others right-aligned."""
    lines = ["| " + " | ".join(header) + " |", "|:--|" + "--:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _title(run: Run) -> str:
    workload = run.run.workload
    lines = [f"# {workload.name}: latency and FPS per card", ""]
    if any(cell.provenance == "simulated" for cell in run.cells):
        lines += ["> **SIMULATED: some figures below come from a test double, not from a device.**", ""]
    if len(run.cells) < run.run.cells_planned:
        lines += [
            f"> **Unfinished: {len(run.cells)} of {run.run.cells_planned} cells were measured"
            " before the run was interrupted.**", "",
        ]  # fmt: skip
    lines += [f"- Model: {workload.model}", f"- Inputs: {workload.inputs}", f"- Reference: {workload.reference}"]
    lines += [f"- **Note:** {note}" for note in workload.notes]
    return "\n".join(lines)


def _environment(run: Run) -> str:
    header, host = run.run, run.run.host
    memory = f"{host.memory_bytes / 2**30:.1f} GiB" if host.memory_bytes else "unknown"
    git = f"{header.git.commit[:12]}{' with uncommitted changes' if header.git.dirty else ''}" if header.git else "-"
    rows = [
        ("Started", header.started),
        ("Host", f"{host.name}, {host.os}"),
        ("CPU", f"{host.cpu}, {host.physical_cores} cores ({host.logical_cpus} logical CPUs) usable, {memory}"),
        ("Cards", ", ".join(dict.fromkeys(f"{c.identity.card} ({c.identity.device}, {_chips(c)})" for c in run.cells))),
        ("Python", host.python),
        ("Packages", ", ".join(f"{name} {version}" for name, version in header.packages.items())),
        ("Harness", git),
        ("Command", f"`{shlex.join(header.command)}`"),
    ]
    return "## Environment\n\n" + table_lines(("", ""), rows).replace("--:|", ":--|", 1)


def _chips(cell: CellRecord) -> str:
    return "1 chip" if cell.chips == 1 else f"{cell.chips} chips"


def _latency(table: ScopeTable) -> str:
    rows = []
    for batch in table.batches:
        row = [str(batch)]
        for column in table.columns:
            row.append(_latency_cell(table.cell(batch, column)))
        rows.append(row)
    titles = [column.title(table.columns) for column in table.columns]
    return (
        f"## Latency ({table.scope})\n\n"
        "Milliseconds for one batch on one chip: median, half-width of its 95 % interval, number of samples;"
        " then p99 where there are samples enough for one (368).\n\n" + table_lines(("Batch size", *titles), rows)
    )


def _latency_cell(cell: CellRecord | None) -> str:
    if cell is None:
        return "-"
    if cell.status != "ok" or cell.latency is None:
        return cell.status
    latency = cell.latency
    if latency.relative_half_width is None:
        spread = "±? (too few samples)"
    else:
        spread = f"±{latency.relative_half_width:.1%}" + ("" if latency.converged else " ⚠")
    p99 = f", p99 {latency.p99_ms:.4g}" if latency.p99_ms is not None else ""
    return f"{latency.median_ms:.4g} {spread}, n={latency.count}{p99}"


def _fps(table: ScopeTable, baseline: Column | None) -> str:
    others = [column for column in table.columns if baseline and column != baseline and may_meet(column, baseline)]
    titles = [column.title(table.columns) for column in table.columns]
    ratios = [f"{column.title(table.columns)} / {baseline.title(table.columns)}" for column in others if baseline]
    rows = []
    for batch in table.batches:
        row = [str(batch)] + [_number(table.fps(batch, column), "{:.4g}") for column in table.columns]
        row += [_number(table.ratio(batch, column, baseline), "{:.1%}") for column in others if baseline]
        rows.append(row)
    if others and baseline:
        means = [_number(table.mean_ratio(column, baseline), "{:.1%}") for column in others]
        rows.append(["geometric mean", *[""] * len(table.columns), *means])
    text = (
        f"## FPS per card ({table.scope})\n\n"
        "Images a second, *derived*: chips × batch size × 1000 / mean latency in ms of one chip.\n\n"
        + table_lines(("Batch size", *titles, *ratios), rows)
    )
    unequal = [column for column in others if baseline and column.precision != baseline.precision]
    for column in unequal:
        text += (
            f"\n\n⚠ {column.title(table.columns)} ran in {column.precision}, the baseline in"
            f" {baseline.precision if baseline else '?'}: their ratio compares unequal things."
        )
    return text


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _pictures(table: ScopeTable, plots: Sequence[Path]) -> str:
    mine = [path for path in plots if path.name.startswith(f"{table.scope}-")]
    return "\n\n".join(f"![{path.stem.replace('-', ' ')} by batch size]({path.name})" for path in mine)


def _accuracy(run: Run) -> str:
    rows = [
        (
            f"{cell.identity.label()} bs{cell.identity.batch} {cell.identity.scope}",
            cell.identity.precision,
            output.output,
            "passed" if output.passed else f"**wrong**: {output.reason}",
            _number(output.max_abs, "{:.2e}"),
            "equal" if output.max_abs == 0 else _number(output.psnr_db, "{:.1f}"),
            _number(output.cosine, "{:.7f}"),
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


def _problems(run: Run) -> str:
    lines = [f"- `{skipped.backend}` was not measured: {skipped.reason}" for skipped in run.run.skipped]
    for cell in run.cells:
        name = f"`{cell.identity.label()}` bs{cell.identity.batch} {cell.identity.precision} {cell.identity.scope}"
        if cell.failure:
            lines.append(f"- {name} failed in phase '{cell.failure.phase}': {cell.failure.message}")
            lines += [f"  - `{line}`" for line in cell.failure.output_tail]
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
    loose = [cell for cell in run.cells if cell.latency and cell.status == "ok" and not cell.latency.converged]
    if loose:
        cells = ", ".join(f"{c.identity.label()} bs{c.identity.batch} {c.identity.scope}" for c in loose)
        lines.append(
            f"- ⚠ The median is not known to 1 % within the time limit for {cells}. Differences smaller than the"
            " intervals mean nothing; give more time with --max-time."
        )
    lines += [f"- {warning}" for warning in run.warnings]
    return "## What to know\n\n" + "\n".join(lines) if lines else ""


def _method(run: Run) -> str:
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
        "- Warm-up: ten calls and half a second, or half of the cell's time limit if that is shorter. Intervals assume"
        " independent samples of a steady process; neither is proven here.",
        "- Provenance: measured by this harness, unless a column says otherwise. Every sample is in `run.jsonl`.",
        *[f"- {name}: {text}" for name, text in settings.items()],
    ]
    return "\n".join(lines)
