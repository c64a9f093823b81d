"""An input or output in both places: on the device, and in pinned host memory that numpy sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backends._cuda.base import Cuda, DeviceMemory, PinnedMemory
from backends.base import Array, TensorSpec


@dataclass(frozen=True, slots=True)
class Slot:
    """`view` is the pinned memory in the shape and dtype of `spec`."""

    spec: TensorSpec
    device: DeviceMemory
    host: PinnedMemory
    view: Array

    def upload(self, cuda: Cuda) -> None:
        """Put the copy of `view` to the device on the stream. Raises DeviceError."""
        if self.view.nbytes:
            cuda.copy_to_device(self.device, self.host, self.view.nbytes)

    def download(self, cuda: Cuda) -> None:
        """Put the copy from the device into `view` on the stream. Raises DeviceError."""
        if self.view.nbytes:
            cuda.copy_to_host(self.host, self.device, self.view.nbytes)


def slot(cuda: Cuda, spec: TensorSpec, address: int | None = None) -> Slot:
    """With memory of its own on the device, or with somebody else's at `address`. Zeros on the host.

    Raises DeviceError.
    """
    count = int(np.prod(spec.shape, dtype=np.int64))
    # Memory of no bytes cannot be had, so an allocation is one at least.
    size = max(count * spec.dtype.itemsize, 1)
    device = cuda.allocate(size) if address is None else DeviceMemory(address, size)
    host = cuda.allocate_pinned(size)
    host.bytes_.fill(0)
    view: Array = host.bytes_[: count * spec.dtype.itemsize].view(spec.dtype).reshape(spec.shape)
    return Slot(spec, device, host, view)
