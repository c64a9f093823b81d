"""Whether there is a GPU of NVIDIA's on this machine; nothing here opens one."""

from __future__ import annotations

from backends import nvidia
from backends._cuda import driver


def why_no_gpu() -> str:
    """Why there is none, "" where there is one."""
    if not driver.version():
        return "no NVIDIA driver was found here (its library libcuda.so.1 does not load)"
    if not nvidia.nvidia_devices():
        return (
            "there is an NVIDIA driver here, and no GPU that it lists (/proc/driver/nvidia/gpus, NVML by nvidia-ml-py,"
            " CUDA_VISIBLE_DEVICES)"
        )
    return ""
