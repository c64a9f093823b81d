"""What is asked of the driver's own library, which is safe where nothing else of CUDA is."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def pop_context() -> None:
    """Take this thread's current context off the driver's stack, where there is one."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(_LIBRARY).cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


def version() -> int:
    """The newest CUDA that the installed driver knows, 13000 for 13.0; 0 without a driver. Opens no device."""
    try:
        library = ctypes.CDLL(_LIBRARY)
        found = ctypes.c_int()
        return found.value if library.cuDriverGetVersion(ctypes.byref(found)) == 0 else 0
    except (OSError, AttributeError):
        return 0
