"""The modules as NVIDIA ships them: what is called is there, with these arguments. Skipped where not installed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from backends._cuda import codes, device_facts, driver, installed, open_cuda
from backends.base import BackendUnavailable
from tests.doubles.cuda import World
from tests.doubles.cuda.errors import CODES

NO_DRIVER = not driver.version()
CALLED = {
    "cudaGetDeviceCount": 0, "cudaSetDevice": 1, "cudaGetDeviceProperties": 1, "cudaDeviceGetPCIBusId": 2,
    "cudaMemGetInfo": 0, "cudaDriverGetVersion": 0, "cudaRuntimeGetVersion": 0, "cudaGetLastError": 0, "cudaMalloc": 1,
    "cudaFree": 1, "cudaHostAlloc": 2, "cudaFreeHost": 1, "cudaMemcpyAsync": 5, "cudaStreamCreateWithFlags": 1,
    "cudaStreamDestroy": 1, "cudaStreamSynchronize": 1, "cudaEventCreateWithFlags": 1, "cudaEventDestroy": 1,
    "cudaEventRecord": 2, "cudaEventSynchronize": 1, "cudaEventElapsedTime": 2, "cudaStreamBeginCapture": 2,
    "cudaStreamEndCapture": 1, "cudaGraphGetNodes": 1, "cudaGraphInstantiate": 2, "cudaGraphLaunch": 2,
    "cudaGraphDestroy": 1, "cudaGraphExecDestroy": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def runtime() -> Any:
    return pytest.importorskip("cuda.bindings.runtime")


def _arguments(function: Any) -> tuple[int, int]:
    """How many arguments it needs and takes, by the first line of what it says of itself."""
    inside = re.match(r"\w+\((.*?)\)", function.__doc__)[1]  # type: ignore[index]
    parts = [part for part in inside.split(",") if part.strip()]
    return sum("=" not in part for part in parts), len(parts)


@pytest.mark.parametrize(("name", "count"), CALLED.items())
def test_each_call_is_there_with_its_arguments(runtime: Any, name: str, count: int) -> None:
    least, most = _arguments(getattr(runtime, name))
    assert least <= count <= most


@pytest.mark.parametrize("name", CALLED)
def test_the_double_has_each_call(name: str) -> None:
    assert callable(getattr(World().runtime(), name))


def test_the_names_of_numbers_are_the_same(runtime: Any) -> None:
    double = World().runtime()
    for name in ("cudaStreamNonBlocking", "cudaHostAllocDefault", "cudaEventDefault", "cudaEventDisableTiming"):
        assert getattr(runtime, name) == getattr(double, name)
    for kind in ("cudaError_t", "cudaMemcpyKind", "cudaStreamCaptureMode"):
        theirs = {member.name: int(member.value) for member in getattr(runtime, kind)}
        for member in getattr(double, kind):
            assert theirs[member.name] == member.value


def test_the_words_for_codes_are_those_of_the_library(runtime: Any) -> None:
    names = {member.value: member.name for member in runtime.cudaError_t}
    try:
        runtime.cudaGetErrorString(runtime.cudaError_t.cudaSuccess)
    except RuntimeError:
        pytest.skip("this version asks the driver for them")
    for words, code in codes.WORDS.items():
        assert runtime.cudaGetErrorString(runtime.cudaError_t(code))[1].decode() == words
    for code in codes.KNOWN:
        assert code in names
    for code, (name, _, words) in CODES.items():
        assert names[code] == name
        assert runtime.cudaGetErrorString(runtime.cudaError_t(code))[1].decode() == words


@pytest.mark.skipif(not NO_DRIVER, reason="there is a driver here")
@pytest.mark.parametrize("ask", [open_cuda, device_facts])
@pytest.mark.parametrize("api", ["auto", "cuda-bindings"])
def test_without_a_driver_one_line_says_so(runtime: Any, ask: Any, api: str) -> None:
    with pytest.raises(BackendUnavailable, match=r"^no NVIDIA driver was found \(.*\.$"):
        ask(0, api)


@pytest.mark.skipif(NO_DRIVER, reason="there is no driver here")
@pytest.mark.parametrize("api", ["cuda-bindings", "pycuda"])
def test_a_real_device_keeps_the_promises(api: str) -> None:
    if api not in installed():
        pytest.skip(f"{api} is not installed")
    size = 4 * 2**20
    with open_cuda(0, api) as cuda:
        there, back, device = cuda.allocate_pinned(size), cuda.allocate_pinned(size), cuda.allocate(size)
        start, end = cuda.event(), cuda.event()
        there.bytes_[:] = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)

        def work() -> None:
            cuda.copy_to_device(device, there, size)
            cuda.copy_to_host(back, device, size)

        work()
        cuda.synchronize()
        assert (back.bytes_ == there.bytes_).all()
        back.bytes_[:] = 0
        run = cuda.capture(work).launch if cuda.has_graphs else work
        start.record()
        run()
        end.record()
        cuda.synchronize()
        assert (back.bytes_ == there.bytes_).all()
        assert 0 < end.elapsed_ms(start) < 1000
    facts = device_facts(0, api)
    assert facts.name
    assert facts.total_bytes >= facts.free_bytes > 0
    assert re.fullmatch(r"[0-9A-Fa-f]{4,8}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.\d", facts.address)
