"""Where figures were measured: machines, versions, model and inputs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from reports.host import conditions_in_words
from reports.machines import Machine
from reports.markdown.format import code, plain, table_lines
from reports.page import Page
from reports.records import CellRecord, WorkloadInfo

_ENGINES = "Engines"
#: Of many runs under one set of conditions so many commands and starts are told.
_MOST_TOLD = 5


def environment(page: Page) -> str:
    """Where the figures were measured: what all sets of conditions share, then a column for each where they differ."""
    machines = [machine for machine in page.machines if machine.runs[0].run.host is not None]
    if not machines:
        return ""
    columns = [_machine(machine) for machine in machines]
    letters = [machine.letter for machine in machines]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = {name: [column.get(name, "-") for column in columns] for name in names}
    shared = {name: values for name, values in rows.items() if len(set(values)) == 1}
    if _ENGINES in shared:
        del rows[_ENGINES], shared[_ENGINES]  # told under how this was measured
    if len(machines) == 1 or not shared:
        return f"## Environment\n\n{_left_aligned(letters, rows)}"
    differing = {name: values for name, values in rows.items() if name not in shared}
    parts = ["## Environment"]
    if differing:
        parts += ["Where they differ:", _left_aligned(letters, differing), "What they share:"]
    parts.append(_left_aligned([", ".join(letters)], {name: values[:1] for name, values in shared.items()}))
    return "\n\n".join(parts)


def _left_aligned(header: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    table = table_lines(("", *header), [(name, *values) for name, values in rows.items()])
    return table.replace("--:|" * len(header), ":--|" * len(header), 1)


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
    engines = dict.fromkeys(f"{engine(cell)}: {settings_of(cell)}" for cell in machine.cells if cell.session)
    cards = dict.fromkeys(f"{c.identity.card} ({c.identity.device}, {_chips(c)})" for c in machine.cells)
    found = {
        "Started": _some([run.run.started for run in machine.runs]),
        "Host": plain(f"{host.name}, {host.os}"),
        "CPU": plain(f"{host.cpu}, {host.physical_cores} cores ({host.logical_cpus} logical CPUs) usable, {memory}"),
        "Cards": plain(", ".join(cards)),
    }
    if drivers := dict.fromkeys(c.telemetry.driver for c in machine.cells if c.telemetry and c.telemetry.driver):
        found["Driver"] = plain(", ".join(drivers))
    found |= {
        "Model": _some([_digest(run.run.workload, run.run.workload.model_sha256) for run in machine.runs]),
        "Inputs": _some([_digest(run.run.workload, run.run.workload.inputs_sha256) for run in machine.runs]),
    }
    if first.conditions:
        found["When it began"] = plain(conditions_in_words(first.conditions))
    resumed = [resumed.at for run in machine.runs for resumed in run.resumed]
    if resumed:
        found["Resumed"] = _some(resumed)
    return found | {
        "Python": plain(host.python),
        "Packages": plain(", ".join(f"{name} {version}" for name, version in first.packages.items())),
        _ENGINES: plain("; ".join(engines)) or "-",
        "Harness": ", ".join(commits) or "-",
        "Command": _some([code(shlex.join(run.run.command)) for run in machine.runs]),
    }


def _digest(workload: WorkloadInfo, sha256: str) -> str:
    """Which model or inputs these are, for readers who hold two reports side by side."""
    return plain(f"{workload.name}, SHA-256 {sha256[:12]}…") if sha256 else "-"


def _some(texts: Sequence[str]) -> str:
    """All of a few different texts; the first and the last of many."""
    different = list(dict.fromkeys(texts))
    if len(different) <= _MOST_TOLD:
        return "; ".join(different)
    return f"{different[0]} to {different[-1]} ({len(different)} of them)"


def _chips(cell: CellRecord) -> str:
    return "1 chip" if cell.chips == 1 else f"{cell.chips} chips"


def engine(cell: CellRecord) -> str:
    """Engine, device and precision of a session."""
    return f"{cell.identity.label()} on {cell.identity.device}, {cell.identity.precision}"


def settings_of(cell: CellRecord) -> str:
    """All that a session says of itself, but for what the harness added."""
    return ", ".join(f"{key}: {value}" for key, value in cell.session.items() if key != "aftermath")
