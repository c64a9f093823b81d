"""Whether TensorRT is usable here, told without touching it; and what a diagnosis says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends import host
from backends._cuda import Vendor
from backends.base import BackendUnavailable, Device, DeviceInfo
from backends.tensorrt import TensorRTBackend, TensorRTRTXBackend
from backends.tensorrt.library import load_module
from backends.tensorrt.probe import availability
from backends.tensorrt.products import RTX, TENSORRT
from tests.backends.tensorrt.machines import machine
from tests.backends.tiny import tiny_model

CARDS = (DeviceInfo(Device("cuda", 0), "Tesla T4", "0000:3b:00.0"),)


def cuda(driver: int = 13000, **modules: str) -> Vendor:
    installed = {name.replace("_", "-"): version for name, version in modules.items()}
    return Vendor(installed=lambda: installed, driver_version=lambda: driver)


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Distributions that are there; the module is, if any of them is."""
    there: dict[str, str] = {}

    def version(*names: str) -> str | None:
        return next((there[name] for name in names if name in there), None)

    monkeypatch.setattr(host, "package_version", version)
    monkeypatch.setattr(host, "installed", lambda module: bool(there))
    return there


def test_all_there_is_usable_with_its_cards_and_versions(packages: dict[str, str]) -> None:
    packages["tensorrt"] = packages["tensorrt-cu13"] = "11.4.0.106"
    found = availability(TENSORRT, CARDS, cuda(cuda_bindings="13.5.0"))
    assert found.usable
    assert not found.reason
    assert found.devices == CARDS
    assert found.versions == {"tensorrt": "11.4.0.106", "cuda-bindings": "13.5.0", "driver's CUDA": "13.0"}


def test_an_engine_of_a_library_for_another_cuda_is_another_engine(tmp_path: Path, packages: dict[str, str]) -> None:
    model = tiny_model(tmp_path)
    with machine() as here:
        for name, how in (
            ("tensorrt-cu13", "built now"),
            ("tensorrt-cu13", "from the cache"),
            ("tensorrt-cu12", "built now"),
        ):
            packages.clear()
            packages[name] = "11.4.0.106"
            assert here.prepare(model).settings["engine"] == how


@pytest.mark.parametrize(
    ("driver", "cards", "words"),
    [
        (0, (), "no NVIDIA driver is loaded; TensorRT is not installed either"),
        (0, CARDS, r"libcuda\.so\.1 does not load.*--gpus all"),
        (13000, (), "lists no card"),
    ],
)
def test_the_driver_comes_first(packages: dict[str, str], driver: int, cards: Any, words: str) -> None:
    found = availability(TENSORRT, cards, cuda(driver))
    assert not found.usable
    assert re.search(words, found.reason), found.reason


@pytest.mark.parametrize(
    ("product", "words"),
    [(TENSORRT, "its wheels come from NVIDIA's own package index"), (RTX, "pip install tensorrt-rtx-cu13-libs")],
)
def test_what_is_not_installed_is_said_with_where_it_comes_from(
    packages: dict[str, str], product: Any, words: str
) -> None:
    found = availability(product, CARDS, cuda(cuda_bindings="13.5.0"))
    assert found.reason.startswith(f"{product.title} is not installed; ")
    assert words in found.reason


@pytest.mark.parametrize(
    ("package", "driver", "words"),
    [
        ("tensorrt-cu13", 12080, "built for CUDA 13; install driver r580 or newer, or a tensorrt for CUDA 12"),
        ("tensorrt-cu13", 12000, "install driver r580 or newer."),
        ("tensorrt-cu12", 12010, "it knows CUDA 12.1, and this TensorRT is built for CUDA 12; install driver r535"),
        ("tensorrt-cu12", 12020, ""),
        ("tensorrt-cu12", 13000, ""),
    ],
)
def test_a_driver_too_old_for_the_build(packages: dict[str, str], package: str, driver: int, words: str) -> None:
    packages[package] = "11.4.0.106"
    found = availability(TENSORRT, CARDS, cuda(driver, cuda_bindings="12.9.0"))
    assert found.usable == (not words)
    assert words in found.reason


def test_a_system_s_own_package_needs_no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "package_version", lambda *names: None)
    monkeypatch.setattr(host, "installed", lambda module: module == "tensorrt")
    found = availability(TENSORRT, CARDS, cuda(pycuda="2026.1"))
    assert found.usable
    assert found.versions == {"pycuda": "2026.1", "driver's CUDA": "13.0"}


def test_cuda_needs_a_module_of_python_s(packages: dict[str, str]) -> None:
    packages["tensorrt"] = "10.16.1.11"
    found = availability(TENSORRT, CARDS, cuda(12080))
    assert "pip install 'cuda-bindings==12.*', or build pycuda" in found.reason


def test_probing_imports_neither_tensorrt_nor_cuda() -> None:
    code = (
        "import sys; from backends.tensorrt import TensorRTBackend, TensorRTRTXBackend;"
        "print(TensorRTBackend().probe().usable, TensorRTRTXBackend().probe().usable);"
        "print([m for m in ('tensorrt', 'tensorrt_rtx', 'tensorrt_rtx_bindings', 'cuda', 'pycuda', 'onnx')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"


@pytest.mark.parametrize("backend", [TensorRTBackend(), TensorRTRTXBackend()])
def test_both_say_what_they_are(backend: TensorRTBackend) -> None:
    assert backend.product.name == backend.name
    assert backend.product.title == backend.title


def test_a_module_that_does_not_load_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in TENSORRT.modules:
        monkeypatch.delitem(sys.modules, name, raising=False)
    text = "libnvonnxparser.so.11: cannot open shared object file: No such file or directory"
    (tmp_path / "tensorrt.py").write_text(f"raise ImportError({text!r})")
    with pytest.raises(BackendUnavailable, match=r"import tensorrt failed \(libnvonnxparser\.so\.11: .*of one version"):
        load_module(TENSORRT)


def test_a_diagnosis_tells_the_driver_the_card_and_the_library() -> None:
    with machine() as here:
        lines = here.backend.diagnose(here.DEVICE)
    text = "\n".join(lines)
    for words in ("driver: knows CUDA 13.0", "Tesla T4", "compute capability 7.5", "TensorRT 10.16.1.11 is", "FP16",
                  "a runtime was made", "a builder was made; plugins found"):  # fmt: skip
        assert words in text


def test_a_diagnosis_without_a_driver_touches_nothing_of_tensorrt() -> None:
    with machine({"driver_version": 0}) as here:
        lines = here.backend.diagnose(here.DEVICE)
        assert not here.module.state.calls
    assert "driver: none" in lines
    assert lines[-1].startswith("cuda:0: ")
