"""Device locks: exclusive between processes, gone with their holder, safe in a folder that everybody may write."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import locks
from bench.errors import UsageError
from tests.command import ROOT

HOLDER = """
import sys, time
from bench.locks import hold
with hold(["cpu-0", "npu:1"], 0, print):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(locks.FOLDER_VARIABLE, str(tmp_path / "locks"))
    return tmp_path / "locks"


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_device_that_is_held_is_refused_with_its_holder(holder: subprocess.Popen[str]) -> None:
    words = rf"npu:1 is in use by process {holder.pid} of .* since .*--lock-timeout"
    with pytest.raises(UsageError, match=words), locks.hold(["npu:1"], 0, print):
        pass
    with locks.hold(["npu:2", "cpu-1"], 0, print):
        pass  # other devices are free


def test_a_killed_holder_leaves_no_stale_lock(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with locks.hold(["cpu-0", "npu:1"], 0, print):
        pass


def test_waiting_says_whom_it_waits_for_once(holder: subprocess.Popen[str]) -> None:
    said: list[str] = []
    with pytest.raises(UsageError, match="in use"), locks.hold(["cpu-0"], 1.2, said.append):
        pass
    assert len(said) == 1
    assert f"waiting for cpu-0, in use by process {holder.pid}" in said[0]


def test_locks_are_released_after_an_error_in_the_block(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), locks.hold(["cpu-0"], 0, print):
        raise ZeroDivisionError
    with locks.hold(["cpu-0"], 0, print):
        pass


def test_the_second_of_two_devices_that_is_busy_frees_the_first(holder: subprocess.Popen[str]) -> None:
    with pytest.raises(UsageError), locks.hold(["a-device", "npu:1"], 0, print):
        pass
    with locks.hold(["a-device"], 0, print):
        pass


def test_every_user_may_open_the_lock_files(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with locks.hold(["0000:3b:00.0"], 0, print):
            pass
    finally:
        os.umask(before)
    (path,) = folder.iterdir()
    assert path.name == "0000_3b_00.0.lock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777


def test_a_link_in_the_place_of_a_lock_is_not_followed(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder.mkdir()
    (folder / "cpu-0.lock").symlink_to(precious)
    with pytest.raises(UsageError, match=r"cannot lock cpu-0 .* BENCH_LOCK_DIR"), locks.hold(["cpu-0"], 0, print):
        pass
    assert precious.read_text() == "mine"


def test_a_hard_link_in_the_place_of_a_lock_is_left_alone(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder.mkdir()
    (folder / "cpu-0.lock").hardlink_to(precious)
    with (
        pytest.raises(UsageError, match=r"hard link to another file; .*BENCH_LOCK_DIR"),
        locks.hold(["cpu-0"], 0, print),
    ):
        pass
    assert precious.read_text() == "mine"


def test_a_pipe_in_the_place_of_a_lock_is_refused(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "cpu-0.lock")
    with pytest.raises(UsageError, match="it is no regular file"), locks.hold(["cpu-0"], 0, print):
        pass


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_the_place_of_the_folder_is_not_followed(folder: Path, tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "precious"
    if exists:
        target.mkdir()
        (target / "cpu-0.lock").write_text("mine")
        target.chmod(0o755)
    folder.symlink_to(target)
    with pytest.raises(UsageError, match="the folder is a symbolic link; "), locks.hold(["cpu-0"], 0, print):
        pass
    assert target.exists() == exists
    if exists:
        assert (target / "cpu-0.lock").read_text() == "mine"
        assert stat.S_IMODE(target.stat().st_mode) == 0o755


def _give_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the folder be another user's."""
    if os.geteuid() == 0:
        os.chown(folder, 12345, 12345)
    else:
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)


def test_a_folder_that_another_user_shares_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    folder.chmod(0o1777)
    _give_away(folder, monkeypatch)
    with locks.hold(["cpu-0"], 0, print):
        assert (folder / "cpu-0.lock").exists()


def test_a_folder_that_another_user_keeps_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    _give_away(folder, monkeypatch)
    words = r"the folder is another user's.*BENCH_LOCK_DIR"
    with pytest.raises(UsageError, match=words), locks.hold(["cpu-0"], 0, print):
        pass
    assert not list(folder.iterdir())


@pytest.mark.parametrize(("mode", "usual"), [(0o1777, True), (0o755, False), (0o775, False), (None, False)])
def test_the_folder_does_not_depend_on_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int | None, usual: bool
) -> None:
    """Root may write in a folder of mode 755, which the others may not."""
    shared = tmp_path / "run-lock"
    if mode is not None:
        shared.mkdir()
        shared.chmod(mode)
    monkeypatch.delenv(locks.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(locks, "_SHARED", shared)
    for may_write in (True, False):
        monkeypatch.setattr(os, "access", lambda *_, answer=may_write, **__: answer)
        assert locks.folder() == (shared if usual else Path("/tmp")) / "inference-bench"


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"{",
        b"[]",
        b'{"user": "x"}',
        b"\xff\xfe",
        b'{"user":"a\\u001b[31m\\n\\u202e","pid":1,"since":""}',
        b'{"user":"x","pid":Infinity,"since":""}',
        b'{"user":"x","pid":1e999,"since":""}',
        b'{"user":"x","pid":' + b"9" * 400 + b',"since":""}',
        b'{"user":"' + b"u" * 900 + b'","pid":7,"since":"' + b"s" * 900 + b'"}',
    ],
)
def test_whatever_stands_in_a_lock_file_is_harmless(folder: Path, note: bytes) -> None:
    folder.mkdir()
    path = folder / "cpu-0.lock"
    path.write_bytes(note)
    with path.open("rb") as file:
        text = locks._holder(file.fileno())
    assert text.isprintable()
    assert len(text) < 120
    with locks.hold(["cpu-0"], 0, print):
        assert str(os.getpid()) in path.read_text()


def test_a_long_name_is_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_user", lambda: "u" * 5000 + "\x1b")
    with locks.hold(["cpu-0"], 0, print):
        text = f"process {os.getpid()} of {'u' * 39}… since 2"
        with pytest.raises(UsageError, match=re.escape(text)), locks.hold(["cpu-0"], 0, print):
            pass


def test_a_folder_that_cannot_be_used_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locks.FOLDER_VARIABLE, "/dev/null/locks")
    with pytest.raises(UsageError, match="cannot lock cpu-0"), locks.hold(["cpu-0"], 0, print):
        pass
