"""StarGAN at full width on an NVIDIA GPU: one command measures it, checks it and writes the report.

    python tests/benchmarks/cuda_report.py [--bs 1 4 8 16] [--quick] [--minutes 9] [--only PHASE ...] [--out DIR]

By `python -m bench`: PyTorch in fp32, tf32, fp16, with CUDA graphs and in the modes of torch.compile, ONNX Runtime in
fp32 and tf32, TensorRT where it is installed. Then the same calls in loops written by hand, as ratios. Goals: within
1 % of these loops, and fp16 with graphs at least as fast as the best mode of torch.compile.

It works in phases. With `--minutes` it stops in time and keeps what it has; the same command goes on there.
`--device cpu --quick` tries the script itself out where there is no GPU. Exit status: 0 done and all goals reached, 1 a
goal was missed, or outputs are wrong, 2 no GPU or nothing measured, 3 not done yet, or the noise hides it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from backends.base import Device  # noqa: E402
from bench import arguments  # noqa: E402
from reports import store  # noqa: E402
from reports.records import CellRecord  # noqa: E402
from tests.benchmarks import cuda_tables  # noqa: E402
from tests.benchmarks.cuda_cases import LOOPS, PHASES, Phase, Planned, plan  # noqa: E402
from tests.cuda.present import why_no_gpu  # noqa: E402

_ENVIRONMENT = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
#: Of the time that is given, what the last report needs, and what a run needs to stop.
_REPORT_S, _STOP_S = 30.0, 15.0
_LEAST_MINUTES = 2.0


class TimeUp(Exception):  # noqa: N818 - read as a state
    """What is left of the time is for the report."""


class Work:
    """The folder in which it goes on, and the time until which it may."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder: Path = options.out
        self.logs = self.folder / "logs"
        self._end = time.monotonic() + options.minutes * 60 - _REPORT_S if options.minutes else None

    def run(self, command: list[str], log: Path) -> int:
        """The exit status of a command, whose output goes to a file. Raises TimeUp when it had to be stopped."""
        left = None if self._end is None else self._end - time.monotonic() - _STOP_S
        if left is not None and left < 0:
            raise TimeUp
        self.logs.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(f"$ {shlex.join(command)}\n")
            file.flush()
            process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | _ENVIRONMENT, stdout=file, stderr=subprocess.STDOUT
            )
            try:
                return process.wait(left)
            except subprocess.TimeoutExpired:
                raise TimeUp from None
            finally:
                if process.poll() is None:  # its time is up, or Ctrl-C
                    process.send_signal(signal.SIGTERM)
                    try:
                        process.wait(60)
                    except subprocess.TimeoutExpired:
                        process.kill()
                        process.wait()


def main() -> int:
    options = _options()
    device = Device.parse(options.device)
    if device.kind == "cuda" and (reason := why_no_gpu()):
        print(f"cuda_report: {reason}; run it on a machine with a GPU of NVIDIA's, or try it out with --device cpu.")
        return 2
    planned = plan(device, options.only)
    work = Work(options)
    if trouble := _settle(work):
        print(f"cuda_report: {trouble}")
        return 2
    for line in planned.skipped:
        print(f"skipped: {line}", flush=True)
    unfinished = _work_through(planned, work)
    return _report(planned, work, unfinished)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bs", type=arguments.batch, nargs="+", default=None, help="default 1 4 8 16; with --quick 1")
    parser.add_argument("--quick", action="store_true", help="3 s a cell and few turns: to see that it works")
    parser.add_argument(
        "--max-time", type=arguments.seconds, default=8.0, metavar="S", help="seconds a cell measures at most"
    )
    parser.add_argument(
        "--turns", type=arguments.samples, default=None, help="of each side against loops by hand (40; quick: 8)"
    )
    parser.add_argument("--minutes", type=float, default=None, help=f"stop in time, from {_LEAST_MINUTES:g} on")
    parser.add_argument("--only", nargs="+", choices=PHASES, default=[], help="phases to do now")
    parser.add_argument("--device", default="cuda:0", help="cuda:N, or cpu to try the script out")
    parser.add_argument("--out", type=Path, default=Path("runs/cuda-report"), help="where it lies, and goes on")
    options = parser.parse_args()
    if options.minutes is not None and options.minutes < _LEAST_MINUTES:
        parser.error(f"--minutes {options.minutes:g}: less than {_LEAST_MINUTES:g} minutes measure nothing")
    if re.fullmatch(r"cpu|cuda(:\d+)?", options.device) is None:
        parser.error(f"--device {options.device}: write cuda:0 or the like, or cpu")
    options.bs = options.bs or ([1] if options.quick else [1, 4, 8, 16])
    options.turns = options.turns or (8 if options.quick else 40)
    options.out = options.out.resolve()
    return options


def _settle(work: Work) -> str:
    """Note in the folder what it is a report of; a line where it is of something else."""
    options, path = work.options, work.folder / "settings.json"
    now = {"bs": options.bs, "quick": options.quick, "max_time": options.max_time, "device": options.device}
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != now:
            return f"{work.folder} was begun with other settings ({before}); give the same ones, or another --out."
        return ""
    work.folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(now), encoding="utf-8")
    return ""


def _work_through(planned: Planned, work: Work) -> list[str]:
    """Do the phases; the names of those that are not done."""
    unfinished: list[str] = []
    for index, phase in enumerate(planned.chosen):
        begin = time.monotonic()
        try:
            told = _loops(planned, work) if phase.name == LOOPS else _measure(phase, work)
        except TimeUp:
            print(f"{phase.name}: the time is up", flush=True)
            return unfinished + [each.name for each in planned.chosen[index:]]
        print(f"{phase.name}: {told} ({time.monotonic() - begin:.0f} s)", flush=True)
        if (work.folder / phase.name / "run.jsonl").exists() and _cells_left(work.folder / phase.name):
            unfinished.append(phase.name)
    return unfinished


