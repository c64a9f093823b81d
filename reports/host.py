"""The host in words: what it was like when a run began, and what it did while samples were taken."""

from __future__ import annotations

from reports.records import Activity, Conditions


def conditions_in_words(conditions: Conditions) -> str:
    """Governor, frequency, load, limits and busy neighbours, as far as they could be read."""
    parts = [f"frequency governor {conditions.governor or 'unknown'}"]
    if conditions.frequency_mhz:
        top = f" of {conditions.max_frequency_mhz:.0f}" if conditions.max_frequency_mhz else ""
        parts.append(f"{conditions.frequency_mhz:.0f}{top} MHz")
    if conditions.load_1m is not None:
        parts.append(f"load {conditions.load_1m:.2f}")
    if conditions.cpu_limit:
        parts.append(f"container limit {conditions.cpu_limit:g} CPUs")
    if conditions.memory_limit_bytes:
        parts.append(f"container limit {conditions.memory_limit_bytes / 2**30:.1f} GiB")
    if conditions.virtualisation:
        parts.append(conditions.virtualisation)
    parts += [f"{name}={value}" for name, value in conditions.thread_settings.items()]
    busy = ", ".join(f"{process.name} ({process.cores:.2f} cores)" for process in conditions.busy_processes)
    parts.append(f"busy neighbours: {busy}" if busy else "no busy neighbours")
    return ", ".join(parts)


def activity_in_words(activity: Activity) -> str:
    """What else used the machine while samples were taken; empty where the system does not tell."""
    parts = []
    if activity.other_cores is not None:
        parts.append(f"others used {activity.other_cores:.2f} cores")
    if activity.steal_share is not None:
        parts.append(f"{activity.steal_share:.1%} stolen by the hypervisor")
    if activity.quota_throttled_s:
        parts.append(f"held back by the container's quota for {activity.quota_throttled_s:.2g} s")
    if activity.thermal_events:
        parts.append(f"{activity.thermal_events} thermal events")
    return ", ".join(parts)
