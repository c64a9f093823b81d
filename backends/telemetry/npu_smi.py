"""Ascend NPUs, by the command `npu-smi info` of their driver; it starts a process and takes up to seconds.

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
from pathlib import Path

from backends.cgroup import container_kind
from backends.telemetry.base import Monitor, Reading, TelemetryUnavailable
from backends.telemetry.npu_table import NotUnderstood, NpuChip, NpuTable, parse_info
from backends.telemetry.processes import count_others

_LOG = logging.getLogger(__name__)
#: Where drivers put the command, in order of their age; often not on an ordinary user's PATH.
FOLDERS = ("/usr/local/sbin", "/usr/local/bin")
TIMEOUT_S = 10.0
_CODE = re.compile(r"\bret is (-\d+)")
_LIBRARY = re.compile(r"error while loading shared libraries: ([^\s:]+)")
_NO_PERMISSION = "; add this user to the group HwHiAiUser (sudo usermod -a -G HwHiAiUser $USER) and log in again"
_DEVICES = "/dev/davinciN, /dev/davinci_manager, /dev/devmm_svm and /dev/hisi_hdc"


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
        table = _table(timeout_s, root)
        if table.chip(device_number) is None:
            listed = ", ".join(str(chip.device) for chip in table.chips)
            raise TelemetryUnavailable(f"npu-smi lists no device {device_number}; it lists {listed}")
        self.source, self.driver = f"npu-smi {table.version}", table.driver

    def read(self) -> Reading:
        """Look at the chip; there are no clocks, no counter of energy and no reasons in this table."""
        if self._closed:
            return Reading()
        try:
            table = _table(self._timeout_s, self._root)
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


def list_chips(timeout_s: float = TIMEOUT_S, root: Path = Path("/")) -> list[NpuChip]:
    """All chips that npu-smi lists. Raises TelemetryUnavailable as NpuSmiMonitor does."""
    return list(_table(timeout_s, root).chips)


def _table(timeout_s: float, root: Path) -> NpuTable:
    """Run `npu-smi info` and read its table. Raises TelemetryUnavailable."""
    out, err = _run([_command(), "info"], timeout_s)
    try:
        table = parse_info(out)
    except NotUnderstood as error:
        raise _explain(f"{out}\n{err}", root) or error from error
    if table.chips:
        return table
    raise _without_devices(root) or TelemetryUnavailable("npu-smi lists no chip; see whether lspci lists the card")


def _command() -> str:
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *FOLDERS])
    if found := shutil.which("npu-smi", path=places):
        return found
    if found := shutil.which("npu-smi", mode=os.F_OK, path=places):
        raise TelemetryUnavailable(f"no permission to run {found}{_NO_PERMISSION}")
    raise TelemetryUnavailable(
        f"npu-smi was not found on PATH nor in {' or '.join(FOLDERS)}; install the Ascend driver, or mount npu-smi"
        " into the container"
    )


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
        raise TelemetryUnavailable(f"no permission to run {command[0]}{_NO_PERMISSION}") from error
    except OSError as error:
        raise TelemetryUnavailable(f"{command[0]} cannot be run: {error.strerror}; reinstall the driver") from error
    try:
        return child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise TelemetryUnavailable(
            f"npu-smi did not answer within {timeout_s:g} s, as when a chip is lost; see dmesg, and reboot if it stays"
        ) from error
    finally:
        if child.poll() is None:
            with suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=1.0)
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
    nodes = sorted((root / "dev").glob("davinci[0-9]*"))
    if code in (-8002, -9002) or re.search("permission denied|not permitted", output, re.IGNORECASE):
        return TelemetryUnavailable(f"no permission to use the NPU{_NO_PERMISSION}")
    if not code:
        return None
    if error := _without_devices(root):
        return error
    if any(not os.access(node, os.R_OK | os.W_OK) for node in nodes):
        return TelemetryUnavailable(f"no permission to use {nodes[0]} (npu-smi: {code}){_NO_PERMISSION}")
    if code == -8020:
        return TelemetryUnavailable(
            "the NPU is in use by another container (npu-smi: -8020); stop that one, start this one with other devices,"
            " and mount /usr/local/dcmi into it"
        )
    return TelemetryUnavailable(
        f"the NPU driver is not ready (npu-smi: {code}): not loaded, or upgraded without a restart; see lsmod | grep"
        " drv, reboot, and be a member of the group HwHiAiUser"
    )


def _without_devices(root: Path) -> TelemetryUnavailable | None:
    """The error of a container that was given no NPU; None outside of one, or where it was given some."""
    if not container_kind(root) or any((root / "dev").glob("davinci[0-9]*")):
        return None
    return TelemetryUnavailable(
        f"this container was started without an NPU; start it with --device for each of {_DEVICES}"
    )
