"""What a person sees while a run goes on: a status line on standard error, and a line for every finished cell."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.plan import CellTask
from bench.worker import Event, Phase
from bench.worker import Progress as Measuring
from reports.records import CellRecord


class RunDisplay:
    """An Observer that draws with rich. Redrawn on events only: a ticking display would disturb what is measured."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
            console=self.console, auto_refresh=False, transient=True,
        )  # fmt: skip
        self._task: TaskID = self._progress.add_task("preparing", total=None, detail="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def expect(self, cells: int) -> None:
        """How many cells there will be."""
        self._show(total=cells)

    def note(self, text: str) -> None:
        """A line that stays on the screen."""
        self._progress.console.print(escape(text))

    def _show(self, **fields: object) -> None:
        self._progress.update(self._task, **fields)  # type: ignore[arg-type]
        self._progress.refresh()

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
        else:
            text = "no samples"
        self._progress.console.print(f"  {escape(name):<44} {text}")
        self._progress.advance(self._task)
        self._progress.refresh()
