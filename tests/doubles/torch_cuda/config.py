"""What the simulated machine has, and what goes wrong on it."""

from __future__ import annotations

from dataclasses import dataclass, field

NO_DRIVER = (
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from"
    " http://www.nvidia.com/Download/index.aspx"
)
OLD_DRIVER = (
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading"
    " and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx Alternatively, go to:"
    " https://pytorch.org to install a PyTorch version that has been compiled with your version of the CUDA driver."
)
NO_MEMORY = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 14.75 GiB of which 9.06 GiB is"
    " free. Including non-PyTorch memory, this process has 5.69 GiB memory in use."
)
ILLEGAL_ACCESS = (
    "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be asynchronously reported at"
    " some other API call, so the stacktrace below might be incorrect.\nFor debugging consider passing"
    " CUDA_LAUNCH_BLOCKING=1\n"
)


@dataclass
class Config:
    """`init` is the error of torch.cuda.init; `fail` the errors of calls by name, raised each time.

    Names: stream, launch, upload, download, synchronize, empty_cache, pin, record.
    """

    count: int = 1
    card: str = "Simulated A10"
    capability: tuple[int, int] = (8, 6)
    built: bool = True
    init: str = ""
    fail: dict[str, Exception] = field(default_factory=dict)
