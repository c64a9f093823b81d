"""The driver's version, asked of its own library: safe where nothing else of CUDA is."""

from __future__ import annotations

import ctypes
import sys

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def version() -> int:
    """The newest CUDA that the installed driver knows, 13000 for 13.0; 0 without a driver. Opens no device."""
    try:
        library = ctypes.CDLL(_LIBRARY)
        found = ctypes.c_int()
        return found.value if library.cuDriverGetVersion(ctypes.byref(found)) == 0 else 0
    except (OSError, AttributeError):
        return 0
