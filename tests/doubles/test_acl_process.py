"""Beginning and end of a process, and how functions are called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doubles import acl as double
from tests.doubles.acl_scene import leaks, machine, rules

ROOT = Path(__file__).parents[2]


def test_nothing_works_before_init() -> None:
    acl = double.build()
    assert acl.rt.set_device(0) == 100001
    assert acl.rt.get_device_count() == (0, 100001)
    assert acl.mdl.create_dataset() == 0
    assert acl.finalize() == 100001
    assert rules(acl) == ["before-init"] * 4


def test_nothing_works_after_finalize() -> None:
    acl = machine()
    assert acl.finalize() == 0
    assert acl.rt.malloc(64, 0) == (0, 100001)
    assert acl.create_data_buffer(1, 1) == 0
    assert rules(acl) == ["after-finalize"] * 2


def test_a_second_init_and_a_second_finalize_are_told_so() -> None:
    acl = machine()
    assert acl.init() == 100002
    assert acl.finalize() == 0
    assert acl.finalize() == 100037
    assert acl.init() == 100002
    assert rules(acl) == ["init-twice", "finalize-twice", "init-twice"]


def test_a_missing_configuration_file_is_no_breach(tmp_path: Path) -> None:
    acl = double.build()
    assert acl.init(str(tmp_path / "acl.json")) == 100003
    assert acl.init() == 0
    assert rules(acl) == []


def test_the_last_message_belongs_to_its_thread_and_is_told_once() -> None:
    acl = machine()
    acl.rt.set_device(7)
    message = acl.get_recent_err_msg()
    assert "device 7 of 0..3" in message
    assert message.count("\n") > 1
    assert acl.get_recent_err_msg() is None


@pytest.mark.parametrize("given", [(5, 0), 5.0, np.int64(5), None])
def test_anything_else_than_an_int_for_a_handle_is_refused_as_by_a_c_extension(given: Any) -> None:
    acl = machine()
    with pytest.raises(TypeError, match="args parse failed"):
        acl.rt.set_context(given)
    assert rules(acl) == ["arguments"]


def test_a_tuple_that_was_not_unpacked_is_named() -> None:
    acl = machine()
    acl.rt.set_device(0)
    with pytest.raises(TypeError):
        acl.rt.free(acl.rt.malloc(64, 0))
    assert "not unpacked" in acl.state.violations[0].text


def test_too_few_arguments_and_names_for_them_are_refused() -> None:
    acl = machine()
    with pytest.raises(TypeError):
        acl.rt.malloc(64)
    with pytest.raises(TypeError):
        acl.rt.malloc(size=64, policy=0)


def test_what_the_machine_is_can_be_told() -> None:
    acl = machine(soc="Ascend310P3", chips=2, memory_bytes=1000)
    assert acl.get_soc_name() == "Ascend310P3"
    assert acl.rt.get_device_count() == (2, 0)
    assert acl.rt.get_run_mode() == (1, 0)
    acl.rt.set_device(1)
    assert acl.rt.get_device() == (1, 0)
    assert acl.rt.get_mem_info(0) == (1000, 1000, 0)
    assert acl.rt.get_mem_info(1) == (0, 0, 0)
    assert acl.rt.get_device_utilization_rate(0) == ({}, 207000)
    assert acl.get_version()[3] == 0


def test_machines_in_one_process_are_apart() -> None:
    first, second = machine(), machine()
    first.rt.set_device(0)
    assert second.rt.get_device() == (0, 107002)
    assert rules(first) == []


def test_finalize_before_reset_and_what_is_alive_by_then() -> None:
    acl = machine()
    acl.rt.set_device(2)
    acl.rt.create_stream()
    acl.rt.malloc(64, 0)
    acl.mdl.create_dataset()
    assert acl.finalize() == 0
    assert rules(acl) == ["finalize-before-reset"]
    assert leaks(acl) == ["dataset", "device-memory", "stream"]


def test_finalize_is_not_left_to_a_destructor() -> None:
    acl = machine()

    class Owner:
        def __del__(self) -> None:
            acl.finalize()

    owner = Owner()
    del owner
    assert acl.state.finalised
    assert rules(acl) == ["finalize-in-destructor"]


def test_use_after_a_fork_is_noticed() -> None:
    acl = machine()
    acl.state.pid = os.getpid() + 1
    acl.rt.get_device_count()
    acl.rt.get_device_count()
    assert rules(acl) == ["fork"]


def test_only_the_process_that_initialised_may_go_on(tmp_path: Path) -> None:
    code = """
