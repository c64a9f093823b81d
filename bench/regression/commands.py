"""A side of a check by a command: any shell command that leaves a run file, run once an invocation."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bench.errors import UsageError
from bench.regression.pairs import SideName
from reports import store
from reports.groups import median_ms
from reports.matching import CellKey, key_of
from reports.records import SCHEMA_VERSION, CellRecord, Run
from reports.regression import Missing
from reports.statistics import geometric_mean

#: What stands for a fresh folder in a command.
PLACE = "{out}"
_TAIL_BYTES = 4000
#: How long a command that is asked to end may take to.
_FAREWELL_S = 10.0
#: Between two looks at whether it has ended.
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Command:
    """One side as the user described it: a shell command, and the seconds that it may take."""

    name: SideName
    text: str
    limit_s: float

    def __post_init__(self) -> None:
        if PLACE not in self.text:
            raise UsageError(
                f"--{self.name}-cmd {self.text!r} does not say where its run file goes; write {PLACE} where the command"
                " takes its folder, such as: python -m bench run --out {out}"
            )

    def run(self) -> list[Run] | Missing:
        """Run it once, and read the run file that it left. KeyboardInterrupt passes through."""
        with tempfile.TemporaryDirectory(prefix=f"bench-check-{self.name}-") as folder:
            out = Path(folder) / "out"
            fault = self._execute(self.text.replace(PLACE, shlex.quote(str(out))))
            files = [file for file in (out / "run.jsonl", out) if file.is_file()]
            files += sorted(out.glob("*.jsonl")) if out.is_dir() and not files else []
            if len(files) != 1:
                return Missing(f"its command left {'no' if not files else 'more than one'} run file in {PLACE}{fault}")
            try:
                return store.read_all(files[0])
            except store.RunFileError as error:
                # The folder is gone when this is read.
                return Missing(f"its command left no readable run file: {str(error).replace(str(out), PLACE)}{fault}")

    def _execute(self, text: str) -> str:
        """Run a shell command to its end; a clause on how it ended, empty if well."""
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                text, shell=True, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            try:
                in_time = _wait(process, self.limit_s)
            finally:
                status = _end(process)
            if not in_time:
                return f"; it did not end within {self.limit_s:g} s and was killed (see --cmd-timeout)"
            if status == 0:
                return ""
            size = output.seek(0, os.SEEK_END)
            output.seek(max(0, size - _TAIL_BYTES))
            lines = [line.strip() for line in output.read().decode("utf-8", errors="replace").splitlines()]
            said = " | ".join(list(filter(None, lines))[-3:])
            return f"; it ended with exit status {status}" + (f": {said}" if said else "")


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> bool:
    """Whether it ends within that time. It is left a zombie, so that the number of its group stays its own."""
    deadline = time.monotonic() + limit_s
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def _end(process: subprocess.Popen[bytes]) -> int:
    """Have everything that the command has started end, asked first, then killed; its exit status."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    _wait(process, _FAREWELL_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


