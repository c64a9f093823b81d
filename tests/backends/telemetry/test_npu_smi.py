"""The command npu-smi: a reading, and every way in which it fails. A script stands in for it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backends.telemetry import NpuSmiMonitor, Reading, TelemetryUnavailable, list_chips, slowed
from backends.telemetry import npu_smi as module
from tests.doubles import npu_smi


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root folder of a machine with one NPU, whose PATH is bin/ and the shell's own folders."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(module, "FOLDERS", (str(tmp_path / "sbin"),))
    namespace = tmp_path / "proc/self/ns/pid"
    namespace.parent.mkdir(parents=True)
    namespace.symlink_to("pid:[4026531836]")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/davinci0").touch()
    return tmp_path


def failure(machine: Path, device: int = 0, timeout_s: float = 60.0) -> str:
    with pytest.raises(TelemetryUnavailable) as caught:
        NpuSmiMonitor(device, timeout_s, machine)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_reading(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_910B)
    monitor = NpuSmiMonitor(1, root=machine)
    assert (monitor.source, monitor.driver, monitor.light) == ("npu-smi 25.2.0", "25.2.0", False)
    assert monitor.read() == Reading(
        power_w=88.9, temperature_c=39.0, utilization=0.0, memory_used_bytes=31738 * 2**20,
        memory_total_bytes=32768 * 2**20, other_processes=1, health="OK",
    )  # fmt: skip
    assert slowed(monitor.read()) is None
    monitor.close()
    monitor.close()
    assert monitor.read() == Reading()


def test_only_the_processes_on_that_chip_count(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_DUO.replace("4194302", f"{os.getpid():<7}"))
    assert NpuSmiMonitor(0, root=machine).read().other_processes == 1
    assert NpuSmiMonitor(1, root=machine).read().other_processes == 1  # two, and one of them is this


def test_processes_are_unknown_without_a_list_and_in_a_container(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_300I)
    assert NpuSmiMonitor(0, root=machine).read().other_processes is None
    npu_smi.install(machine / "bin", npu_smi.CARD_910B)
    (machine / "proc/self/ns/pid").unlink()
    (machine / "proc/self/ns/pid").symlink_to("pid:[4026532201]")
    assert NpuSmiMonitor(1, root=machine).read().other_processes is None


def test_the_rated_power_of_a_310_is_no_reading(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_300I)
    reading = NpuSmiMonitor(2, root=machine).read()
    assert (reading.power_w, reading.health, reading.utilization) == (None, "Alarm", 0.99)


def test_the_table_counts_and_not_the_exit_status(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_300I, err="some warning\n", status=1)
    assert len(list_chips(root=machine)) == 4


def test_a_command_off_the_path_is_found(machine: Path) -> None:
    npu_smi.install(machine / "sbin", npu_smi.CARD_300I)
    assert [chip.device for chip in list_chips(root=machine)] == [0, 1, 2, 3]


def test_a_device_that_goes_away_gives_an_empty_reading(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_DUO)
    monitor = NpuSmiMonitor(1, root=machine)
    npu_smi.install(machine / "bin", npu_smi.CARD_310P)
    assert monitor.read() == Reading()
    npu_smi.install(machine / "bin", npu_smi.NOT_LOADED)
    assert monitor.read() == Reading()


def test_not_installed(machine: Path) -> None:
    assert "npu-smi was not found on PATH nor in " in failure(machine)


def test_not_executable(machine: Path) -> None:
    npu_smi.install(machine / "sbin").chmod(0o644)
    assert f"no permission to run {machine / 'sbin/npu-smi'}" in failure(machine)
    npu_smi.install(machine / "bin").write_text("#!/\n")  # executable, but the system does not permit it
    assert f"no permission to run {machine / 'bin/npu-smi'}" in failure(machine)


def test_no_program_at_all(machine: Path) -> None:
    npu_smi.install(machine / "bin").write_bytes(b"\x7fELF of another machine")
    assert "cannot be run" in failure(machine)


@pytest.mark.parametrize("status", [0, 187])
def test_driver_not_loaded_whatever_the_exit_status(machine: Path, status: int) -> None:
    npu_smi.install(machine / "bin", npu_smi.NOT_LOADED, status=status)
    assert "the NPU driver is not ready (npu-smi: -8005)" in failure(machine)


def test_no_rights_to_the_device_are_told_from_a_driver_that_is_not_loaded(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npu_smi.install(machine / "bin", npu_smi.NOT_LOADED, status=187)
    monkeypatch.setattr(module.os, "access", lambda path, mode: "davinci" not in str(path))
    assert "no permission to use" in failure(machine)
    assert "group HwHiAiUser" in failure(machine)


@pytest.mark.parametrize("text", ["dcmi module initialize failed. ret is -8002\n", "open: Permission denied\n"])
def test_no_permission(machine: Path, text: str) -> None:
    npu_smi.install(machine / "bin", err=text, status=1)
    assert "no permission to use the NPU; add this user to the group HwHiAiUser" in failure(machine)


def test_a_container_without_devices(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.NOT_LOADED)
    (machine / "dev/davinci0").unlink()
    assert "the NPU driver is not ready" in failure(machine)  # no container: the driver is to blame
    (machine / ".dockerenv").touch()
    assert "this container was started without an NPU" in failure(machine)


def test_an_empty_list(machine: Path) -> None:
    npu_smi.install(machine / "bin", "".join(npu_smi.CARD_310P.splitlines(keepends=True)[:6]))
    assert "npu-smi lists no chip" in failure(machine)
    (machine / ".dockerenv").touch()
    (machine / "dev/davinci0").unlink()
    assert "this container was started without an NPU" in failure(machine)


def test_in_use_by_another_container(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.OCCUPIED, status=172)
    assert "in use by another container" in failure(machine)


def test_a_library_that_is_not_found(machine: Path) -> None:
    npu_smi.install(machine / "bin", err=npu_smi.NO_LIBRARY, status=127)
    assert "cannot load libdrvdsmi_host.so; source CANN's set_env.sh" in failure(machine)


def test_a_device_that_is_not_listed(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_300I)
    assert failure(machine, device=2048) == "npu-smi lists no device 2048; it lists 0, 1, 2, 3"


def test_an_unknown_text(machine: Path) -> None:
    npu_smi.install(machine / "bin", "Hello\nthere\n")
    assert "was not understood: it begins with 'Hello'" in failure(machine)


def test_a_hang_ends_and_leaves_no_process_behind(machine: Path) -> None:
    npu_smi.install(machine / "bin", then=f"sleep 600 &\necho $! $$ >{machine}/pids\nwait")
    assert "did not answer within 2 s" in failure(machine, timeout_s=2.0)
    pids = [int(pid) for pid in (machine / "pids").read_text().split()]
    for _ in range(1000):  # the kernel takes a moment to bury them
        if not any(_runs(pid) for pid in pids):
            break
        time.sleep(0.01)
    assert len(pids) == 2
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
