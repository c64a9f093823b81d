"""What is told of a machine before anything is opened, and what a diagnosis from afar shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backends.acl import probe
from backends.acl.library import load_module
from backends.base import Availability, BackendUnavailable, Device
from backends.telemetry import npu_smi as module
from tests.backends.acl.machines import machine
from tests.doubles import npu_smi
from tests.doubles.acl import Fault


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that npu-smi is looked for in, and nowhere else."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(module, "FOLDERS", ())
    monkeypatch.delenv("ASCEND_RT_VISIBLE_DEVICES", raising=False)
    return tmp_path


def seen(folder: Path, table: str) -> Availability:
    npu_smi.install(folder, table)
    return probe.availability()


def test_four_chips_with_one_npu_id_are_an_atlas_300i(card: Path) -> None:
    found = seen(card, npu_smi.CARD_300I)
    assert found.usable
    assert [(str(info.device), info.card, info.address) for info in found.devices] == [
        (f"npu:{chip}", "Atlas 300I", f"0000:6{chip + 1}:00.0") for chip in range(4)
    ]
    assert found.versions["driver"] == "20.2.2"
    assert any("Alarm" in warning for warning in found.warnings)
    assert probe.soc_name(3) == "Ascend310"
    assert probe.soc_name(7) == ""


def test_one_310p3_is_an_atlas_300i_pro(card: Path) -> None:
    found = seen(card, npu_smi.CARD_310P)
    assert [info.card for info in found.devices] == ["Atlas 300I Pro"]


def test_a_lone_310_is_no_card_of_the_catalogue_and_says_so(card: Path) -> None:
    found = seen(card, npu_smi.BOARD_310)
    assert [info.card for info in found.devices] == ["Ascend310"]
    assert any("Atlas 300I with 4" in warning and "of one chip" in warning for warning in found.warnings)


def test_without_npu_smi_and_nodes_it_is_not_usable(card: Path) -> None:
    found = probe.availability()
    assert not found.usable
    assert "npu-smi was not found" in found.reason
    assert found.reason.endswith(".")


def test_a_mask_that_renumbers_chips_is_refused(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "2,3")
    found = seen(card, npu_smi.CARD_300I)
    assert not found.usable
    assert "--device npu:2" in found.reason


def test_another_package_named_acl_is_told_from_canns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acl.py").write_text("ACL_USER = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    with pytest.raises(BackendUnavailable, match=r"acl\.py, which is not CANN's .it has no init"):
        load_module()


def test_a_library_that_does_not_load_is_said_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acl.py").write_text("raise OSError('libascendcl.so: cannot open shared object file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acl", raising=False)
    with pytest.raises(BackendUnavailable, match=r"libascendcl\.so: cannot open"):
        load_module()


def test_a_diagnosis_opens_the_chip_and_tells_each_step(card: Path) -> None:
    npu_smi.install(card, npu_smi.CARD_300I)
    with machine(api="old") as here:
        lines = here.backend.diagnose(Device("npu", 1))
    text = "\n".join(lines)
    for words in ("ASCEND_HOME_PATH", "acl.get_soc_name() gives 'Ascend310'", "chip 1 opened",
                  "there and back: the same", "chip 1 closed", "chips: 4", "device nodes:"):  # fmt: skip
        assert words in text


def test_a_diagnosis_of_a_chip_that_does_not_open_says_why(card: Path) -> None:
    with machine(faults=(Fault(call="rt.create_context", code=507033),)) as here:
        text = "\n".join(here.backend.diagnose(Device("npu", 1)))
    assert "chip 1: acl.rt.create_context failed with 507033 (the device does not start)" in text
    assert "HwHiAiUser" in text
