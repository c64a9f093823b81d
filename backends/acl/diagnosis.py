"""What someone asks first who is to find out from afar why this backend fails on a machine with a card."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType

from backends.acl.library import Library
from backends.acl.runtime import runtime_of
from backends.base import BackendError

#: Every function that a session calls; an old pyACL may lack some.
USED = (
    "init", "finalize", "rt.set_device", "rt.reset_device", "rt.get_device", "rt.create_context", "rt.set_context",
    "rt.destroy_context", "rt.create_stream", "rt.synchronize_stream", "rt.destroy_stream", "rt.malloc", "rt.free",
    "rt.malloc_host", "rt.free_host", "rt.memcpy", "mdl.load_from_file", "mdl.unload", "mdl.create_desc",
    "mdl.get_desc", "mdl.destroy_desc", "mdl.get_num_inputs", "mdl.get_num_outputs", "mdl.get_input_size_by_index",
    "mdl.get_output_size_by_index", "mdl.get_input_dims", "mdl.get_output_dims", "mdl.get_input_name_by_index",
    "mdl.get_output_name_by_index", "mdl.get_input_data_type", "mdl.get_output_data_type",
    "mdl.get_input_index_by_name", "mdl.create_dataset", "mdl.destroy_dataset", "mdl.add_dataset_buffer",
    "create_data_buffer", "destroy_data_buffer", "mdl.execute", "mdl.execute_async", "mdl.set_dynamic_batch_size",
)  # fmt: skip
#: Used where they are there.
OPTIONAL = (
    "get_recent_err_msg",
    "get_version",
    "get_soc_name",
    "mdl.get_dynamic_batch",
    "rt.get_mem_info",
    "rt.create_event_with_flag",
    "rt.record_event",
    "rt.event_elapsed_time",
    "rt.destroy_event",
)
_VARIABLES = (
    "ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME", "ASCEND_OPP_PATH", "ASCEND_AICPU_PATH", "ASCEND_VISIBLE_DEVICES",
    "ASCEND_RT_VISIBLE_DEVICES", "ASCEND_GLOBAL_LOG_LEVEL", "ASCEND_SLOG_PRINT_TO_STDOUT", "LD_LIBRARY_PATH",
)  # fmt: skip
_SIZE = 1 << 20
_HUGE_FIRST, _TO_DEVICE, _TO_HOST = 0, 1, 2
_GIB = 2**30


def environment() -> Iterator[str]:
    """The variables that CANN goes by."""
    for name in _VARIABLES:
        yield f"{name}={os.environ.get(name, '(not set)')}"
    if any(part.rstrip("/").endswith(("stub", "devlib")) for part in os.environ.get("LD_LIBRARY_PATH", "").split(":")):
        yield "LD_LIBRARY_PATH holds a folder of stub libraries, which cannot run anything; take it out"


def module(load: Callable[[], ModuleType]) -> Iterator[str]:
    """Which pyACL this is, and what it lacks."""
    try:
        library = Library(load())
    except BackendError as error:
        yield str(error)
        return
    yield f"acl is {getattr(library.module, '__file__', None) or 'built in'}"
    if missing := [name for name in USED if not library.has(name)]:
        yield f"this pyACL lacks what the backend needs: {', '.join(missing)}"
    if missing := [name for name in OPTIONAL if not library.has(name)]:
        yield f"this pyACL lacks, and the backend can do without: {', '.join(missing)}"
    if library.has("get_soc_name"):
        yield f"acl.get_soc_name() gives {library.ask('get_soc_name')!r}"


def trial(device: int, load: Callable[[], ModuleType]) -> Iterator[str]:
    """Open the chip, copy a megabyte there and back, give everything back; what happened, a line a step."""
    try:
        library = Library(load())
        with ExitStack() as stack:
            runtime = runtime_of(library)
            runtime.acquire(device)
            stack.callback(runtime.release, device)
            context = runtime.create_context(device)
            stack.callback(runtime.destroy_context, context)
            yield f"chip {device} opened"
            yield from _memory(library)
            yield _round_trip(library, stack)
        yield f"chip {device} closed"
    except BackendError as error:
        yield f"chip {device}: {error}"


def _memory(library: Library) -> Iterator[str]:
    if not library.has("rt.get_mem_info"):
        return
    for kind, name in ((0, "DDR"), (1, "HBM")):
        answer = library.ask("rt.get_mem_info", kind)
        if isinstance(answer, tuple) and len(answer) == 3 and answer[2] == 0 and answer[1]:
            yield f"{name}: {answer[0] / _GIB:.2f} of {answer[1] / _GIB:.2f} GiB free"


def _round_trip(library: Library, stack: ExitStack) -> str:
    host: int = library.get("rt.malloc_host", _SIZE)
    stack.callback(library.do, "rt.free_host", host)
    chip: int = library.get("rt.malloc", _SIZE, _HUGE_FIRST)
    stack.callback(library.do, "rt.free", chip)
    sent = os.urandom(_SIZE)
    ctypes.memmove(host, sent, _SIZE)
    library.do("rt.memcpy", chip, _SIZE, host, _SIZE, _TO_DEVICE)
    ctypes.memset(host, 0, _SIZE)
    library.do("rt.memcpy", host, _SIZE, chip, _SIZE, _TO_HOST)
    same = ctypes.string_at(host, _SIZE) == sent
    return "1 MiB copied there and back: " + (
        "the same" if same else "NOT THE SAME; the chip or its driver is at fault"
    )
