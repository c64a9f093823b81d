"""Opening CUDA: which module is taken, and the one line for each reason why it cannot be used."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from backends._cuda import APIS, DeviceFacts, device_facts, installed, open_cuda
from backends._cuda.bindings import BindingsCuda
from backends._cuda.vendor import load_bindings, load_pycuda
from backends.base import BackendUnavailable, DeviceError
from tests.backends.cuda.machines import world_of
from tests.doubles.cuda import Fault
from tests.doubles.cuda.vendor import vendor

BOTH = ("cuda-bindings", "pycuda")


@pytest.mark.parametrize(
    ("api", "there", "taken"),
    [
        ("auto", BOTH, "cuda-bindings"),
        ("auto", ("pycuda",), "pycuda"),
        ("auto", ("cuda-bindings",), "cuda-bindings"),
        ("pycuda", BOTH, "pycuda"),
        ("cuda-bindings", BOTH, "cuda-bindings"),
    ],
)
def test_what_is_taken(api: str, there: tuple[str, ...], taken: str) -> None:
    world = world_of()
    with open_cuda(0, api, vendor(world, there)) as cuda:
        assert cuda.name == taken
    assert world.end() == []


def test_an_unknown_interface_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no CUDA interface 'cupy'; there are auto, cuda-bindings, pycuda"):
        open_cuda(0, "cupy", vendor(world_of()))


def _refusal(api: str, there: tuple[str, ...], index: int = 0, **settings: Any) -> str:
    world = world_of(**settings)
    lines = set()
    for ask in (open_cuda, device_facts):
        with pytest.raises(BackendUnavailable) as caught:
            ask(index, api, vendor(world, there))
        lines.add(str(caught.value))
    assert world.end() == []
    (line,) = lines
    assert "\n" not in line
    assert line.endswith(".")
    return line


def test_nothing_installed_names_the_packages_for_this_driver() -> None:
    line = _refusal("auto", (), driver_version=12040)
    assert line.startswith("no Python module for CUDA is installed; pip install 'cuda-bindings==12.*'")
    assert "pip install pycuda" in line
    assert "CUDA toolkit" in line


def test_what_was_asked_for_is_not_installed() -> None:
    assert "pip install 'cuda-bindings==13.*'" in _refusal("cuda-bindings", ("pycuda",))
    assert "or use cuda-bindings, which is installed" in _refusal("pycuda", ("cuda-bindings",))
    assert "or use" not in _refusal("pycuda", ())


@pytest.mark.parametrize("there", [(), ("cuda-bindings",), ("pycuda",)])
def test_without_a_driver_the_line_is_about_the_driver(there: tuple[str, ...]) -> None:
    assert _refusal("auto", there, driver_version=0).startswith("no NVIDIA driver was found")


def test_a_driver_too_old_for_cuda_bindings_is_told_with_both_versions() -> None:
    line = _refusal("auto", BOTH, driver_version=12040, runtime_version=13000)
    assert "it knows CUDA 12.4, and this cuda-bindings needs 13.0" in line
    assert "pip install 'cuda-bindings==12.*'" in line


@pytest.mark.parametrize("api", BOTH)
def test_no_device_is_told(api: str) -> None:
    line = _refusal(api, BOTH, devices=0)
    assert "failed with 100" in line
    assert "CUDA_VISIBLE_DEVICES" in line


@pytest.mark.parametrize("api", BOTH)
@pytest.mark.parametrize(("devices", "there"), [(1, "CUDA shows cuda:0;"), (2, "CUDA shows cuda:0 to cuda:1;")])
def test_no_such_device_is_told_with_those_that_are_there(api: str, devices: int, there: str) -> None:
    line = _refusal(api, BOTH, index=7, devices=devices)
    assert line.startswith("there is no cuda:7: ")
    assert there in line


@pytest.mark.parametrize("code", [46, 803])
def test_a_device_that_may_not_be_used_is_not_available(code: int) -> None:
    line = _refusal("cuda-bindings", BOTH, faults=(Fault(call="cudaSetDevice", code=code),))
    assert f"cudaSetDevice failed with {code}" in line
    line = _refusal("pycuda", BOTH, faults=(Fault(call="cudaGetDeviceProperties", code=code),))
    assert f"cuDeviceGet failed with {code}" in line


def test_a_context_that_cannot_be_made_is_a_device_error_and_leaves_nothing() -> None:
    world = world_of(faults=(Fault(call="cuDevicePrimaryCtxRetain", nth=1, code=2),))
    with pytest.raises(DeviceError, match="cuDevicePrimaryCtxRetain failed with 2"):
        open_cuda(0, "pycuda", vendor(world))
    with open_cuda(0, "pycuda", vendor(world)):
        pass
    assert world.end() == []


@pytest.mark.parametrize("api", BOTH)
def test_a_second_device_in_one_thread_is_refused_and_in_another_thread_works(api: str) -> None:
    world = world_of(devices=2)
    with open_cuda(0, api, vendor(world)) as cuda:
        for ask in (open_cuda, device_facts):
            with pytest.raises(DeviceError, match=r"cuda:0 is open in this thread.*another thread"):
                ask(1, api, vendor(world))

        def other() -> None:
            with open_cuda(1, api, vendor(world)) as second:
                second.allocate(10)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert cuda.allocate(10).address
        assert world.device_memory.used == [512, 0]
    with open_cuda(1, api, vendor(world)) as cuda:
        cuda.allocate(10)
    assert world.end() == []


@pytest.mark.parametrize("api", BOTH)
def test_facts_of_a_device(api: str) -> None:
    world = world_of(devices=2, memory_bytes=2**30, driver_version=13010, runtime_version=12090)
    facts = device_facts(1, api, vendor(world))
    assert facts == DeviceFacts("Tesla T4", (7, 5), "00000000:3C:00.0", 2**30, 2**30, "13.1", "12.9")
    assert world.end() == []


@pytest.mark.parametrize("api", BOTH)
def test_facts_do_not_disturb_what_is_open(api: str) -> None:
    world = world_of()
    with open_cuda(0, api, vendor(world)) as cuda:
        cuda.allocate(1000)
        assert device_facts(0, api, vendor(world)).free_bytes == world.config.memory_bytes - 1024
        cuda.allocate(1000)
        cuda.event()
    assert world.end() == []


def test_pycuda_leaves_no_context_that_is_gone_on_the_drivers_stack() -> None:
    world = world_of()
    for _ in range(2):
        device_facts(0, "pycuda", vendor(world))
        open_cuda(0, "pycuda", vendor(world)).close()
        assert world.contexts.stack == []
    device_facts(0, "cuda-bindings", vendor(world))
    device_facts(0, "pycuda", vendor(world))
    assert len(world.contexts.stack) == 1, "the runtime's own"
    assert world.end() == []


def test_apis_are_those_that_users_name() -> None:
    assert APIS == ("auto", "cuda-bindings", "pycuda")


def test_installed_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("backends._cuda.vendor.version_of", lambda name: asked.append(name) or "1.2.3")
    before = set(sys.modules)
    assert installed() == {"cuda-bindings": "1.2.3", "pycuda": "1.2.3"}
    assert asked == ["cuda-bindings", "pycuda"]
    assert not {name for name in set(sys.modules) - before if name.startswith(("cuda.", "pycuda"))}


def test_a_package_whose_module_does_not_load_is_told() -> None:
    def fail(name: str) -> ModuleType:
        raise ImportError("libcurand.so.10: cannot open\nshared object file")

    with pytest.raises(BackendUnavailable, match=r"cuda-bindings does not load \(libcurand.so.10: cannot open shared"):
        load_bindings(fail)
    with pytest.raises(BackendUnavailable, match=r"pycuda does not load .*built against one CUDA toolkit"):
        load_pycuda(fail)


def test_a_broken_module_is_passed_over_where_another_works() -> None:
    def broken(name: str) -> ModuleType:
        raise AttributeError("module 'cuda' has no attribute 'bindings'")

    world = world_of()
    found = replace(vendor(world), bindings=lambda: load_bindings(broken))
    with open_cuda(0, "auto", found) as cuda:
        assert cuda.name == "pycuda"
    with pytest.raises(BackendUnavailable, match=r"cuda-bindings does not load .*has no attribute 'bindings'"):
        open_cuda(0, "cuda-bindings", found)
    both = replace(found, pycuda=lambda: load_pycuda(broken))
    with pytest.raises(BackendUnavailable, match="cuda-bindings does not load"):
        open_cuda(0, "auto", both)
    assert world.end() == []


def test_cuda_bindings_say_themselves_that_there_is_no_driver() -> None:
    world = world_of(driver_version=0)
    with pytest.raises(BackendUnavailable, match=r"^no NVIDIA driver was found"):
        BindingsCuda(world.runtime(), 0, "13")


def test_cuda_bindings_without_a_function_are_too_old() -> None:
    world = world_of()
    runtime = world.runtime()
    del runtime.cudaStreamCreateWithFlags
    with pytest.raises(DeviceError, match=r"has no cudaStreamCreateWithFlags; install 12.8 or newer"):
        BindingsCuda(runtime, 0, "12.0")
