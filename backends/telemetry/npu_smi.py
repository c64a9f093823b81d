"""Ascend NPUs, by the command `npu-smi info` of their driver; it starts a process and takes up to seconds.

`NpuSmiMonitor` reads the sensors of one chip, `survey` tells what chips there are. That npu-smi fails does not prove
that a model cannot run.

Never its `watch` form, which runs for ever. Failures are told apart by what the command prints, not by its exit
status, which was 0 for some of them in older versions. Texts and codes: the tool's own source (npu_smi.c and the DCMI
error codes, Ascend driver repository, 2026) and transcripts that users published. Not run on hardware.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from backends.cgroup import container_kind
from backends.telemetry.base import Monitor, Reading, TelemetryUnavailable
from backends.telemetry.npu_nodes import JOIN_GROUP, DeviceNodes, device_nodes
from backends.telemetry.npu_table import NotUnderstood, NpuChip, NpuTable, parse_info
from backends.telemetry.processes import count_others

__all__ = [
    "FOLDERS", "SURVEY_TIMEOUT_S", "TIMEOUT_S", "DeviceNodes", "NpuChip", "NpuSmiMonitor", "NpuSurvey", "device_nodes",
    "list_chips", "survey",
]  # fmt: skip

_LOG = logging.getLogger(__name__)
#: Where drivers put the command, in order of their age; often not on an ordinary user's PATH.
FOLDERS = ("/usr/local/sbin", "/usr/local/bin")
TIMEOUT_S = 10.0
_CODE = re.compile(r"\bret is (-\d+)")
_LIBRARY = re.compile(r"error while loading shared libraries: ([^\s:]+)")
#: A probe may take less than a second altogether.
SURVEY_TIMEOUT_S = 0.8
_WARNING = re.compile(r"^\s*\[WARNING\]\s*(.+)$", re.MULTILINE | re.IGNORECASE)
_HEALTHY = "OK"


class NpuSmiMonitor(Monitor):
    """One chip, by the number that npu-smi lists it under and aclrtSetDevice takes.

    That number holds where no ASCEND_RT_VISIBLE_DEVICES hides chips from the process that measures.
    Raises TelemetryUnavailable: command absent, driver not ready, no permission, no answer in `timeout_s` seconds,
    container without devices, chip not listed, output not understood.
    """

    light = False

    def __init__(self, device_number: int, timeout_s: float = TIMEOUT_S, root: Path = Path("/")) -> None:
        self._device, self._timeout_s, self._root = device_number, timeout_s, root
        self._closed = False
        table, _ = _table(timeout_s, root)
        if table.chip(device_number) is None:
            listed = ", ".join(str(chip.device) for chip in table.chips)
            raise TelemetryUnavailable(f"npu-smi lists no device {device_number}; it lists {listed}")
        self.source, self.driver = f"npu-smi {table.version}", table.driver

    def read(self) -> Reading:
        """Look at the chip; there are no clocks, no counter of energy and no reasons in this table."""
        if self._closed:
            return Reading()
        try:
            table, _ = _table(self._timeout_s, self._root)
        except TelemetryUnavailable as error:
            _LOG.debug("%s", error)
            return Reading()
        chip = table.chip(self._device)
        if chip is None:
            return Reading()
        others = None
        if table.processes is not None:
            mine = [process.pid for process in table.processes if (process.npu, process.chip) == (chip.npu, chip.chip)]
            others = count_others(mine, self._root)
        return Reading(
            power_w=None if chip.name == "310" else chip.power_w,  # its rated power, shown whatever it does
            temperature_c=chip.temperature_c,
            utilization=chip.utilization,
            memory_used_bytes=chip.memory_used_bytes,
            memory_total_bytes=chip.memory_total_bytes,
            other_processes=others,
            health=chip.health,
        )

    def close(self) -> None:
        self._closed = True


@dataclass(frozen=True, slots=True)
class NpuSurvey:
    """What npu-smi lists. `problem` is "" if it lists chips, else one line, why not and what to do, without full stop.

    The numbers of the chips hold where no ASCEND_RT_VISIBLE_DEVICES hides some of them. `warnings` are a line each: a
    chip whose health is not OK, and what the tool itself warns of.
    """

    chips: tuple[NpuChip, ...] = ()
    problem: str = ""
    warnings: tuple[str, ...] = ()
    version: str = ""
    driver: str = ""

    @property
    def cards(self) -> tuple[tuple[NpuChip, ...], ...]:
        """The chips by card: those of one card have one NPU id."""
        ordered = sorted(self.chips, key=lambda chip: (chip.npu, chip.chip, chip.device))
        cards = [tuple(group) for _, group in groupby(ordered, key=lambda chip: chip.npu)]
        return tuple(sorted(cards, key=lambda card: min(chip.device for chip in card)))

    def told(self) -> list[str]:
        """All of it for a person, a line each."""
        if self.problem:
            return [self.problem]
        lines = [f"npu-smi {self.version}, driver {self.driver}, chips: {len(self.chips)}, cards: {len(self.cards)}"]
        return [*lines, *(_in_words(chip) for chip in self.chips), *self.warnings]


def survey(timeout_s: float = SURVEY_TIMEOUT_S, root: Path = Path("/")) -> NpuSurvey:
    """Ask npu-smi for all chips, and give up after `timeout_s` seconds. Never raises."""
    try:
        table, output = _table(timeout_s, root)
    except TelemetryUnavailable as error:
        return NpuSurvey(problem=str(error))
    except (OSError, ValueError) as error:
        return NpuSurvey(problem=f"npu-smi could not be asked ({error}); run npu-smi info by hand")
    unwell = [
        f"npu-smi calls the health of device {chip.device} ({chip.name}, NPU {chip.npu}, chip {chip.chip})"
        f" {chip.health}; see npu-smi info -t health -i {chip.npu} -c {chip.chip}"
        for chip in table.chips
        if chip.health != _HEALTHY
    ]
    told = [f"npu-smi warns: {text.strip()}" for text in _WARNING.findall(output)]
    return NpuSurvey(table.chips, "", tuple(unwell + told), table.version, table.driver)


def _in_words(chip: NpuChip) -> str:
    share = None if chip.utilization is None else chip.utilization * 100
    values = [
        (chip.power_w, f"W{' (rated)' if chip.name == '310' else ''}"), (chip.temperature_c, "degrees C"),
        (share, "% AICore"),
    ]  # fmt: skip
    sensors = [f"{value:g} {unit}" for value, unit in values if value is not None]
    if chip.memory_total_bytes:
        used = "unknown" if chip.memory_used_bytes is None else f"{chip.memory_used_bytes / 2**20:.0f}"
        sensors.append(f"{used} of {chip.memory_total_bytes / 2**20:.0f} MiB")
    place = f"NPU {chip.npu}, chip {chip.chip}, bus {chip.bus_id or 'unknown'}"
    return f"device {chip.device}: {chip.name} ({place}), health {chip.health}, {', '.join(sensors) or 'no sensors'}"


def list_chips(timeout_s: float = TIMEOUT_S, root: Path = Path("/")) -> list[NpuChip]:
    """All chips that npu-smi lists. Raises TelemetryUnavailable as NpuSmiMonitor does."""
    return list(_table(timeout_s, root)[0].chips)


def _table(timeout_s: float, root: Path) -> tuple[NpuTable, str]:
    """Run `npu-smi info` and read its table; also all that it printed. Raises TelemetryUnavailable."""
    output, error_output = _run([_command(root), "info"], timeout_s)
    everything = f"{output}\n{error_output}"
    try:
        table = parse_info(output)
    except NotUnderstood as error:
        raise _explain(everything, root) or error from error
    if table.chips:
        return table, everything
    raise _without_devices(root) or TelemetryUnavailable("npu-smi lists no chip; see whether lspci lists the card")


def _command(root: Path) -> str:
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *FOLDERS])
    if found := shutil.which("npu-smi", path=places):
        return found
    if found := shutil.which("npu-smi", mode=os.F_OK, path=places):
        raise TelemetryUnavailable(f"no permission to run {found}{JOIN_GROUP}")
    nodes = device_nodes(root)
    if container_kind(root):
        advice = "mount npu-smi into the container" if nodes.chips else f"mount it into the container; {nodes.problem}"
    elif nodes.chips:
        advice = f"the NPU driver is loaded ({', '.join(nodes.chips)}): put the folder of npu-smi on PATH"
    else:
        advice = "install the Ascend driver"
    raise TelemetryUnavailable(f"npu-smi was not found on PATH nor in {' or '.join(FOLDERS)}; {advice}")


def _run(command: list[str], timeout_s: float) -> tuple[str, str]:
    """Standard output and error of a command. Raises TelemetryUnavailable if it cannot start or does not end in time.

    After a time-out nothing is waited for: a process that hangs inside the driver cannot even be killed.
    """
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except PermissionError as error:
        raise TelemetryUnavailable(f"no permission to run {command[0]}{JOIN_GROUP}") from error
    except OSError as error:
        raise TelemetryUnavailable(f"{command[0]} cannot be run: {error.strerror}; reinstall the driver") from error
    try:
        return child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise TelemetryUnavailable(
            f"npu-smi did not answer within {timeout_s:g} s; run npu-smi info by hand: if it never ends, a chip may be"
            " lost (see dmesg, and reboot if it stays)"
        ) from error
    finally:
        if child.poll() is None:
            with suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=min(1.0, timeout_s / 10))
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def _explain(output: str, root: Path) -> TelemetryUnavailable | None:
    """Why npu-smi printed no table, from what it printed and what the machine has; None if that does not tell."""
    if library := _LIBRARY.search(output):
        return TelemetryUnavailable(
            f"npu-smi cannot load {library[1]}; source CANN's set_env.sh, or add /usr/local/Ascend/driver/lib64 and its"
            " folders common and driver to LD_LIBRARY_PATH"
        )
    found = _CODE.search(output)
    code = int(found[1]) if found else 0
    nodes = device_nodes(root)
    if code in (-8002, -9002) or re.search("permission denied|not permitted", output, re.IGNORECASE):
        return TelemetryUnavailable(
            f"no permission to use {nodes.refused[0] if nodes.refused else 'the NPU'}{JOIN_GROUP}"
        )
    if error := _without_devices(root, nodes):
        return error
    if not code:
        return None
    if nodes.refused:
        return TelemetryUnavailable(f"no permission to use {nodes.refused[0]} (npu-smi: {code}){JOIN_GROUP}")
    if code == -8020:
        return TelemetryUnavailable(
            "the NPU is in use by another container (npu-smi: -8020); stop that one, start this one with other devices,"
            " and mount /usr/local/dcmi into it"
        )
    return TelemetryUnavailable(
        f"the NPU driver is not ready (npu-smi: {code}): not loaded, or upgraded without a restart; see lsmod | grep"
        " drv, reboot, and be a member of the group HwHiAiUser"
    )


def _without_devices(root: Path, nodes: DeviceNodes | None = None) -> TelemetryUnavailable | None:
    """The error of a container that lacks nodes of the NPU; None outside of one, or where it has them all."""
    nodes = nodes or device_nodes(root)
    if not container_kind(root) or (nodes.chips and not nodes.missing):
        return None
    return TelemetryUnavailable(nodes.problem)
