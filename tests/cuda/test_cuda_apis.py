"""CUDA through each of its two Python modules, on a real card: what the doubles of both are held to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from backends._cuda import Cuda, DeviceMemory, device_facts, installed, open_cuda
from backends.base import Array, BackendUnavailable, DeviceError
from backends.nvidia import plain_address
from tests.cuda.machine import gpu, pytorch

APIS = ("cuda-bindings", "pycuda")
_MIB = 2**20


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> str:
    if request.param not in installed():
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture
def cuda(api: str) -> Iterator[Cuda]:
    with open_cuda(0, api) as opened:
        yield opened


def noise(size: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def sent(cuda: Cuda, data: Array) -> DeviceMemory:
    """The bytes, on the device."""
    source = cuda.allocate_pinned(data.nbytes)
    source.bytes_[:] = data
    target = cuda.allocate(data.nbytes)
    cuda.copy_to_device(target, source, data.nbytes)
    cuda.synchronize()
    return target


def fetched(cuda: Cuda, source: DeviceMemory) -> Array:
    """The bytes that lie there."""
    target = cuda.allocate_pinned(source.size)
    target.bytes_.fill(0)
    cuda.copy_to_host(target, source, source.size)
    cuda.synchronize()
    return target.bytes_.copy()


@pytest.mark.parametrize("size", [1, 4097, 16 * _MIB + 3])
def test_bytes_come_back_as_they_went(cuda: Cuda, size: int) -> None:
    data = noise(size)
    np.testing.assert_array_equal(fetched(cuda, sent(cuda, data)), data)


def test_two_allocations_do_not_share_memory(cuda: Cuda) -> None:
    first, second = noise(_MIB, 1), noise(_MIB, 2)
    places = sent(cuda, first), sent(cuda, second)
    np.testing.assert_array_equal(fetched(cuda, places[0]), first)
    np.testing.assert_array_equal(fetched(cuda, places[1]), second)


def test_events_tell_the_devices_time_in_order(cuda: Cuda) -> None:
    size = 64 * _MIB
    source, target = cuda.allocate_pinned(size), cuda.allocate(size)
    begin, once, thrice = cuda.event(), cuda.event(), cuda.event()
    begin.record()
    cuda.copy_to_device(target, source, size)
    once.record()
    for _ in range(2):
        cuda.copy_to_device(target, source, size)
    thrice.record()
    thrice.synchronize()
    first, all_of_it = once.elapsed_ms(begin), thrice.elapsed_ms(begin)
    assert 0 < first < all_of_it
    # Milliseconds they are: no link to a card carries 64 MiB faster than 1 TB/s, or slower than 10 MB/s.
    assert 0.06 < first < 6_500
    assert thrice.elapsed_ms(once) == pytest.approx(all_of_it - first, rel=1e-3, abs=1e-3)


def test_an_event_that_was_never_recorded_has_no_time(cuda: Cuda) -> None:
    begin, never = cuda.event(), cuda.event()
    begin.record()
    cuda.synchronize()
    with pytest.raises(DeviceError) as caught:
        never.elapsed_ms(begin)
    assert "\n" not in str(caught.value)


def test_a_captured_copy_is_done_at_each_launch_and_not_before(cuda: Cuda) -> None:
    if not cuda.has_graphs:
        with pytest.raises(DeviceError, match="cannot capture CUDA graphs"):
            cuda.capture(lambda: None)
        return
    source, target = cuda.allocate_pinned(_MIB), sent(cuda, np.zeros(_MIB, np.uint8))
    graph = cuda.capture(lambda: cuda.copy_to_device(target, source, _MIB))
    cuda.synchronize()
    assert not fetched(cuda, target).any()
    for seed in (1, 2):
        source.bytes_[:] = noise(_MIB, seed)
        graph.launch()
        cuda.synchronize()
        np.testing.assert_array_equal(fetched(cuda, target), noise(_MIB, seed))


def test_a_device_that_is_not_there_is_named(api: str) -> None:
    with pytest.raises(BackendUnavailable, match=r"^there is no cuda:99: CUDA shows cuda:0"):
        open_cuda(99, api)
    with open_cuda(0, api) as cuda:
        assert fetched(cuda, sent(cuda, noise(10))).tolist() == noise(10).tolist()


def test_more_memory_than_the_card_has_is_refused_and_the_rest_goes_on(api: str) -> None:
    total = device_facts(0, api).total_bytes
    with open_cuda(0, api) as cuda:
        with pytest.raises(DeviceError, match=r"GiB; .* of .* are free\)") as caught:
            cuda.allocate(2 * total)
        assert "\n" not in str(caught.value)
        np.testing.assert_array_equal(fetched(cuda, sent(cuda, noise(_MIB))), noise(_MIB))


def test_what_was_allocated_is_given_back(api: str) -> None:
    size = 256 * _MIB
    with open_cuda(0, api) as around:  # keeps the context, which has memory of its own
        around.synchronize()
        before = device_facts(0, api).free_bytes
        with open_cuda(0, api) as cuda:
            cuda.allocate(size)
            assert device_facts(0, api).free_bytes <= before - size
        assert device_facts(0, api).free_bytes > before - size


def test_the_facts_are_those_of_the_card_that_the_probe_found(api: str) -> None:
    facts = device_facts(0, api)
    assert facts.name.startswith(gpu().card)  # a slice of a card has more in its name
    assert facts.capability >= (5, 0)
    assert 0 < facts.free_bytes <= facts.total_bytes
    if gpu().address:
        assert plain_address(facts.address) == gpu().address


def test_both_modules_tell_the_same() -> None:
    if set(installed()) < set(APIS):
        pytest.skip("only one of cuda-bindings and pycuda is installed")
    one, other = (device_facts(0, api) for api in APIS)
    assert (one.name, one.capability, one.total_bytes, one.driver) == (
        other.name, other.capability, other.total_bytes, other.driver
    )  # fmt: skip
    assert plain_address(one.address) == plain_address(other.address)


def test_memory_of_pytorch_is_in_the_same_context(api: str) -> None:
    torch = pytorch()
    tensor = torch.arange(1000, dtype=torch.int32, device="cuda:0")
    torch.cuda.synchronize()
    with open_cuda(0, api) as cuda:
        found = fetched(cuda, DeviceMemory(tensor.data_ptr(), 4000)).view(np.int32)
    assert found.tolist() == list(range(1000))


def test_pytorch_goes_on_when_cuda_is_closed(api: str) -> None:
    torch = pytorch()
    tensor = torch.ones(1000, device="cuda:0")
    with open_cuda(0, api) as cuda:
        cuda.allocate(_MIB)
    assert float((tensor + torch.ones(1000, device="cuda:0")).sum()) == 2000.0
    facts = device_facts(0, api)
    assert facts.capability == tuple(torch.cuda.get_device_capability(0))
