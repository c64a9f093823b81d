"""NVIDIA's cards as the driver lists them, under the masks and orders that CUDA takes from the environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backends import nvidia, registry
from backends._cuda import driver as cuda_driver
from backends.base import Device, DeviceInfo
from backends.nvidia import nvidia_devices, plain_address, same_card, unlisted
from tests.doubles.fake_pynvml import NOT_SUPPORTED, Card, FakeNvml

FIRST, SECOND = "0000:3b:00.0", "0000:af:00.0"
A10, T4 = "GPU-9a1b0c2d-0000-1111-2222-333344445555", "GPU-9f00ba12-0000-1111-2222-333344445555"


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel driver shows of two cards."""
    for variable in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(variable, raising=False)
    for address, name, uuid in ((SECOND, "Tesla T4", T4), (FIRST, "NVIDIA A10", A10)):
        (tmp_path / address).mkdir()
        text = f"Model: \t\t {name}\nIRQ:   \t\t 105\nGPU UUID: \t {uuid}\nVideo BIOS: \t ??.??.??.??.??\n"
        (tmp_path / address / "information").write_text(text)
    monkeypatch.setattr(nvidia, "_KERNEL", tmp_path)
    return tmp_path


def info(number: int, name: str, address: str) -> DeviceInfo:
    return DeviceInfo(Device("cuda", number), name, address)


