"""Which Python and which files a process runs with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.interpreter import Interpreter, own_path, own_root
from bench.messages import NoiseTask, Ran
from bench.process import run_worker


def run(interpreter: Interpreter, code: str, cwd: Path) -> str:
    done = subprocess.run(
        [*interpreter.command, "-c", code], env=interpreter.variables(), cwd=cwd, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.strip()


def checkout(folder: Path) -> Path:
    (folder / "bench").mkdir(parents=True)
    (folder / "bench" / "__init__.py").touch()
    (folder / "bench" / "__main__.py").touch()
    return folder


def test_a_checkout_comes_first_whatever_the_working_folder_holds(tmp_path: Path) -> None:
    wanted, other = checkout(tmp_path / "wanted"), checkout(tmp_path / "other")
    interpreter = Interpreter.of(None, wanted, {"PYTHONPATH": str(other), "FLAVOUR": "plain"})
    where = "import bench, os; print(bench.__file__, os.environ['FLAVOUR'])"
    assert run(interpreter, where, cwd=other) == f"{wanted / 'bench' / '__init__.py'} plain"


def test_without_a_checkout_it_is_this_one(tmp_path: Path) -> None:
    interpreter = Interpreter.of(None, None, {})
    assert run(interpreter, "import bench; print(bench.__file__)", cwd=tmp_path) == str(
        own_root() / "bench" / "__init__.py"
    )
    assert own_path() == [str(own_root())]


def test_installed_files_are_left_to_the_other_interpreters_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("site.getsitepackages", lambda: [str(own_root())])
    assert own_path() == []


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no-such-python is no program"):
        Interpreter.of("no-such-python", None, {})
    with pytest.raises(UsageError, match="no checkout of this project"):
        Interpreter.of(None, tmp_path, {})


def test_workers_run_in_the_interpreter_that_they_are_given(tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\necho "$MARK" > "{tmp_path}/seen"\nexec "{sys.executable}" "$@"\n')
    wrapper.chmod(0o755)
    interpreter = Interpreter.of(str(wrapper), None, {"MARK": "side by side"})
    outcome = run_worker(NoiseTask(samples=3), lambda _: None, interpreter=interpreter)
    assert isinstance(outcome.result, Ran)
    assert (tmp_path / "seen").read_text() == "side by side\n"
    assert "MARK" not in os.environ
