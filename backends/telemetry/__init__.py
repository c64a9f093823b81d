"""Telemetry of hosts and devices: only looks, changes nothing.

`open_monitor` gives the sensors of a device; `host_conditions` the state of the host; two `host_counters` with
`activity` what the host did in between.
"""

from __future__ import annotations

from backends.base import Device
from backends.telemetry.base import THROTTLING, UNLIMITED, Monitor, Reading, TelemetryUnavailable, slowed
from backends.telemetry.counters import HostActivity, HostCounters, activity, host_counters
from backends.telemetry.host import HostConditions, host_conditions, peak_memory_bytes
from backends.telemetry.npu_smi import NpuSmiMonitor, list_chips
from backends.telemetry.npu_table import NpuChip, NpuTable, parse_info
from backends.telemetry.nvml import NvmlMonitor
from backends.telemetry.processes import BusyProcess

__all__ = [
    "THROTTLING", "UNLIMITED", "BusyProcess", "HostActivity", "HostConditions", "HostCounters", "Monitor", "NpuChip",
    "NpuSmiMonitor", "NpuTable", "NvmlMonitor", "Reading", "TelemetryUnavailable", "activity", "host_conditions",
    "host_counters", "list_chips", "open_monitor", "parse_info", "peak_memory_bytes", "slowed",
]  # fmt: skip


def open_monitor(device: Device, address: str = "") -> Monitor:
    """The sensors of a device; `address` is that of its DeviceInfo. Raises TelemetryUnavailable.

    An NPU's address is the number that npu-smi lists it under; without one its index is taken for it.
    """
    if device.kind == "cuda":
        if not address:
            raise TelemetryUnavailable(
                f"the PCI address of {device} is unknown, and NVML numbers cards in an order of its own; leave"
                " CUDA_DEVICE_ORDER unset and name cards by number in CUDA_VISIBLE_DEVICES"
            )
        return NvmlMonitor(address)
    if device.kind == "npu":
        return NpuSmiMonitor(int(address) if address.isdecimal() else device.index)
    raise TelemetryUnavailable(f"no telemetry source for {device}")
