"""`python -m bench` in processes forked from one that has imported the harness: start-up is half of a small command.

Run as a program it reads orders from standard input, one JSON line each, and answers each with the exit status of the
process that did it. That process has the order's environment, folder and search path, imports plug-ins anew, starts
its workers as any does, and ends as an interpreter ends.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: What commands import on their way, beside the harness itself.
_LATER = ("pandas", "psutil", "rich.progress", "matplotlib.figure", "matplotlib.backends.backend_agg", "markdown_it")


def python_path(*folders: Path | str) -> str:
    """These before what this process itself was given, which may be where the project's packages come from."""
    before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*map(str, folders), *filter(None, before)]))


class Forker:
    """The process that forks the others, started with the first order and ended with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], limit_s: float
    ) -> tuple[int, str, str]:
        """Exit status (negative for a signal), standard output and error. Raises TimeoutError."""
        if self._process is None:
            self._process = self._started()
        with tempfile.TemporaryDirectory() as place:
            files = [Path(place) / name for name in ("out", "error")]
            order = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment),
                     "files": list(map(str, files))}  # fmt: skip
            orders, answers = self._process.stdin, self._process.stdout
            assert orders is not None
            assert answers is not None
            orders.write(json.dumps(order).encode() + b"\n")
            orders.flush()
            if not select.select([answers], [], [], limit_s)[0]:
                os.killpg(self._process.pid, signal.SIGKILL)
                self.end()
                raise TimeoutError(f"{' '.join(arguments)} took longer than {limit_s:g} s")
            status = int(answers.readline())
            out, error = (file.read_text(encoding="utf-8") for file in files)
        return status, out, error

    def _started(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": python_path(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked"], cwd=ROOT, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        atexit.register(self.end)
        return process

    def end(self) -> None:
        """Let it go; the next order starts another."""
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process.wait()
            self._process = None


def _serve() -> bool:
    """Fork for one order after another; True in a process that is to do the one whose place it has taken."""
    packages = [name for name in os.environ["PYTHONPATH"].split(os.pathsep) if name]
    libraries = sys.path[1 + len(packages) :]
    while line := sys.stdin.buffer.readline():
        child = os.fork()
        if child == 0:
            _become(json.loads(line), libraries)
            return True
        _, status = os.waitpid(child, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    return False


def _become(order: dict[str, Any], libraries: list[str]) -> None:
    """Take on the surroundings that a process started for this order would have, but for its ancestors' group."""
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    added = [path for path in order["environment"].get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [order["folder"], *added, *libraries]
    sys.argv[:] = ["bench", *order["arguments"]]
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for descriptor, path, flags in zip((0, 1, 2), (os.devnull, *order["files"]), (os.O_RDONLY, new, new), strict=True):
        opened = os.open(path, flags)
        os.dup2(opened, descriptor)
        os.close(opened)


def _import_all() -> None:
    import bench

    for module in pkgutil.walk_packages(bench.__path__, "bench."):
        # torch is for those that need it, and `__main__` is what is run in the end
        if module.name not in ("bench.__main__", "bench.workloads.stargan_network", "bench.workloads.stargan_export"):
            import_module(module.name)
    for name in _LATER:
        import_module(name)


if __name__ == "__main__":
    _import_all()
    gc.freeze()  # an interpreter that ends looks through all that it ever imported, unless told that it is for good
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside the threads of numpy's library
    if _serve():
        warnings.resetwarnings()
        runpy.run_module("bench", run_name="__main__", alter_sys=True)
