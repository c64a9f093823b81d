"""What a person sees while a run goes on: a status line on standard error, and a line for every finished cell."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.messages import Event, Phase
from bench.messages import Progress as Measuring
from bench.plan import CellTask
from reports import flags
from reports.records import CellRecord


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that is redrawn when the function it gives is called with how many are done."""
    display = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(file=sys.stderr), auto_refresh=False, transient=True,
    )  # fmt: skip
    with display:
        task = display.add_task(what, total=total)

        def show(done: int) -> None:
            display.update(task, completed=done, refresh=True)

        yield show


class _Display:
    """A line with a bar on standard error, redrawn on events only: a ticking one would disturb what is measured."""

    def __init__(self, what: str) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
            console=Console(file=sys.stderr, highlight=False), auto_refresh=False, transient=True,
        )  # fmt: skip
        self._task: TaskID = self._progress.add_task(escape(what), total=None, detail="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def note(self, text: str) -> None:
        """A line that stays on the screen."""
        self._progress.console.print(escape(text))

    def _show(self, **fields: object) -> None:
        self._progress.update(self._task, **fields)  # type: ignore[arg-type]
        self._progress.refresh()


class WorkDisplay(_Display):
    """Shows one long piece of work: what is being got ready, then how far it is."""

    def preparing(self, what: str) -> None:
        self._show(detail=escape(what))

    def advance(self, done: int, total: int) -> None:
        """`done` of `total` pieces."""
        self._show(completed=done, total=total, detail="")


class RunDisplay(_Display):
    """An Observer that draws a run, with a line that stays for every finished cell."""

    def __init__(self) -> None:
        super().__init__("preparing")

    def expect(self, cells: int) -> None:
        """How many cells there will be."""
        self._show(total=cells)

    def preparing(self, what: str) -> None:
        self._show(description="preparing", detail=escape(what))

    def cell_started(self, number: int, task: CellTask) -> None:
        self._show(description=escape(task.title()), completed=number, detail="starting")

    def cell_event(self, event: Event) -> None:
        if isinstance(event, Phase):
            self._show(detail=escape(event.name))
        elif isinstance(event, Measuring):
            known = f" ±{event.half_width:.1%}" if event.half_width is not None else ""
            self._show(detail=f"{event.phase}: {event.samples} calls, {event.latency_ns / 1e6:.3g} ms{known}")

    def cell_done(self, record: CellRecord) -> None:
        name = f"{record.identity.label()} bs{record.identity.batch} {record.identity.precision}"
        if record.identity.scope != "compute":
            name += f" {record.identity.scope}"
        if record.status == "failed" and record.failure:
            text = f"[red]failed[/] in phase {escape(repr(record.failure.phase))}: {escape(record.failure.message)}"
        elif record.status == "wrong":
            reasons = "; ".join(output.reason for output in record.accuracy if output.reason)
            text = f"[red]wrong outputs[/]: {escape(reasons)}"
        elif record.latency and record.fps_per_card:
            half = record.latency.relative_half_width
            known = f" ±{half:.1%}" if half is not None else ""
            text = f"{record.latency.median_ms:.4g} ms{known}, {record.fps_per_card:.4g} FPS/card"
            if record.throughput:
                text += f", {record.throughput.fps:.4g} FPS measured on {len(record.throughput.workers)} workers"
            if lost := record.throughput_failure:
                text += f"; [red]failed[/] in phase {escape(repr(lost.phase))}: {escape(lost.message)}"
            if against := flags.short(record):
                text += f" [yellow]⚠ {escape(', '.join(against))}[/]"
        else:
            text = "no samples"
        self._progress.console.print(f"  {escape(name):<44} {text}")
        self._progress.advance(self._task)
        self._progress.refresh()