class CommandSide:
    """Measures all rows of its run file at once; a `bench.regression.pairs.Side`.

    `discover` runs the command for the first time, and the first `invoke` gives what that gave.
    """

    def __init__(self, command: Command, path: Path, say: Callable[[str], None]) -> None:
        self._command, self._path, self._say = command, path, say
        self._writer: store.RunWriter | None = None
        self._first: dict[CellKey, CellRecord] | None = None
        self._invocations: Counter[str] = Counter()
        self._keys: dict[str, CellKey] = {}

    def discover(self) -> list[CellKey]:
        """The cells that the command measures. Raises UsageError when it fails twice."""
        found = self._measure()
        if isinstance(found, Missing):
            self._say(f"{self._command.name}: {found.reason}; once more")
            found = self._measure()
        if isinstance(found, Missing):
            raise UsageError(f"--{self._command.name}-cmd failed twice: {found.reason}.")
        self._first = found
        return list(found)

    def name_rows(self, keys: Mapping[str, CellKey]) -> None:
        """Which cell each row is."""
        self._keys = dict(keys)

    def invoke(self, rows: Sequence[str]) -> dict[str, CellRecord | Missing]:
        """Run the command once."""
        found = self._measure() if self._first is None else self._first
        self._first = None
        if isinstance(found, Missing):
            return dict.fromkeys(rows, found)
        absent = Missing("its run file does not hold this cell")
        return {row: found.get(self._keys[row], absent) for row in rows}

    def close(self) -> None:
        """Close the file of records."""
        if self._writer is not None:
            self._writer.close()

    def _measure(self) -> dict[CellKey, CellRecord] | Missing:
        """One record a cell; where the command took several invocations, one that stands for them."""
        runs = self._command.run()
        if isinstance(runs, Missing):
            return runs
        cells: dict[CellKey, list[CellRecord]] = {}
        for run in runs:
            self._keep(run)
            for cell in run.cells:
                cells.setdefault(key_of(cell), []).append(cell)
        if not cells:
            return Missing("its run file holds no cell")
        return {key: _together(several) for key, several in cells.items()}

    def _keep(self, run: Run) -> None:
        """Append the run's cells to the side's own file."""
        if self._writer is None:
            header = replace(run.run, schema=SCHEMA_VERSION, id=f"{run.run.id}-{uuid.uuid4().hex[:8]}")
            self._writer = store.RunWriter(self._path, header)
        for cell in run.cells:
            self._writer.append(replace(cell, invocation=self._invocations[cell.id]))
            self._invocations[cell.id] += 1


def _together(cells: Sequence[CellRecord]) -> CellRecord:
    """One record for several invocations within a command: what went wrong in one, else their geometric mean."""
    bad = [cell for cell in cells if cell.status != "ok"]
    if bad or len(cells) == 1:
        return (bad or cells)[0]
    medians = [median for cell in cells if (median := median_ms(cell))]
    first = cells[0]
    if first.latency is None or len(medians) < len(cells):
        return first
    return replace(first, latency=replace(first.latency, median_ms=geometric_mean(medians)))


def match_cells(base: Sequence[CellKey], new: Sequence[CellKey]) -> list[tuple[str, CellKey | None, CellKey | None]]:
    """Rows by name: cells that are equal, then those of what is left that differ in the backend's options only, then
    in the backend, where there is only one candidate on either side. What has no partner is a row without one.
    """
    partners: dict[CellKey, CellKey] = {}
    for alike in (_everything, _without_options, _without_backend):
        left = [key for key in new if key not in partners.values()]
        for key in base:
            same = [other for other in left if alike(other) == alike(key)]
            rivals = [other for other in base if other not in partners and alike(other) == alike(key)]
            if key not in partners and len(same) == 1 and len(rivals) == 1:
                partners[key] = same[0]
    several = len({(key.card, key.device, key.workload) for key in [*base, *new]}) > 1
    rows: list[tuple[str, CellKey | None, CellKey | None]] = [
        (_name(several, key, partners.get(key)), key, partners.get(key)) for key in base
    ]
    rows += [(_name(several, key), None, key) for key in new if key not in partners.values()]
    return rows


def _everything(key: CellKey) -> object:
    return key


def _without_options(key: CellKey) -> object:
    return _without_backend(key), key.label.partition(":")[0]


def _without_backend(key: CellKey) -> object:
    return key.workload, key.scope, key.card, key.device, key.precision, key.batch


def _name(several: bool, *keys: CellKey | None) -> str:
    """As short as rows can be told apart by; the keys of a row differ in nothing but the backend."""
    sides = [key for key in keys if key is not None]
    one = sides[0]
    name = f"{' → '.join(dict.fromkeys(key.label for key in sides))} bs{one.batch} {one.precision}"
    if one.scope != "compute":
        name += f" {one.scope}"
    return f"{name} {one.workload} on {one.card} ({one.device})" if several else name
