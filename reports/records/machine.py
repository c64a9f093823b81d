"""The machine that measured: what it is, and what was seen of it meanwhile."""

from __future__ import annotations

from typing import Literal

import msgspec


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that measured. `memory_bytes` is the physical memory."""

    name: str
    os: str
    cpu: str
    logical_cpus: int
    physical_cores: int
    memory_bytes: int | None
    python: str


class BusyProcess(msgspec.Struct, frozen=True, kw_only=True):
    """Another process that used the machine when the run began; `cores` is its share of CPU time, in cores."""

    name: str
    pid: int
    cores: float


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """State of the host when the run began; null where the system does not tell. Frequencies in MHz."""

    governor: str | None
    frequency_mhz: float | None
    max_frequency_mhz: float | None
    load_1m: float | None
    #: a container's limits: CPUs by quota, and bytes of memory
    cpu_limit: float | None
    memory_limit_bytes: int | None
    #: environment variables that set thread counts or their binding
    thread_settings: dict[str, str] = {}
    busy_processes: list[BusyProcess] = []
    #: kind of virtual machine or container, empty if none was recognised
    virtualisation: str = ""


class Git(msgspec.Struct, frozen=True, kw_only=True):
    """State of the checkout that measured."""

    commit: str
    dirty: bool


class DeviceReading(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the device, outside the timed region; null where its tool does not tell. `energy_j` is a counter."""

    moment: Literal["before", "during", "after"]
    clock_mhz: float | None = None
    max_clock_mhz: float | None = None
    power_w: float | None = None
    energy_j: float | None = None
    temperature_c: float | None = None
    utilization: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    other_processes: int | None = None
    health: str = ""
    throttle_reasons: list[str] = []


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What the host did while the samples were taken; null where the system does not tell.

    Cores are CPU time over elapsed time: `own_cores` of the measuring process, `other_cores` of everything else.
    """

    other_cores: float | None = None
    own_cores: float | None = None
    steal_share: float | None = None
    #: seconds for which a container's CPU quota held processes back
    quota_throttled_s: float | None = None
    thermal_events: int | None = None
    #: of the CPU packages, in joules
    energy_j: float | None = None


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen beside the samples. `source` names the device's tool; `missing` says why there is none."""

    source: str = ""
    driver: str = ""
    missing: str = ""
    readings: list[DeviceReading] = []
    activity: Activity | None = None
    #: peak resident memory of the worker process
    peak_memory_bytes: int | None = None
    #: how much more of the device's memory was in use with the model loaded than before
    device_memory_bytes: int | None = None
    energy_per_image_j: float | None = None
