"""Counters of the host on made-up trees, and on this machine."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backends.telemetry import HostActivity, HostCounters, activity, host_counters
from backends.telemetry.counters import PackageEnergy
from tests.backends.telemetry.trees import plant

START = HostCounters(
    at_s=100.0, own_s=10.0, busy_s=1000.0, steal_s=5.0, quota_throttled_s=1.0, thermal_events=7,
    energy=(PackageEnergy("intel-rapl:0", 900, 1000),),
)  # fmt: skip


def later(**changes) -> HostActivity:
    return activity(START, replace(START, at_s=110.0, **changes))


def test_cpu_time_is_shared_out_between_us_and_others() -> None:
    found = later(own_s=30.0, busy_s=1025.0)
    assert (found.own_cores, found.other_cores) == (2.0, 0.5)


def test_others_never_use_less_than_nothing() -> None:
    assert later(own_s=30.0, busy_s=1019.0).other_cores == 0.0


def test_stolen_time_is_a_share_of_what_was_wanted() -> None:
    assert later(busy_s=1003.0, steal_s=6.0).steal_share == pytest.approx(0.25)
    assert later().steal_share == 0.0


def test_quota_heat_and_energy() -> None:
    found = later(quota_throttled_s=1.5, thermal_events=9, energy=(PackageEnergy("intel-rapl:0", 950, 1000),))
    assert (found.quota_throttled_s, found.thermal_events) == (0.5, 2)
    assert found.energy_j == pytest.approx(50e-6)


def test_energy_goes_round_and_adds_up_over_packages() -> None:
    first = replace(START, energy=(*START.energy, PackageEnergy("intel-rapl:1", 0, 1000)))
    then = (PackageEnergy("intel-rapl:0", 99, 1000), PackageEnergy("intel-rapl:1", 300, 1000))
    assert activity(first, replace(first, at_s=101.0, energy=then)).energy_j == pytest.approx(500e-6)
    assert activity(START, replace(first, at_s=101.0, energy=then)).energy_j is None


def test_what_is_unknown_on_either_side_stays_unknown() -> None:
    unknown = HostCounters(110.0, 11.0, None, None, None, None)
    expected = HostActivity(own_cores=0.1)
    assert activity(START, unknown) == expected
    assert activity(replace(unknown, at_s=100.0, own_s=10.0), replace(START, at_s=110.0, own_s=11.0)) == expected


def test_no_time_no_activity() -> None:
    assert activity(START, START) == HostActivity()


def test_files_are_read(tmp_path: Path) -> None:
    cpus, rapl = "sys/devices/system/cpu", "sys/class/powercap"
    plant(
        tmp_path,
        {
            "proc/stat": "cpu  1000 200 300 9000 50 20 30 40 600 0\ncpu0 1 2 3 4 5 6 7 8 9 0",
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/cpu.stat": "throttled_usec 1500000",
            **{f"{cpus}/cpu{n}/thermal_throttle/core_throttle_count": str(n) for n in (1, 2)},
            **{f"{cpus}/cpu{n}/thermal_throttle/package_throttle_count": "10" for n in (1, 2)},
            **{f"{cpus}/cpu{n}/topology/physical_package_id": "0" for n in (1, 2)},
            f"{rapl}/intel-rapl:0/name": "package-0",
            f"{rapl}/intel-rapl:0/energy_uj": "123",
            f"{rapl}/intel-rapl:0/max_energy_range_uj": "262143328850",
            f"{rapl}/intel-rapl:0:0/name": "core",
            f"{rapl}/intel-rapl:0:0/energy_uj": "99",
            f"{rapl}/intel-rapl:0:0/max_energy_range_uj": "262143328850",
        },
    )
    found = host_counters(tmp_path)
    tick = os.sysconf("SC_CLK_TCK")
    assert found.busy_s == pytest.approx(1550 / tick)  # guest time is in user time already; waiting is idle
    assert found.steal_s == pytest.approx(40 / tick)
    assert found.quota_throttled_s == 1.5
    assert found.thermal_events == 1 + 2 + 10
    assert found.energy == (PackageEnergy("intel-rapl:0", 123, 262143328850),)


@pytest.mark.parametrize("stat", ["cpu  0 0 0 0 0 0 0 0 0 0", "cpu 1 2", "intr 1", "cpu  a b c d e f g h"])
def test_a_kernel_that_does_not_count_is_not_idle(tmp_path: Path, stat: str) -> None:
    found = host_counters(plant(tmp_path, {"proc/stat": stat}))
    assert found.busy_s is found.steal_s is found.thermal_events is found.quota_throttled_s is None
    assert found.energy == ()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_this_machine_sees_us_work() -> None:
    before = host_counters()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    found = activity(before, host_counters())
    assert found.own_cores is not None
    assert 0 < found.own_cores < (os.cpu_count() or 1) + 1
    assert found.other_cores is not None
    assert 0 <= found.other_cores <= (os.cpu_count() or 1) + 1
    assert found.steal_share is not None
    assert 0 <= found.steal_share <= 1
    assert host_counters().own_s - before.own_s >= 0.2
