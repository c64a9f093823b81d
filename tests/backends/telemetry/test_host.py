"""The host's state on made-up trees, and on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backends.telemetry import host_conditions, peak_memory_bytes
from backends.telemetry.host import virtualisation
from tests.backends.telemetry.trees import plant

CPUFREQ = "sys/devices/system/cpu/cpufreq"
MIB = 2**20


def test_everything_is_read(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            f"{CPUFREQ}/policy0/scaling_governor": "powersave",
            f"{CPUFREQ}/policy1/scaling_governor": "powersave",
            f"{CPUFREQ}/policy0/cpuinfo_max_freq": "3900000",
            f"{CPUFREQ}/policy1/cpuinfo_max_freq": "4200000",
            "proc/cpuinfo": "processor\t: 0\ncpu MHz\t\t: 1200.500\nprocessor\t: 1\ncpu MHz\t\t: 1400.500",
            "proc/loadavg": "0.52 0.58 0.59 1/467 12345",
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/cpu.max": "150000 100000",
            "sys/fs/cgroup/memory.max": "4294967296",
        },
    )
    found = host_conditions(tmp_path, 0.0, {"OMP_NUM_THREADS": "4", "HOME": "/root", "KMP_AFFINITY": "compact"})
    assert (found.governor, found.frequency_mhz, found.max_frequency_mhz) == ("powersave", 1300.5, 4200.0)
    assert (found.load_1m, found.cpu_limit, found.memory_limit_bytes) == (0.52, 1.5, 2**32)
    assert found.thread_settings == {"OMP_NUM_THREADS": "4", "KMP_AFFINITY": "compact"}
    assert found.virtualisation == ""


def test_governors_that_differ_are_all_named_and_arm_has_its_clocks_elsewhere(tmp_path: Path) -> None:
    for number, governor, khz in ((0, "performance", 2_600_000), (1, "schedutil", 1_000_000)):
        policy = f"{CPUFREQ}/policy{number}"
        plant(tmp_path, {f"{policy}/scaling_governor": governor, f"{policy}/scaling_cur_freq": str(khz)})
    plant(tmp_path, {"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd"})
    found = host_conditions(tmp_path, 0.0, {})
    assert (found.governor, found.frequency_mhz, found.max_frequency_mhz) == ("performance, schedutil", 1800.0, None)


def test_where_nothing_is_told_all_is_none(tmp_path: Path) -> None:
    found = host_conditions(tmp_path, 0.0, {})
    assert found.governor is found.frequency_mhz is found.max_frequency_mhz is found.load_1m is None
    assert found.cpu_limit is found.memory_limit_bytes is None
    assert (found.thread_settings, found.virtualisation) == ({}, "")
    assert peak_memory_bytes(tmp_path) is None


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"proc/cpuinfo": "flags\t\t: fpu sse2", "sys/class/dmi/id/sys_vendor": "QEMU"}, ""),
        (
            {"proc/cpuinfo": "flags\t\t: fpu hypervisor", "sys/class/dmi/id/sys_vendor": "QEMU"},
            "virtual machine (QEMU)",
        ),
        ({"proc/cpuinfo": "flags\t\t: fpu hypervisor"}, "virtual machine"),
        ({"proc/cpuinfo": "Features\t: fp", "sys/class/dmi/id/product_name": "KVM"}, "virtual machine (KVM)"),
        ({"proc/cpuinfo": "Features\t: fp", "sys/class/dmi/id/sys_vendor": "Huawei"}, ""),
        ({"proc/version": "Linux version 5.15.90.1-microsoft-standard-WSL2"}, "WSL"),
        ({"proc/cpuinfo": "flags : hypervisor", ".dockerenv": ""}, "docker, virtual machine"),
    ],
)
def test_virtual_machines(tmp_path: Path, files: dict[str, str], words: str) -> None:
    assert virtualisation(plant(tmp_path, files)) == words


def test_peak_memory_is_the_high_water_mark(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/self/status": "Name:\tpython\nVmPeak:\t  900000 kB\nVmHWM:\t  123456 kB\nVmRSS:\t 100 kB"})
    assert peak_memory_bytes(tmp_path) == 123456 * 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_this_machine() -> None:
    found = host_conditions(look_s=0.01)
    assert found.load_1m is not None
    assert found.load_1m >= 0
    assert found.frequency_mhz is None or 100 < found.frequency_mhz < 10_000
    assert found.cpu_limit is None or found.cpu_limit > 0
    assert len(found.busy_processes) <= 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_peak_memory_grows_stays_and_is_not_inherited() -> None:
    before = peak_memory_bytes()
    assert before is not None
    block = np.ones(before + 64 * MIB, np.uint8)
    peak = peak_memory_bytes()
    assert peak is not None
    assert peak >= block.nbytes
    del block
    assert peak_memory_bytes() == pytest.approx(peak, rel=0.01)
    program = "from backends.telemetry import peak_memory_bytes; print(peak_memory_bytes())"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 4 * MIB < int(child.stdout) < peak


def test_nothing_of_a_vendor_is_imported_before_it_is_needed() -> None:
    program = "import sys, backends.telemetry; print({'psutil', 'pynvml'} & set(sys.modules))"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "set()"
