"""The real command in a process of its own, with its own cache, locks and working folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.doubles import faults, plugin
from tests.doubles.onnx_files import tiny_convnet
from tests.forked import ROOT, Forker, python_path

_FORKER = Forker()
_LIMIT_S = 300.0
#: Plots take half of such a command's time; tests that look at them leave --no-plots out.
FAST = ("--max-time", "0.1", "--no-plots")


class Bench:
    """Runs `python -m bench` with its own cache and working folder, which may be one that another Bench made.

    `start` starts an interpreter as a user does. A call takes one from `tests.forked`, which has the harness imported,
    unless `fresh` says that start-up itself is what matters.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        model = folder / "tiny.onnx"
        self.model = str(model if model.exists() else tiny_convnet(model))
        doubles = folder / "doubles"
        if not doubles.exists():
            doubles.mkdir()
            plugin.install(doubles)
            faults.install(doubles)
        self.environment = os.environ | {
            "PYTHONPATH": python_path(ROOT, doubles),
            "XDG_CACHE_HOME": str(folder / "cache"),
            # Tests must neither wait for a run of somebody's nor make one wait.
            "BENCH_LOCK_DIR": str(folder / "locks"),
            "COLUMNS": "200",
        }
        # Else every worker compiles the harness anew, which takes as long as what many of them do.
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bench", *arguments],
            cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # Under a shell's `&` Ctrl-C is ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def __call__(self, *arguments: str, code: int = 0, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        if fresh:
            process = self.start(*arguments)
            out, error = process.communicate(timeout=_LIMIT_S)
            status = process.returncode
        else:
            status, out, error = _FORKER.run(arguments, self.folder, self.environment, _LIMIT_S)
        assert status == code, f"exit status {status}, not {code}\n{out}\n{error}"
        assert "Traceback" not in error
        return subprocess.CompletedProcess(arguments, code, out, error)


def one_line(error: str, *words: str) -> None:
    """A user's mistake gets exactly one line, with all of these words in it."""
    lines = [line for line in error.splitlines() if line.strip()]
    assert len(lines) == 1, error
    for word in words:
        assert word in lines[0], lines[0]
