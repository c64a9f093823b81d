"""`bench backends`: what is usable here, and what to do about the rest."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backends import registry
from backends.base import Availability, Backend, Device, DeviceInfo
from backends.telemetry import TelemetryUnavailable, open_monitor
from bench.environment import describe_host, package_versions
from bench.errors import ExitCode, UsageError


def list_backends(verbose: bool) -> int:
    """Print a table of all backends, built-in and plugged in."""
    console = Console(highlight=False)
    table = Table()
    for name in ("backend", "usable", "versions", "devices"):
        table.add_column(name)
    advice: list[str] = []
    for backend in registry.load_all():
        if isinstance(backend, registry.BrokenPlugin):
            table.add_row(backend.name, "[red]no[/]", "", "")
            advice.append(f"{backend.name}: {backend.reason}")
            continue
        availability = registry.probe(backend)
        table.add_row(
            backend.name + (" (simulated)" if backend.simulated else ""),
            "[green]yes[/]" if availability.usable else "[red]no[/]",
            ", ".join(f"{name} {version}" for name, version in availability.versions.items()),
            "\n".join(f"{info.device}: {info.card}" for info in availability.devices),
        )
        advice += [f"{backend.name}: {text}" for text in (availability.reason, *availability.warnings) if text]
        if verbose:
            _describe(console, backend, availability)
    console.print(table)
    advice += filter(None, [shadowed_datasets()])
    for line in advice:
        console.print(escape(line), soft_wrap=True)
    if verbose:
        host = describe_host()
        console.print(f"{host.os}; Python {host.python}; {host.cpu}, {host.physical_cores} cores usable")
        console.print(", ".join(f"{name} {version}" for name, version in package_versions().items()))
    return ExitCode.DONE


def _describe(console: Console, backend: Backend, availability: Availability) -> None:
    """Options and precisions of one backend."""
    console.print(f"[bold]{backend.name}[/] {escape(backend.title)}")
    for option in backend.options:
        choices = f" ({' | '.join(option.choices)})" if option.choices else ""
        console.print(escape(f"  {backend.name}:{option.key}={option.default}  {option.help}{choices}"))
    for info in availability.devices:
        capabilities = backend.capabilities(info.device)
        console.print(escape(f"  {info.device}: {', '.join(sorted(capabilities.precisions))}"))
        if info.device.kind != "cpu":
            console.print(escape(f"  {info.device}: telemetry: {_telemetry(info)}"), soft_wrap=True)
    for line in _diagnosis(backend, availability):
        console.print(escape(f"  {line}"), soft_wrap=True)


def _diagnosis(backend: Backend, availability: Availability) -> list[str]:
    """What the backend tells of itself in a process of its own, which it may crash."""
    if type(backend).diagnose is Backend.diagnose:
        return []
    # These import our package datasets, which another one may hide: the list below must still say so.
    from bench.messages import Diagnosed, DiagnoseTask
    from bench.process import run_worker, take_charge

    device = availability.devices[0].device if availability.devices else Device("npu")
    take_charge()
    try:
        outcome = run_worker(DiagnoseTask(backend=backend.name, device=str(device)), lambda _: None)
        return outcome.demand(Diagnosed, f"the diagnosis of {backend.name}").lines
    except UsageError as error:
        return [str(error)]


def _telemetry(info: DeviceInfo) -> str:
    try:
        with open_monitor(info.device, info.address) as monitor:
            return f"{monitor.source}, driver {monitor.driver or 'unknown'}"
    except TelemetryUnavailable as error:
        return f"none, {error}"


def shadowed_datasets() -> str:
    """A line naming the culprit when `import datasets` does not give this project's package, else ''."""
    import datasets

    ours = Path(__file__).resolve().parents[2] / "datasets"
    found = Path(datasets.__file__ or "").resolve().parent
    if found == ours:
        return ""
    return (
        f"'import datasets' gives {found}, not this project's {ours}; put this project first on the path"
        " (run from its checkout), or uninstall the other package from this environment."
    )
