"""NVIDIA cards, by NVML: package nvidia-ml-py, module `pynvml`, the library that nvidia-smi itself uses.

Only queries, nothing that changes a setting. Names, units and bits are those of nvml.h and pynvml 13.615; the names
of older packages and drivers are tried where they differ. Tested against a double: not run on hardware.
"""

from __future__ import annotations

import logging
from typing import Any

from backends.telemetry.base import UNLIMITED, Monitor, Reading, TelemetryUnavailable
from backends.telemetry.processes import count_others

_LOG = logging.getLogger(__name__)
#: nvmlClocksEventReasons of nvml.h, in plain words.
_REASONS = {
    0x001: "idle",
    0x002: "clock setting",
    0x004: "power cap",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "thermal slowdown",
    0x040: "hardware thermal slowdown",
    0x080: "power brake",
    0x100: "display clock setting",
    0x200: "board limit",
    0x400: "reliability limit",
}
#: nvmlReturn_t of nvml.h: why NVML cannot be used, and what to do. {} is the card's address.
_FAILURES = {
    2: "NVML does not take {} for a PCI address; give one such as 0000:3b:00.0",
    4: "no permission to use NVML; add this user to the group that owns /dev/nvidia* (often video)",
    6: "NVML knows no card at {}; compare with nvidia-smi --query-gpu=pci.bus_id --format=csv",
    9: "the NVIDIA driver is not loaded; load it, or start the container with --gpus all",
    12: "NVIDIA's driver library libnvidia-ml was not found; install the driver, or start the container with"
    " --gpus all (NVIDIA_DRIVER_CAPABILITIES must contain utility)",
    15: "the card at {} has fallen off the bus; reboot",
    28: "the NVIDIA driver finds no card; see whether lspci and nvidia-smi list it",
    18: "the NVIDIA driver that is loaded and its library libnvidia-ml are of different versions; reboot",
}


class NvmlMonitor(Monitor):
    """One card, found by its PCI address: NVML numbers cards in its own order and ignores CUDA_VISIBLE_DEVICES.

    Raises TelemetryUnavailable: package or driver absent, no permission, unknown address.
    """

    source = "NVML"
    light = True

    def __init__(self, pci_address: str) -> None:
        try:
            import pynvml
        except ImportError as error:
            raise TelemetryUnavailable(
                "the Python package nvidia-ml-py is not installed; run pip install '.[nvml]'"
            ) from error
        self._nvml = pynvml
        self._handle: Any = None
        opened = False
        try:
            pynvml.nvmlInit()
            opened = True
            self._handle = pynvml.nvmlDeviceGetHandleByPciBusId(pci_address)
        except pynvml.NVMLError as error:
            if opened:
                self._ask("nvmlShutdown")
            words = _FAILURES.get(error.value, f"NVML failed with: {error}; see whether nvidia-smi works")
            raise TelemetryUnavailable(words.replace("{}", pci_address)) from error
        driver = self._ask("nvmlSystemGetDriverVersion") or ""
        self.driver = driver.decode() if isinstance(driver, bytes) else driver  # bytes in packages before 11.515

    def read(self) -> Reading:
        """Look at the card; clocks are of the streaming multiprocessors."""
        if self._handle is None:
            return Reading()
        clock = self._nvml.NVML_CLOCK_SM
        milliwatts = self._about("nvmlDeviceGetPowerUsage")
        millijoules = self._about("nvmlDeviceGetTotalEnergyConsumption")
        rates = self._about("nvmlDeviceGetUtilizationRates")
        memory = self._about("nvmlDeviceGetMemoryInfo")
        running = self._about("nvmlDeviceGetComputeRunningProcesses")
        if running is None:  # drivers before 510 lack what the current name stands for
            running = self._about("nvmlDeviceGetComputeRunningProcesses_v2")
        return Reading(
            clock_mhz=_float(self._about("nvmlDeviceGetClockInfo", clock)),
            max_clock_mhz=_float(self._about("nvmlDeviceGetMaxClockInfo", clock)),
            power_w=None if milliwatts is None else milliwatts / 1e3,
            energy_j=None if millijoules is None else millijoules / 1e3,
            temperature_c=_float(self._about("nvmlDeviceGetTemperature", self._nvml.NVML_TEMPERATURE_GPU)),
            utilization=None if rates is None else rates.gpu / 100,
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            other_processes=None if running is None else count_others(process.pid for process in running),
            throttle_reasons=self._reasons(),
        )

    def close(self) -> None:
        """Shut NVML down for this monitor; NVML itself counts its users."""
        if self._handle is not None:
            self._handle = None
            self._ask("nvmlShutdown")

    def _reasons(self) -> tuple[str, ...]:
        mask = self._about("nvmlDeviceGetCurrentClocksEventReasons")
        if mask is None:  # the name before driver 535
            mask = self._about("nvmlDeviceGetCurrentClocksThrottleReasons")
        if mask is None:
            return ()
        bits = [1 << place for place in range(64) if mask >> place & 1]
        return tuple(_REASONS.get(bit, f"reason {bit:#x}") for bit in bits) or (UNLIMITED,)

    def _about(self, query: str, *arguments: Any) -> Any:
        """Answer of a query about this card."""
        return self._ask(query, self._handle, *arguments)

    def _ask(self, query: str, *arguments: Any) -> Any:
        """Answer of a query; None where this package, driver or card does not have it, or it fails."""
        function = getattr(self._nvml, query, None)
        if function is None:
            return None
        try:
            return function(*arguments)
        except Exception as error:  # NVMLError, or what ctypes makes of an older library: no reading is worth a run
            _LOG.debug("%s: %s", query, error)
            return None


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
