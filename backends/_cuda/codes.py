"""What CUDA's error codes mean, and what to do about those that users meet.

Numbers, names and words: the CUDA runtime's list of errors, whose numbers are those of the driver's except where told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_REPORT = "report this with the output of: python -m bench backends --verbose"
_DRIVER = "see whether nvidia-smi works; if not, install NVIDIA's driver again and restart the machine"
_MEMORY = "measure smaller batches, or end other processes on the device (nvidia-smi shows them)"
_CARD = "see the kernel's log (dmesg, lines with NVRM or Xid); if it comes again, the card is at fault"
_LOST = "the process's context is lost, so nothing more can be measured in this process; start again"
_CAPTURE = "measure without a CUDA graph"

OUT_OF_MEMORY = 2
INSUFFICIENT_DRIVER = 35
NO_DEVICE = 100
INVALID_DEVICE = 101

#: code -> meaning, advice.
KNOWN: Mapping[int, tuple[str, str]] = {
    1: ("an argument is not valid", _REPORT),
    OUT_OF_MEMORY: ("out of memory", _MEMORY),
    3: ("the driver does not start", _DRIVER),
    4: ("the process is ending", _REPORT),
    34: (
        "the driver's library is a stub that cannot run anything",
        "take the folder that ends in stubs out of LD_LIBRARY_PATH",
    ),
    INSUFFICIENT_DRIVER: (
        "there is no driver, or it is too old for this CUDA",
        "install a newer NVIDIA driver, or a cuda-bindings of the driver's CUDA, which nvidia-smi shows",
    ),
    36: ("the call needs a newer driver", "install a newer NVIDIA driver"),
    46: (
        "all devices are busy or may not be used",
        "end other processes on the device, or set its compute mode to default (nvidia-smi -c 0)",
    ),
    NO_DEVICE: (
        "the driver finds no device",
        "see whether nvidia-smi lists it, and whether CUDA_VISIBLE_DEVICES hides it",
    ),
    INVALID_DEVICE: ("there is no device of this number", "name another with --device; nvidia-smi lists them"),
    102: ("the device has no licence", "see the licence of the virtual GPU"),
    200: ("the kernel's image is not valid", "install this library again"),
    201: ("no context in this thread, or one that is gone", _REPORT),
    209: (
        "the library has no kernels for this device",
        "install a version of it that supports the device's compute capability",
    ),
    214: ("memory error that could not be corrected", f"{_LOST}; {_CARD}"),
    216: ("the device is used by another process alone", "end it (nvidia-smi shows it)"),
    220: ("NVLink error that could not be corrected", f"{_LOST}; {_CARD}"),
    222: ("the driver is too old for this PTX code", "install a newer NVIDIA driver"),
    400: ("a handle that does not exist or is of another context", _REPORT),
    401: ("not in a state for this call", _REPORT),
    600: ("the device has not come to it yet", _REPORT),
    700: ("a kernel used memory that is not its own", _LOST),
    701: ("a kernel needs more registers or threads than the device has", "try another precision or engine"),
    702: ("a kernel took longer than the display allows", f"{_LOST}; use a card without a display, or smaller batches"),
    709: ("the context is gone", _REPORT),
    710: ("an assertion failed in a kernel", _LOST),
    714: ("stack error in a kernel", _LOST),
    715: ("illegal instruction in a kernel", _LOST),
    716: ("misaligned address in a kernel", _LOST),
    717: ("wrong address space in a kernel", _LOST),
    718: ("invalid program counter in a kernel", _LOST),
    719: ("a kernel failed", f"{_LOST}; {_CARD}"),
    800: ("not permitted", "see whether the container or the user may use the device"),
    801: ("not supported here", "use a newer driver, or another device"),
    802: ("the system is not ready", "start NVIDIA's fabric manager, or wait until it is up"),
    803: (
        "the driver's library and its kernel module are of different versions",
        "restart the machine; in a container, take its own libcuda out of LD_LIBRARY_PATH",
    ),
    804: (
        "this device cannot be used with a compatibility library",
        "install a newer NVIDIA driver, or a cuda-bindings of the driver's CUDA",
    ),
    900: ("not allowed while a stream is captured", _CAPTURE),
    901: ("the capture became invalid by what was called during it", _CAPTURE),
    902: ("the capture would join two captures", _CAPTURE),
    903: ("the capture did not begin in this stream", _CAPTURE),
    904: ("the capture has work in other streams that did not join it", _CAPTURE),
    905: ("the capture needs work outside of it", _CAPTURE),
    906: ("the capture meets the default stream", _CAPTURE),
    907: ("an event of a capture cannot be waited for", _CAPTURE),
    908: ("the capture began in another thread", _CAPTURE),
    999: ("unknown error", f"{_DRIVER}; {_CARD}"),
}

#: With these nothing can be opened at all: the machine, not the call, is what is wrong.
UNAVAILABLE = frozenset({3, 34, INSUFFICIENT_DRIVER, 36, 46, NO_DEVICE, INVALID_DEVICE, 102, 216, 802, 803, 804})
#: After these every call of the process fails.
STICKY = frozenset({214, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719})

#: The driver's words for its codes, for exceptions that carry nothing else.
WORDS: Mapping[str, int] = {
    "invalid argument": 1,
    "out of memory": OUT_OF_MEMORY,
    "initialization error": 3,
    "driver shutting down": 4,
    "CUDA driver is a stub library": 34,
    "CUDA-capable device(s) is/are busy or unavailable": 46,
    "no CUDA-capable device is detected": NO_DEVICE,
    "invalid device ordinal": INVALID_DEVICE,
    "invalid device context": 201,
    "no kernel image is available for execution on the device": 209,
    "uncorrectable ECC error encountered": 214,
    "exclusive-thread device already in use by a different thread": 216,
    "uncorrectable NVLink error detected during the execution": 220,
    "the provided PTX was compiled with an unsupported toolchain.": 222,
    "invalid resource handle": 400,
    "the operation cannot be performed in the present state": 401,
    "device not ready": 600,
    "an illegal memory access was encountered": 700,
    "too many resources requested for launch": 701,
    "the launch timed out and was terminated": 702,
    "context is destroyed": 709,
    "device-side assert triggered": 710,
    "hardware stack error": 714,
    "an illegal instruction was encountered": 715,
    "misaligned address": 716,
    "operation not supported on global/shared address space": 717,
    "invalid program counter": 718,
    "unspecified launch failure": 719,
    "operation not permitted": 800,
    "operation not supported": 801,
    "system not yet initialized": 802,
    "system has unsupported display driver / cuda driver combination": 803,
    "forward compatibility was attempted on non supported HW": 804,
    "operation not permitted when stream is capturing": 900,
    "unknown error": 999,
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a code means and what to do, each a clause."""

    code: int
    meaning: str
    advice: str


def explain(code: int) -> Explanation:
    """The meaning of a code; of one that is not known, that it is not."""
    meaning, advice = KNOWN.get(code, ("a code that is not in the list of errors", _REPORT))
    return Explanation(code, meaning, advice)


def code_of(words: str) -> int | None:
    """The code that the driver has these words for; None where it is not known."""
    return WORDS.get(words.strip())