import os
acl.init()
if os.fork() == 0:
    acl.rt.get_device_count()
    os._exit(0)
os.wait()
acl.finalize()
"""
    status, entries = run_child(tmp_path, code)
    assert status == 0
    assert [entry.rule for entry in entries if entry.kind == "violation"] == ["fork"]


def run_child(folder: Path, code: str, **config: Any) -> tuple[int, list[double.Entry]]:
    """Run a client in a process of its own: its exit status, and the journal."""
    journal = folder / "journal.jsonl"
    environment = double.install(folder, double.Config(journal=str(journal), **config))
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.doubles.acl import load\nacl = load()\n{code}"],
        env={**os.environ, **environment},
        cwd=folder,
        check=False,
    )
    return done.returncode, double.read_journal(journal)


def test_a_process_that_ends_without_finalize_leaves_its_leaks_in_the_journal(tmp_path: Path) -> None:
    status, entries = run_child(tmp_path, "acl.init(); acl.rt.set_device(1); acl.rt.malloc(64, 0)")
    assert status == 0
    assert [entry.kind for entry in entries] == ["start", "violation", "leak", "exit"]
    assert entries[1].rule == "exit-without-finalize"
    assert entries[2].rule == "device-memory"
    assert entries[3].calls == {"init": 1, "rt.set_device": 1, "rt.malloc": 1}
    assert double.faults_found(entries)[0].startswith("violation exit-without-finalize")


def test_a_process_that_finalizes_leaves_a_clean_journal(tmp_path: Path) -> None:
    status, entries = run_child(tmp_path, "acl.init(); acl.rt.set_device(1); acl.rt.reset_device(1); acl.finalize()")
    assert status == 0
    assert [entry.kind for entry in entries] == ["start", "exit"]
    assert double.faults_found(entries) == []


def test_a_violation_is_in_the_journal_before_the_process_dies(tmp_path: Path) -> None:
    fault = double.Fault(call="rt.get_device_count", effect="exit")
    code = "acl.init(); acl.init(); acl.rt.get_device_count()"
    status, entries = run_child(tmp_path, code, faults=(fault,))
    assert status == -11
    assert [entry.rule for entry in entries] == ["", "init-twice"]


def test_a_process_without_a_description_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(double.VARIABLE, raising=False)
    double.load.cache_clear()
    with pytest.raises(RuntimeError, match="BENCH_ACL_DOUBLE"):
        double.load()


def test_the_plug_in_is_found_and_hands_out_the_module_of_its_process(tmp_path: Path) -> None:
    code = """
from importlib.metadata import entry_points
(point,) = [point for point in entry_points(group="bench.backends") if point.name == "simulated-acl"]
backend = point.load()()
assert (backend.name, backend.simulated) == ("simulated-acl", True)
assert backend._library() is acl
assert acl.get_soc_name() == "Ascend310P3"
"""
    assert run_child(tmp_path, code, soc="Ascend310P3")[0] == 0


def test_processes_share_a_journal(tmp_path: Path) -> None:
    for _ in range(2):
        run_child(tmp_path, "acl.init(); acl.finalize(); acl.finalize()")
    entries = double.read_journal(tmp_path / "journal.jsonl")
    assert len({entry.pid for entry in entries}) == 2
    assert [entry.kind for entry in entries] == ["start", "violation", "exit"] * 2


def test_nothing_of_the_project_knows_the_double() -> None:
    packages = [ROOT / name for name in ("bench", "backends", "datasets", "reports")]
    sources = [path for package in packages for path in package.rglob("*.py")]
    assert len(sources) > 50
    assert [
        path for path in sources if "tests.doubles" in path.read_text() or double.VARIABLE in path.read_text()
    ] == []
