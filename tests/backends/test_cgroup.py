"""Limits of control groups, both versions, on made-up trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import cgroup
from tests.backends.telemetry.trees import plant

V2 = "0::/system.slice/job.service"
V1 = "9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc"
GROUP, TOP = "sys/fs/cgroup/system.slice/job.service", "sys/fs/cgroup/system.slice"


def test_without_control_groups_nothing_is_known(tmp_path: Path) -> None:
    assert cgroup.cpu_limit(tmp_path) is None
    assert cgroup.memory_limit_bytes(tmp_path) is None
    assert cgroup.throttled_s(tmp_path) is None


def test_v2_the_tightest_limit_on_the_way_up_holds(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/self/cgroup": V2, f"{GROUP}/cpu.max": "max 100000", f"{GROUP}/memory.max": "2147483648"})
    assert cgroup.cpu_limit(tmp_path) is None
    plant(tmp_path, {f"{TOP}/cpu.max": "150000 100000", f"{TOP}/memory.max": "max"})
    assert cgroup.cpu_limit(tmp_path) == 1.5
    assert cgroup.memory_limit_bytes(tmp_path) == 2**31
    plant(tmp_path, {f"{GROUP}/cpu.max": "400000 100000"})
    assert cgroup.cpu_limit(tmp_path) == 1.5
    plant(tmp_path, {f"{GROUP}/cpu.max": "50000 100000", f"{TOP}/memory.max": "1073741824"})
    assert cgroup.cpu_limit(tmp_path) == 0.5
    assert cgroup.memory_limit_bytes(tmp_path) == 2**30


def test_v2_throttling_adds_up_over_the_levels(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/self/cgroup": V2, "sys/fs/cgroup/cpu.stat": "usage_usec 9000000"})
    assert cgroup.throttled_s(tmp_path) is None  # the top group has no quota, and counts none
    plant(tmp_path, {f"{GROUP}/cpu.stat": "usage_usec 9\nnr_throttled 2\nthrottled_usec 1500000"})
    plant(tmp_path, {f"{TOP}/cpu.stat": "usage_usec 9\nthrottled_usec 250000"})
    assert cgroup.throttled_s(tmp_path) == pytest.approx(1.75)


@pytest.mark.parametrize("path", ["/", "/../../other", "/docker/abc"])
def test_v2_inside_a_container_its_own_group_is_the_top(tmp_path: Path, path: str) -> None:
    plant(tmp_path, {"proc/self/cgroup": f"0::{path}", "sys/fs/cgroup/cpu.max": "200000 100000"})
    assert cgroup.cpu_limit(tmp_path) == 2.0


@pytest.mark.parametrize("folder", ["cpu,cpuacct", "cpu"])
@pytest.mark.parametrize("path", ["", "/docker/abc"])
def test_v1_from_outside_and_from_inside_of_a_container(tmp_path: Path, folder: str, path: str) -> None:
    cpu, memory = f"sys/fs/cgroup/{folder}{path}", f"sys/fs/cgroup/memory{path}"
    plant(tmp_path, {"proc/self/cgroup": V1, f"{cpu}/cpu.cfs_quota_us": "-1", f"{cpu}/cpu.cfs_period_us": "100000"})
    plant(tmp_path, {f"{memory}/memory.limit_in_bytes": "9223372036854771712"})
    assert cgroup.cpu_limit(tmp_path) is None
    assert cgroup.memory_limit_bytes(tmp_path) is None
    plant(tmp_path, {f"{cpu}/cpu.cfs_quota_us": "250000", f"{memory}/memory.limit_in_bytes": "536870912"})
    plant(tmp_path, {f"{cpu}/cpu.stat": "nr_periods 7\nnr_throttled 3\nthrottled_time 2500000000"})
    assert cgroup.cpu_limit(tmp_path) == 2.5
    assert cgroup.memory_limit_bytes(tmp_path) == 2**29
    assert cgroup.throttled_s(tmp_path) == pytest.approx(2.5)


def test_v1_with_an_unused_v2_beside_it(tmp_path: Path) -> None:
    plant(tmp_path, {"proc/self/cgroup": "0::/\n1:cpu:/", "sys/fs/cgroup/cpu.max": "100000 100000"})
    plant(tmp_path, {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"})
    assert cgroup.cpu_limit(tmp_path) == 3.0


@pytest.mark.parametrize("text", ["", "max", "1 2 3", "x 100000", "100000 0"])
def test_limits_that_make_no_sense_are_none(tmp_path: Path, text: str) -> None:
    plant(tmp_path, {"proc/self/cgroup": "0::/\nnonsense", "sys/fs/cgroup/cpu.max": text})
    assert cgroup.cpu_limit(tmp_path) is None


@pytest.mark.parametrize(
    ("group", "file", "kind"),
    [
        ("0::/user.slice/user-0.slice", "", ""),
        ("0::/system.slice/docker.service", "", ""),
        ("0::/system.slice/docker-0123abc.scope", "", "docker"),
        ("4:cpu:/docker/0123abc", "", "docker"),
        ("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-0123.scope", "", "kubernetes"),
        ("0::/lxc.payload.box", "", "lxc"),
        ("0::/", ".dockerenv", "docker"),
        ("0::/", "run/.containerenv", "podman"),
    ],
)
def test_kinds_of_containers(tmp_path: Path, group: str, file: str, kind: str) -> None:
    plant(tmp_path, {"proc/self/cgroup": group} | ({file: ""} if file else {}))
    assert cgroup.container_kind(tmp_path) == kind
