"""Third-party backends that go wrong in every way that a vendor's runtime can, and a card with four chips."""

from __future__ import annotations

from pathlib import Path

_CODE = '''
import atexit, ctypes, os, signal, subprocess, sys, time
from backends.base import *
from bench_test_doubles import Good, _Session

ORDER = 3  # the third inference is inside the measurement


class Abort(Good):
    name = "abort"

    def on_enqueue(self, calls):
        if calls == ORDER:
            print("assertion failed: stream != nullptr", file=sys.stderr, flush=True)
            os.abort()


class Hang(Good):
    name = "hang"

    def on_enqueue(self, calls):
        if calls == ORDER:
            print("waiting for the device", flush=True)
            time.sleep(3600)


class HangInLoad(Good):
    name = "hangload"

    def open(self, artifact, device, options):
        time.sleep(3600)


class OutOfMemory(Good):
    """As the kernel's OOM killer does it."""

    name = "oom"

    def on_enqueue(self, calls):
        if calls == ORDER:
            os.kill(os.getpid(), signal.SIGKILL)


class NoMemory(Good):
    name = "nomemory"

    def open(self, artifact, device, options):
        raise MemoryError("cannot allocate 64 GiB")


class Exit0(Good):
    name = "exit0"

    def prepare(self, model, precision, device, options):
        sys.exit(0)


class Garbage(Good):
    """Writes to every descriptor that it finds, as a runtime does that closed one and still uses it."""

    name = "garbage"

    def on_enqueue(self, calls):
        if calls == ORDER:
            for descriptor in range(3, 64):
                try:
                    os.write(descriptor, b"\\xff\\x00 device log: all is well\\n")
                except OSError:
                    pass


class Orphans(Good):
    """Leaves a process in a session of its own that holds the worker's pipe open, then dies."""

    name = "orphans"

    def on_enqueue(self, calls):
        if calls == ORDER:
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    open(os.environ["ORPHAN_FILE"], "w").write(str(os.getpid()))
                    time.sleep(3600)
                os._exit(0)
            while not os.path.exists(os.environ["ORPHAN_FILE"]):
                time.sleep(0.01)
            time.sleep(0.1)
            os._exit(3)


class CrashAtExit(Good):
    """Right to the end, then its clean-up at interpreter exit crashes."""

    name = "crashatexit"

    def open(self, artifact, device, options):
        atexit.register(ctypes.string_at, 0)
        return super().open(artifact, device, options)


def _leave_slowly():
    """Take time to clean up, and leave a file that tells when that begins."""
    open("leaving", "w").close()
    time.sleep(20)


class SlowAtExit(Good):
    """Right to the end, then takes its time to clean up."""

    name = "slowatexit"

    def open(self, artifact, device, options):
        atexit.register(_leave_slowly)
        return super().open(artifact, device, options)


class Forks(Good):
    """Leaves a process in its own group that goes on whatever becomes of the worker."""

    name = "forks"

    def on_enqueue(self, calls):
        if calls == 1 and os.fork() == 0:
            open(os.environ["ORPHAN_FILE"], "w").write(str(os.getpid()))
            time.sleep(3600)
        time.sleep(0.2)


class Talkative(Good):
    name = "talkative"

    def on_enqueue(self, calls):
        if calls == ORDER:
            raise DeviceError("the graph is: " + "node " * 20000)


class Unsteady(Good):
    """Becomes a third faster half-way."""

    name = "unsteady"

    def on_enqueue(self, calls):
        time.sleep(0.006 if calls < 60 else 0.001)


class Elsewhere(Good):
    """Is asked for one device and runs on another."""

    name = "elsewhere"

    def open(self, artifact, device, options):
        session = super().open(artifact, device, options)
        session.device = Device("cpu", 7)
        return session


class _Chip(_Session):
    """A device that is busy for 4 ms a job, first in, first out; several sessions of a process share it."""

    busy_until = 0.0

    def enqueue(self):
        _Chip.busy_until = self._mine = max(_Chip.busy_until, time.perf_counter()) + 0.004

    def synchronize(self):
        time.sleep(max(0.0, self._mine - time.perf_counter()))


class Chips(Good):
    """A card with four chips."""

    name = "chips"

    def probe(self):
        return Availability(True, devices=tuple(DeviceInfo(Device("npu", n), "Atlas 300I") for n in range(4)))

    def capabilities(self, device):
        return Capabilities(precisions=frozenset({Precision.FP32}), asynchronous=True, streams=True)

    def open(self, artifact, device, options):
        session = _Chip(artifact.model, self)
        session.device = device
        return session


class OneChipElsewhere(Chips):
    """Chips beyond the first really run on the first."""

    name = "onechipelsewhere"

    def open(self, artifact, device, options):
        return super().open(artifact, Device("npu", 0), options)


class OneChipFallsBack(Chips):
    name = "onechipfallsback"

    def open(self, artifact, device, options):
        session = super().open(artifact, device, options)
        session.fallback = "nodes may run on the CPU" if device.index else ""
        return session


class SlowChips(Chips):
    """The lanes' workers, and not the one that measures the latency, take their time to clean up."""

    name = "slowchips"

    def open(self, artifact, device, options):
        session = super().open(artifact, device, options)
        if device.index:
            atexit.register(_leave_slowly)
        return session


class OneBadChip(Chips):
    name = "onebadchip"

    def open(self, artifact, device, options):
        if device.index == 1:
            raise DeviceError("set_device failed: code 507033, the device is lost; see npu-smi info.")
        return super().open(artifact, device, options)
'''

_NAMES = {
    "abort": "Abort", "hang": "Hang", "hangload": "HangInLoad", "oom": "OutOfMemory", "nomemory": "NoMemory",
    "exit0": "Exit0", "garbage": "Garbage", "orphans": "Orphans", "crashatexit": "CrashAtExit",
    "unsteady": "Unsteady", "elsewhere": "Elsewhere", "chips": "Chips", "onebadchip": "OneBadChip",
    "onechipelsewhere": "OneChipElsewhere", "onechipfallsback": "OneChipFallsBack", "slowchips": "SlowChips",
    "slowatexit": "SlowAtExit", "forks": "Forks", "talkative": "Talkative",
}  # fmt: skip


def install(folder: Path) -> Path:
    """Lay the doubles down beside those of `tests.doubles.plugin`, which they build on."""
    (folder / "bench_fault_doubles.py").write_text(_CODE)
    info = folder / "bench_fault_doubles-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-fault-doubles\nVersion: 1.0\n")
    points = "".join(f"{name} = bench_fault_doubles:{kind}\n" for name, kind in _NAMES.items())
    (info / "entry_points.txt").write_text(f"[bench.backends]\n{points}")
    return folder