def _measure(phase: Phase, work: Work) -> str:
    """One run of the harness, or the rest of it. Raises TimeUp."""
    out, options = work.folder / phase.name, work.options
    begun = (out / "run.jsonl").exists()
    if begun and _cells_left(out) == 0:
        return "measured before"
    bench = [sys.executable, "-m", "bench"]
    if begun:
        command = [*bench, "--resume", str(out), "--no-plots"]
    else:
        limit = ["--quick"] if options.quick else ["--max-time", f"{options.max_time:g}"]
        command = [
            *bench, "--backend", *phase.backends, "--precision", *phase.precisions, "--bs", *map(str, options.bs),
            "--device", options.device, *limit, "--no-plots", "--out", str(out),
        ]  # fmt: skip
    log = work.logs / f"{phase.name}.txt"
    status = work.run(command, log)
    if not (out / "run.jsonl").exists():
        return f"nothing was measured, exit status {status}: {_last_line(log)}"
    if left := _cells_left(out):
        return f"{left} cells are left, exit status {status}: {_last_line(log)}"
    cells = store.read(out).cells
    bad = [f"{cell.id} {cell.status}: {cell.failure.message if cell.failure else 'outputs'}" for cell in _bad(cells)]
    return f"{len(cells) - len(bad)} of {len(cells)} cells measured" + "".join(f"\n  {line}" for line in bad)


def _bad(cells: list[CellRecord]) -> list[CellRecord]:
    return [cell for cell in cells if cell.status != "ok"]


def _cells_left(out: Path) -> int:
    run = store.read_all(out, with_samples=False)[0]
    return run.run.cells_planned - len(run.cells)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1]


def _loops(planned: Planned, work: Work) -> str:
    """Every cell against a loop by hand, each in a process of its own. Raises TimeUp."""
    folder, done = work.folder / LOOPS, 0
    folder.mkdir(exist_ok=True)
    for backend, precision in planned.held():
        for batch in work.options.bs:
            name = f"{backend.replace(':', '-')}-{precision}-bs{batch}"
            if (folder / f"{name}.json").exists():
                continue
            work.run(
                [sys.executable, str(Path(__file__).with_name("cuda_against.py")), "--backend", backend, "--precision",
                 precision, "--bs", str(batch), "--device", work.options.device, "--turns", str(work.options.turns),
                 "--out", str(folder / f"{name}.json")],
                work.logs / f"{LOOPS}-{name}.txt",
            )  # fmt: skip
            done += 1
    return f"{done} done now, {len(list(folder.glob('*.json')))} in all"


def _report(planned: Planned, work: Work, unfinished: list[str]) -> int:
    """Join what was measured, print it all, and say where it lies; the exit status."""
    folder, bench = work.folder, [sys.executable, "-m", "bench"]
    runs = [str(folder / name) for name in PHASES if (folder / name / "run.jsonl").exists()]
    if not runs:
        print("cuda_report: the harness has measured nothing yet, so that there is no report.")
        return 3 if unfinished else 2
    target = folder / "run.jsonl"
    target.unlink(missing_ok=True)
    for command in (
        [*bench, "merge", *runs, "-o", str(target)],
        [*bench, "report", str(target), "-o", str(folder / "report.md")],
    ):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            print(f"cuda_report: {shlex.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
            return 2
    measured = [cell for run in store.read_all(target, with_samples=False) for cell in run.cells]
    cells = cuda_tables.by_key(measured)
    found: list[dict[str, Any]] = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / LOOPS).glob("*.json"))
    ]
    loops, verdicts = cuda_tables.against_loops(found, cells)
    sections = ["<!-- beside report.md: written by tests/benchmarks/cuda_report.py -->", loops]
    if Device.parse(work.options.device).kind == "cuda":
        graphs, more = cuda_tables.against_compile(cells, work.options.bs)
        sections.append(graphs)
        verdicts += more
    if planned.skipped:
        sections.append("## Skipped\n\n" + "\n".join(f"- {line}" for line in planned.skipped))
    (folder / "loops.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    for name in ("report.md", "loops.md"):
        print(f"\n{(folder / name).read_text(encoding='utf-8')}")
    print(_advice(folder))
    if unfinished:
        print(f"\nNot done yet: {', '.join(unfinished)}. The same command goes on there.")
    return _status(measured, verdicts, bool(unfinished))


def _advice(folder: Path) -> str:
    """Where the run file lies, and how it becomes an example."""
    return (
        f"The run file is {folder / 'run.jsonl'}: every sample, the machine, versions and clocks.\n"
        "To make it an example, in the root of the repository, with the name of the card for CARD:\n\n"
        "    mkdir -p reports/examples/CARD\n"
        f"    cp {folder}/run.jsonl {folder}/loops.md reports/examples/CARD/\n"
        "    python -m bench report reports/examples/CARD -o reports/examples/CARD/report.md\n"
        "    rm reports/examples/CARD/report.html    # one file with its pictures, left out for its size"
    )


def _status(cells: list[CellRecord], verdicts: list[str], unfinished: bool) -> int:
    if not any(cell.status == "ok" for cell in cells):
        return 2
    if any(cell.status == "wrong" for cell in cells) or cuda_tables.NO in verdicts:
        return 1
    return 3 if unfinished or cuda_tables.OPEN in verdicts else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("cuda_report: interrupted; the same command goes on there.")
        sys.exit(130)
