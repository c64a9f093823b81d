"""Memory of the chips and of the host: which pointer is what, how far it reaches, how long it lives."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.doubles.acl_scene import leaks, machine, rules, session
from tests.doubles.careful_acl_client import TO_DEVICE, TO_HOST

pytestmark = pytest.mark.filterwarnings("ignore:acl.util")
SIZE = 256


@pytest.fixture
def acl() -> Any:
    """A machine with chip 0 in use."""
    found = machine()
    found.rt.set_device(0)
    return found


def device(acl: Any, size: int = SIZE) -> int:
    address, code = acl.rt.malloc(size, 0)
    assert code == 0
    return int(address)


def pinned(acl: Any, size: int = SIZE) -> int:
    address, code = acl.rt.malloc_host(size)
    assert code == 0
    return int(address)


def numbers(size: int = SIZE) -> Any:
    return np.arange(size, dtype=np.uint8)


def test_sizes_and_policies_that_do_not_exist(acl: Any) -> None:
    assert acl.rt.malloc(0, 0) == (0, 100000)
    assert acl.rt.malloc_host(0) == (0, 100000)
    assert acl.rt.malloc(64, 3) == (0, 100000)
    assert rules(acl) == ["malloc-size", "malloc-size", "malloc-policy"]


def test_a_kind_of_memory_that_does_not_exist(acl: Any) -> None:
    assert acl.rt.get_mem_info(2) == (0, 0, 100000)
    assert rules(acl) == ["mem-attribute"]


def test_a_chip_that_is_full_is_the_users_misfortune_and_no_breach() -> None:
    acl = machine(memory_bytes=1000)
    acl.rt.set_device(0)
    first = device(acl, 500)
    assert acl.rt.malloc(500, 0) == (0, 207001)
    assert "were asked for" in acl.get_recent_err_msg()
    # rounded to 32, and 32 more
    assert acl.rt.get_mem_info(0) == (1000 - 512 - 32, 1000, 0)
    acl.rt.set_device(1)
    assert acl.rt.malloc(500, 0)[1] == 0
    acl.rt.set_device(0)
    assert acl.rt.free(first) == 0
    assert acl.rt.malloc(500, 0)[1] == 0
    assert rules(acl) == []


def test_fresh_memory_is_not_zero(acl: Any) -> None:
    address, host = device(acl), pinned(acl)
    view = acl.util.ptr_to_numpy(host, (SIZE,), 2)
    assert view.all()
    view[...] = 0
    assert acl.rt.memcpy(host, SIZE, address, SIZE, TO_HOST) == 0
    assert view.all()


def test_addresses_are_aligned_and_of_kinds_that_never_overlap(acl: Any) -> None:
    addresses = [device(acl, 100) for _ in range(3)]
    host = [pinned(acl, 100) for _ in range(3)]
    assert all(address % 64 == 0 for address in addresses + host)
    assert min(addresses) > 2**47 > max(host)
    acl.rt.set_device(3)
    assert device(acl) - addresses[0] >= 2**40


def test_memory_is_freed_once_and_as_what_it_is(acl: Any) -> None:
    address, host = device(acl), pinned(acl)
    assert acl.rt.free(host) == 107000
    assert acl.rt.free_host(address) == 107000
    assert acl.rt.free(address + 64) == 107000
    assert acl.rt.free(12345) == 107000
    assert acl.rt.free(address) == acl.rt.free_host(host) == 0
    assert acl.rt.free(address) == 107000
    assert acl.rt.free_host(host) == 107000
    assert rules(acl) == [
        "freed-as-wrong-kind",
        "freed-as-wrong-kind",
        "freed-unknown",
        "freed-unknown",
        "freed-twice",
        "freed-twice",
    ]


def test_memory_is_freed_in_a_context_of_its_chip(acl: Any) -> None:
    address = device(acl)
    acl.rt.set_device(1)
    assert acl.rt.free(address) == 0
    assert rules(acl) == ["other-chip"]


def test_use_after_free(acl: Any) -> None:
    address, host = device(acl), pinned(acl)
    acl.rt.free(address)
    assert acl.rt.memcpy(host, SIZE, address, SIZE, TO_HOST) == 507899
    address = device(acl)
    acl.rt.free_host(host)
    assert acl.rt.memcpy(address, SIZE, host, SIZE, TO_DEVICE) == 507899
    assert rules(acl) == ["used-after-free"] * 2


def test_pinned_memory_that_is_written_to_after_it_was_freed_is_found_at_the_end(acl: Any) -> None:
    host = pinned(acl)
    view = acl.util.ptr_to_numpy(host, (SIZE,), 2)
    acl.rt.free_host(host)
    view[3] = 1
    acl.rt.reset_device(0)
    acl.finalize()
    assert rules(acl) == ["written-after-free"]
    assert leaks(acl) == []


def test_bytes_go_to_the_chip_and_come_back(acl: Any) -> None:
    address, data = device(acl), bytes(range(256))
    assert acl.rt.memcpy(address, SIZE, acl.util.bytes_to_ptr(data), SIZE, TO_DEVICE) == 0
    host = pinned(acl)
    assert acl.rt.memcpy(host + 64, SIZE - 64, address + 16, 100, TO_HOST) == 0
    assert acl.util.ptr_to_bytes(host + 64, 100) == data[16:116]
    other = device(acl)
    assert acl.rt.memcpy(other, SIZE, address, SIZE, 3) == 0
    assert acl.rt.memset(other + 8, 8, 7, 8) == 0
    back = np.zeros(SIZE, np.uint8)
    assert acl.rt.memcpy(acl.util.numpy_to_ptr(back), SIZE, other, SIZE, TO_HOST) == 0
    assert back.tobytes() == data[:8] + bytes([7] * 8) + data[16:]
    assert rules(acl) == []


def test_sizes_of_a_copy(acl: Any) -> None:
    address, host = device(acl), pinned(acl)
    assert acl.rt.memcpy(address, SIZE, host, 0, TO_DEVICE) == 107000
    assert acl.rt.memcpy(address, 8, host, 16, TO_DEVICE) == 107000
    assert acl.rt.memcpy(address, SIZE + 1, host, SIZE + 1, TO_DEVICE) == 507899
    assert acl.rt.memcpy(address + 8, SIZE, host, SIZE, TO_DEVICE) == 507899
    assert acl.rt.memcpy(address + 8, SIZE, host, 8, TO_DEVICE) == 0
    assert acl.rt.memset(address, 8, 0, 16) == 107000
    assert acl.rt.memset(address, 2 * SIZE, 0, SIZE) == 0
    assert rules(acl) == ["copy-size"] * 2 + ["out-of-bounds"] * 2 + ["copy-size"] * 3


@pytest.mark.parametrize(("api", "code", "arrives"), [("old", 107000, False), ("new", 0, True)])
def test_the_direction_of_a_copy_is_said_rightly(api: str, code: int, arrives: bool) -> None:
    acl = machine(api=api)
    acl.rt.set_device(0)
    address, host = device(acl), pinned(acl)
    acl.rt.memset(host, SIZE, 9, SIZE)
    assert acl.rt.memcpy(address, SIZE, host, SIZE, TO_HOST) == code
    block = acl.state.device.at(address)
    assert (block.content.read(0, SIZE) == bytes([9] * SIZE)) is arrives
    assert acl.rt.memcpy(address, SIZE, host, SIZE, 4) == code
    assert acl.rt.memcpy(address, SIZE, host, SIZE, 5) == 107000
    assert rules(acl) == ["copy-kind"] * (2 if arrives else 3)


def test_a_copy_is_made_in_a_context_of_the_chip(acl: Any) -> None:
    address, host = device(acl), pinned(acl)
    acl.rt.set_device(1)
    assert acl.rt.memcpy(host, SIZE, address, SIZE, TO_HOST) == 0
    assert rules(acl) == ["other-chip"]


def test_temporary_bytes_are_gone_when_they_are_copied(acl: Any) -> None:
    address, array = device(acl), numbers()
    kept = array.tobytes()
    assert acl.rt.memcpy(address, SIZE, acl.util.bytes_to_ptr(kept), SIZE, TO_DEVICE) == 0
    assert rules(acl) == []
    # not inside an assert: pytest would hold on to the temporary
    code = acl.rt.memcpy(address, SIZE, acl.util.bytes_to_ptr(array.tobytes()), SIZE, TO_DEVICE)
    assert code == 0
    assert rules(acl) == ["dangling-host-pointer"]


def test_temporary_arrays_are_gone_when_they_are_copied(acl: Any) -> None:
    address = device(acl)
    pointer = acl.util.numpy_to_ptr(numbers() + 1)
    gc.collect()
    assert acl.rt.memcpy(address, SIZE, pointer, SIZE, TO_DEVICE) == 0
    assert rules(acl) == ["dangling-host-pointer"]


def test_a_view_lives_as_long_as_the_memory_that_it_shows(acl: Any) -> None:
    address, array = device(acl), numbers()
    pointer = acl.util.numpy_to_ptr(array.reshape(2, -1)[1:])
    assert acl.rt.memcpy(address, SIZE, pointer, SIZE // 2, TO_DEVICE) == 0
    data = bytes(SIZE)
    shown = acl.util.numpy_to_ptr(np.frombuffer(data, np.float32))
    assert acl.rt.memcpy(address, SIZE, shown, SIZE, TO_DEVICE) == 0
    assert rules(acl) == []
    assert acl.rt.memcpy(address, SIZE, pointer, SIZE, TO_DEVICE) == 507899
    assert rules(acl) == ["out-of-bounds"]


def test_the_array_of_numpy_contiguous_to_ptr_is_to_be_kept(acl: Any) -> None:
    address, array = device(acl), numbers().reshape(16, 16).T
    pointer, contiguous = acl.util.numpy_contiguous_to_ptr(array)
    assert contiguous.flags.c_contiguous
    assert acl.rt.memcpy(address, SIZE, pointer, SIZE, TO_DEVICE) == 0
    assert rules(acl) == []
    assert acl.state.device.at(address).content.read(0, SIZE) == array.tobytes()
    del contiguous
    assert acl.rt.memcpy(address, SIZE, pointer, SIZE, TO_DEVICE) == 0
    assert rules(acl) == ["dangling-host-pointer"]


def test_numpy_to_ptr_of_an_array_with_strides_gives_the_wrong_bytes(acl: Any) -> None:
    address, array = device(acl), numbers().reshape(16, 16).T
    assert acl.rt.memcpy(address, SIZE, acl.util.numpy_to_ptr(array), SIZE, TO_DEVICE) == 0
    assert rules(acl) == ["not-contiguous"]
    assert acl.state.device.at(address).content.read(0, SIZE) == numbers().tobytes() != array.tobytes()


def test_constants_are_not_written_to(acl: Any) -> None:
    address, data, array = device(acl), bytes(SIZE), numbers()
    array.flags.writeable = False
    assert acl.rt.memcpy(acl.util.bytes_to_ptr(data), SIZE, address, SIZE, TO_HOST) == 0
    assert acl.rt.memcpy(acl.util.numpy_to_ptr(array), SIZE, address, SIZE, TO_HOST) == 0
    assert rules(acl) == ["written-to-constant"] * 2


def test_the_host_cannot_read_a_chips_memory(acl: Any) -> None:
    address = device(acl)
    assert len(acl.util.ptr_to_bytes(address, 8)) == 8
    assert acl.util.ptr_to_numpy(address, (2, 2), 11).shape == (2, 2)
    assert rules(acl) == ["device-pointer-on-host"] * 2


def test_pointers_to_nothing(acl: Any) -> None:
    address, host = device(acl), pinned(acl)
    assert acl.rt.memcpy(address, SIZE, 0, SIZE, TO_DEVICE) == 107000
    assert acl.rt.memcpy(address, SIZE, address + 2**40, SIZE, 3) == 507899
    stream, _ = acl.rt.create_stream()
    assert acl.rt.memcpy(stream, SIZE, host, SIZE, TO_DEVICE) == 107000
    assert rules(acl) == ["wild-pointer", "out-of-bounds", "wild-pointer"]


def test_an_address_from_elsewhere_is_used_and_remarked(acl: Any) -> None:
    address, array = device(acl), numbers()
    assert acl.rt.memcpy(address, SIZE, array.ctypes.data, SIZE, TO_DEVICE) == 0
    assert rules(acl) == []
    assert [entry.rule for entry in acl.state.remarks] == ["unknown-host-pointer"]


def test_views_of_pinned_memory_are_views(acl: Any) -> None:
    host = pinned(acl)
    acl.util.ptr_to_numpy(host, (4, 4), 11)[...] = 2.5
    assert acl.util.ptr_to_bytes(host, 64) == np.full(16, 2.5, np.float32).tobytes()
    assert acl.util.ptr_to_numpy(host, (8,), 23).dtype == np.float16
    with pytest.raises(ValueError, match="no type number"):
        acl.util.ptr_to_numpy(host, (4,), 27)
    with pytest.raises(ValueError, match="args parse failed"):
        acl.util.ptr_to_numpy(host, [4], 11)
    assert rules(acl) == ["arguments"]
    assert acl.util.ptr_to_bytes(host, SIZE + 1) == b""
    assert rules(acl)[1:] == ["out-of-bounds"]


def test_pointers_of_other_things_than_arrays_and_bytes(acl: Any) -> None:
    with pytest.raises(ValueError, match="ndarray"):
        acl.util.numpy_to_ptr([1, 2])
    with pytest.raises(ValueError, match="args parse failed"):
        acl.util.bytes_to_ptr(bytearray(4))
    assert rules(acl) == ["arguments"] * 2


def test_versions_that_still_have_numpys_pointers_warn_of_them() -> None:
    with pytest.warns(Warning, match="will be deprecated"):
        machine(api="both").util.numpy_to_ptr(numbers())


def test_many_objects_that_were_let_go_of_are_not_all_kept(acl: Any) -> None:
    for _ in range(300):
        acl.util.bytes_to_ptr(numbers().tobytes())
    assert len(acl.state.host._given) < 100


def test_repeated_pinned_memory_is_not_kept_for_ever(tmp_path: Path) -> None:
    acl = session(tmp_path).acl
    for _ in range(5):
        acl.rt.free_host(pinned(acl, 20 * 2**20))
    assert sum(block.size for block in acl.state.pinned._kept) <= 40 * 2**20
