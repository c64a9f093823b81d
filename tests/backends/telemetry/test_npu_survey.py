"""What chips there are, by npu-smi and by the device nodes: never an exception, always one line on what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.telemetry import npu_smi as module
from backends.telemetry.npu_nodes import device_nodes
from backends.telemetry.npu_smi import NpuSurvey, survey
from tests.doubles import npu_smi

SHARED = ("davinci_manager", "devmm_svm", "hisi_hdc")
UNHURRIED_S = 60.0


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root folder with one NPU and all device nodes, whose PATH is bin/ and the shell's own folders."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(module, "FOLDERS", (str(tmp_path / "sbin"),))
    (tmp_path / "dev").mkdir()
    for name in ("davinci0", *SHARED):
        (tmp_path / "dev" / name).touch()
    return tmp_path


def without(machine: Path, *names: str) -> None:
    for name in names:
        (machine / "dev" / name).unlink()


def problem(machine: Path, timeout_s: float = UNHURRIED_S) -> str:
    found = survey(timeout_s, machine)
    assert found.chips == found.cards == found.warnings == ()
    assert found.problem
    assert "\n" not in found.problem
    return found.problem


def test_an_atlas_300i_is_one_card_of_four_chips(machine: Path) -> None:
    npu_smi.install(machine / "sbin", npu_smi.CARD_300I)
    found = survey(UNHURRIED_S, machine)
    assert (found.problem, found.version, found.driver) == ("", "20.2.2", "20.2.2")
    assert [(chip.device, chip.npu, chip.chip, chip.name) for chip in found.chips] == [
        (number, 2048, number, "310") for number in range(4)
    ]
    assert found.cards == (found.chips,)
    assert found.warnings == (
        "npu-smi calls the health of device 2 (310, NPU 2048, chip 2) Alarm; see npu-smi info -t health -i 2048 -c 2",
    )


def test_all_of_it_for_a_person(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_300I)
    lines = survey(UNHURRIED_S, machine).told()
    assert len(lines) == 6
    assert lines[0] == "npu-smi 20.2.2, driver 20.2.2, chips: 4, cards: 1"
    assert lines[3] == (
        "device 2: 310 (NPU 2048, chip 2, bus 0000:63:00.0), health Alarm, 12.8 W (rated), 88 degrees C, 99 % AICore,"
        " 2705 of 8192 MiB"
    )
    npu_smi.install(machine / "bin", npu_smi.BOARD_310B)
    assert "bus unknown), health Alarm, 61 degrees C, 2 % AICore" in survey(UNHURRIED_S, machine).told()[1]
    npu_smi.install(machine / "bin", npu_smi.NOT_LOADED)
    assert survey(UNHURRIED_S, machine).told() == [survey(UNHURRIED_S, machine).problem]


def test_cards_are_told_apart_by_their_npu_id(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_910B)
    assert [[chip.device for chip in card] for card in survey(UNHURRIED_S, machine).cards] == [[0], [1]]
    npu_smi.install(machine / "bin", npu_smi.CARD_DUO)
    assert [[chip.device for chip in card] for card in survey(UNHURRIED_S, machine).cards] == [[0, 1]]


def test_what_the_tool_warns_of_is_handed_on(machine: Path) -> None:
    npu_smi.install(machine / "bin", npu_smi.CARD_A3)
    assert survey(UNHURRIED_S, machine).warnings == (
        "npu-smi warns: The driver package may not be completely installed, which may cause function abnormal.",
    )
    npu_smi.install(machine / "bin", npu_smi.CARD_DUO, err="[WARNING] to the other stream\n")
    assert survey(UNHURRIED_S, machine).warnings == ("npu-smi warns: to the other stream",)


def test_not_installed_tells_what_the_device_nodes_say(machine: Path) -> None:
    assert problem(machine).endswith("the NPU driver is loaded (/dev/davinci0): put the folder of npu-smi on PATH")
    (machine / ".dockerenv").touch()
    assert problem(machine).endswith("; mount npu-smi into the container")
    without(machine, "davinci0")
    assert "mount it into the container; this container was started without an NPU" in problem(machine)
    (machine / ".dockerenv").unlink()
    assert problem(machine).endswith("; install the Ascend driver")


@pytest.mark.parametrize("status", [0, 1, 187])
def test_the_driver_is_not_loaded(machine: Path, status: int) -> None:
    npu_smi.install(machine / "bin", npu_smi.NOT_LOADED, status=status)
    assert "the NPU driver is not ready (npu-smi: -8005)" in problem(machine)


@pytest.mark.parametrize("node", ["davinci0", *SHARED])
def test_no_permission_for_a_node(machine: Path, monkeypatch: pytest.MonkeyPatch, node: str) -> None:
    npu_smi.install(machine / "bin", npu_smi.NOT_LOADED, status=187)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != node)
    assert problem(machine).startswith(f"no permission to use /dev/{node} (npu-smi: -8005); add this user to the group")


@pytest.mark.parametrize("out", [npu_smi.NOT_LOADED, "something else\n", ""])
@pytest.mark.parametrize("missing", [("davinci_manager",), SHARED, ("davinci0",)])
def test_a_container_that_lacks_nodes(machine: Path, missing: tuple[str, ...], out: str) -> None:
    npu_smi.install(machine / "bin", out)
    without(machine, *missing)
    (machine / ".dockerenv").touch()
    words = "an NPU" if missing == ("davinci0",) else ", ".join(f"/dev/{name}" for name in missing)
    assert problem(machine).startswith(
        f"this container was started without {words}; start it with --device for each of"
    )


def test_a_hang_is_given_up(machine: Path) -> None:
    npu_smi.install(machine / "bin", then="sleep 600")
    assert "did not answer within 0.2 s; run npu-smi info by hand" in problem(machine, 0.2)


@pytest.mark.parametrize("text", [npu_smi.OCCUPIED, npu_smi.NO_LIBRARY, "Segmentation fault\n", "\0\n", ""])
def test_error_texts_with_exit_status_0(machine: Path, text: str) -> None:
    npu_smi.install(machine / "bin", text)
    on_output = problem(machine)
    npu_smi.install(machine / "bin", err=text)
    assert problem(machine)
    assert "npu-smi" in on_output


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_whatever_it_prints_nothing_is_raised(machine: Path, content: bytes) -> None:
    (machine / "printed").write_bytes(content)
    npu_smi.install(machine / "bin", then=f"cat {machine}/printed")
    assert isinstance(survey(UNHURRIED_S, machine), NpuSurvey)


def test_all_nodes_are_there(machine: Path) -> None:
    (machine / "dev/davinci10").touch()
    (machine / "dev/davinci2").touch()
    nodes = device_nodes(machine)
    assert nodes.chips == ("/dev/davinci0", "/dev/davinci2", "/dev/davinci10")
    assert (nodes.missing, nodes.refused, nodes.problem) == ((), (), "")


def test_a_board_has_other_shared_nodes(machine: Path) -> None:
    without(machine, "devmm_svm", "hisi_hdc")
    assert device_nodes(machine).problem.startswith("there is no /dev/devmm_svm, /dev/hisi_hdc: the NPU driver is only")
    (machine / "dev/svm0").touch()
    assert device_nodes(machine).problem == ""


def test_nodes_that_may_not_be_used(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    nodes = device_nodes(machine)
    assert nodes.refused == ("/dev/davinci0", *(f"/dev/{name}" for name in SHARED))
    assert nodes.problem.startswith("no permission to use /dev/davinci0, ")
    assert "group HwHiAiUser" in nodes.problem


def test_no_nodes_at_all(tmp_path: Path) -> None:
    nodes = device_nodes(tmp_path)
    assert (nodes.chips, nodes.refused) == ((), ())
    assert nodes.missing == tuple(f"/dev/{name}" for name in SHARED)
    assert nodes.problem.startswith("there is no /dev/davinciN: the NPU driver is not installed, or not loaded")