def test_cards_have_their_pci_address(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nvidia_devices() == (info(0, "NVIDIA A10", FIRST), info(1, "Tesla T4", SECOND))
    monkeypatch.setattr(nvidia, "_KERNEL", driver / "none")
    monkeypatch.setattr(cuda_driver, "version", lambda: 0)
    assert nvidia_devices() == ()


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("1", (info(0, "Tesla T4", SECOND),)),
        ("1,0", (info(0, "Tesla T4", SECOND), info(1, "NVIDIA A10", FIRST))),
        ("0,7,1", (info(0, "NVIDIA A10", FIRST),)),
        ("0,0", ()),  # CUDA shows nothing where a card is named twice
        (f"{A10},GPU-9a1", ()),
        ("+1", (info(0, "Tesla T4", SECOND),)),
        ("1st,0", (info(0, "Tesla T4", SECOND), info(1, "NVIDIA A10", FIRST))),
        (f"{A10},1", (info(0, "NVIDIA A10", FIRST),)),  # one kind of name, that of the first
        (f"1,{A10}", (info(0, "Tesla T4", SECOND),)),
        ("-1", ()),
        ("", ()),
        (T4, (info(0, "Tesla T4", SECOND),)),
        (f"GPU-9F0, {A10}", (info(0, "Tesla T4", SECOND), info(1, "NVIDIA A10", FIRST))),
        ("GPU-9", ()),  # CUDA takes a beginning for none where two cards have it
        ("GPU-1234", ()),
        ("MIG-1234", (info(0, "NVIDIA A10", ""), info(1, "Tesla T4", ""))),
    ],
)
def test_addresses_follow_the_mask(
    driver: Path, monkeypatch: pytest.MonkeyPatch, mask: str, expected: tuple[DeviceInfo, ...]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
    assert nvidia_devices() == expected


def test_an_order_of_the_users_own_leaves_addresses_unknown(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    assert [each.address for each in nvidia_devices()] == ["", ""]
    (driver / SECOND / "information").unlink()
    (driver / SECOND).rmdir()
    assert [each.address for each in nvidia_devices()] == [FIRST]


def test_uuids_that_the_driver_does_not_tell_leave_addresses_unknown(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = (driver / FIRST / "information").read_text().replace(A10, "GPU-????????-????-????-????-????????????")
    (driver / FIRST / "information").write_text(hidden)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", T4)
    assert nvidia_devices() == (info(0, "NVIDIA A10", ""), info(1, "Tesla T4", ""))


@pytest.fixture
def nodes(driver: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /dev, on a machine whose kernel tells the cards' minor numbers: not in the order of the addresses."""
    for address, minor in ((FIRST, 1), (SECOND, 0)):
        with (driver / address / "information").open("a") as file:
            file.write(f"Device Minor: \t {minor}\nGPU Excluded:\t No\n")
    folder = driver.parent / f"{driver.name}-dev"
    folder.mkdir()
    monkeypatch.setattr(nvidia, "_NODES", folder)
    return folder


def test_a_container_has_only_the_cards_that_it_was_given(
    driver: Path, nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nodes / "nvidia0").touch()
    assert nvidia_devices() == (info(0, "Tesla T4", SECOND),)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # of those, as a batch system sets it
    assert nvidia_devices() == (info(0, "Tesla T4", SECOND),)
    (nodes / "nvidia1").touch()
    assert nvidia_devices() == (info(0, "NVIDIA A10", FIRST),)


def test_cards_whose_node_is_closed_are_not_this_process_s(
    driver: Path, nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = nvidia_devices()
    assert len(both) == 2, "before CUDA first runs there may be no node at all"
    for minor in (0, 1):
        (nodes / f"nvidia{minor}").touch()
    closed = {nodes / "nvidia0"}
    # As a control group does; file modes do not hold for root, who may run this test.
    monkeypatch.setattr(nvidia.os, "access", lambda path, mode: path not in closed and Path(path).exists())
    assert nvidia_devices() == (info(0, "NVIDIA A10", FIRST),)
    closed.add(nodes / "nvidia1")
    assert nvidia_devices() == both, "CUDA itself is to say why"


def test_a_card_that_was_excluded_has_no_number(driver: Path, nodes: Path) -> None:
    text = (driver / FIRST / "information").read_text()
    (driver / FIRST / "information").write_text(text.replace("GPU Excluded:\t No", "GPU Excluded:\t Yes"))
    assert nvidia_devices() == (info(0, "Tesla T4", SECOND),)


@pytest.mark.parametrize(
    ("listed", "told", "same"),
    [
        ("NVIDIA L4", "NVIDIA L4", True),
        ("NVIDIA L4", "NVIDIA L40S", False),
        ("NVIDIA GeForce RTX 3080", "NVIDIA GeForce RTX 3080 Ti", False),
        ("NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", True),
        ("NVIDIA GPU", "Tesla T4", True),  # what stands for a name that could not be read
    ],
)
def test_one_name_that_begins_another_is_another_card(listed: str, told: str, same: bool) -> None:
    assert same_card(listed, told) is same


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a driver, whose kernel has no folder of cards."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    monkeypatch.setattr(nvidia, "_KERNEL", tmp_path / "none")
    monkeypatch.setattr(cuda_driver, "version", lambda: 13000)


@pytest.mark.parametrize("encoded", [False, True], ids=["text", "bytes of older packages"])
def test_without_the_kernels_folder_nvml_lists_them(
    sandbox: None, monkeypatch: pytest.MonkeyPatch, encoded: bool
) -> None:
    names: list[str | bytes] = ["NVIDIA A10", "Tesla T4"]
    cards = [Card(name=name.encode() if encoded else name) for name in map(str, names)]
    nvml = FakeNvml(dict(zip((FIRST, SECOND), cards, strict=True)))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert nvidia_devices() == (info(0, "NVIDIA A10", FIRST), info(1, "Tesla T4", SECOND))
    assert unlisted(nvidia_devices()) == ""
    assert nvml.users == 0
    nvml.errors["nvmlDeviceGetCount"] = NOT_SUPPORTED
    assert nvidia_devices() == ()
    assert nvml.users == 0


def test_a_card_that_nvml_cannot_reach_costs_the_others_their_addresses_only(
    sandbox: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = FakeNvml({FIRST: Card(name="NVIDIA A10"), SECOND: Card(name="Tesla T4")})
    reach = nvml.nvmlDeviceGetHandleByIndex

    def lost(index: int) -> object:
        if index == 0:
            raise nvml.NVMLError(NOT_SUPPORTED)
        return reach(index)

    monkeypatch.setattr(nvml, "nvmlDeviceGetHandleByIndex", lost)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert nvidia_devices() == (info(0, "Tesla T4", ""),)
    assert unlisted(nvidia_devices()) == ""
    assert nvml.users == 0


def test_a_driver_without_a_listed_card_is_told_by_those_that_would_go_to_the_cpu(
    sandbox: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # importing it fails
    monkeypatch.setattr("backends.pytorch.backend.built_for_cuda", lambda version: True)
    for words in ("no card is listed", "nvidia-smi", "nvidia-ml-py"):
        assert words in unlisted(nvidia_devices())
    assert registry.load("pytorch").probe().warnings == (unlisted(nvidia_devices()),)
    monkeypatch.setattr("backends.pytorch.backend.built_for_cuda", lambda version: False)
    assert registry.load("pytorch").probe().warnings == ()


def test_cards_that_are_hidden_on_purpose_are_no_reason_to_warn(
    sandbox: None, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "_KERNEL", driver)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert nvidia_devices() == ()
    assert unlisted(nvidia_devices()) == ""


def test_without_a_driver_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cuda_driver, "version", lambda: 0)
    monkeypatch.setattr(nvidia, "_KERNEL", tmp_path / "none")
    nvml = FakeNvml({FIRST: Card()})
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert nvidia_devices() == ()
    assert nvml.calls == []


@pytest.mark.parametrize(
    ("text", "plain"),
    [("00000000:3B:00.0", FIRST), (FIRST, FIRST), ("0001:0a:1f.7", "0001:0a:1f.7"), ("unknown", "unknown")],
)
def test_an_address_has_one_spelling(text: str, plain: str) -> None:
    assert plain_address(text) == plain
