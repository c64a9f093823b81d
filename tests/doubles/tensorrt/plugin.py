"""A backend for the double, laid down as a third party's: the only way from the project's commands to it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.doubles.tensorrt.config import Config, write

VARIABLE = "BENCH_TENSORRT_DOUBLE"
_ROOT = Path(__file__).parents[3]
_CODE = """
from backends.base import Availability, Device, DeviceInfo
from backends.tensorrt import TensorRTBackend, TensorRTRTXBackend


class _Simulated:
    simulated = True

    def _library(self):
        from tests.doubles.tensorrt import load

        return load()

    def _cuda(self):
        from tests.doubles.tensorrt import load, vendor

        return vendor(load())

    def probe(self):
        machine = self._library().state.config.machine
        devices = tuple(DeviceInfo(Device("cuda", index), machine.device_name) for index in range(machine.devices))
        return Availability(True, "", {"tensorrt": self._library().__version__}, devices)


class SimulatedTensorRT(_Simulated, TensorRTBackend):
    name = "simulated-tensorrt"
    title = "TensorRT (test double)"


class SimulatedTensorRTRTX(_Simulated, TensorRTRTXBackend):
    name = "simulated-tensorrt-rtx"
    title = "TensorRT for RTX (test double)"
"""


def install(folder: Path, config: Config) -> dict[str, str]:
    """Lay the backend `simulated-tensorrt` and the machine's description down in `folder`.

    With the generation `rtx` it is `simulated-tensorrt-rtx`. Returns the variables of the environment with which a
    process finds both: PYTHONPATH and BENCH_TENSORRT_DOUBLE.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench_simulated_tensorrt.py").write_text(_CODE)
    info = folder / "bench_simulated_tensorrt-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-simulated-tensorrt\nVersion: 1.0\n")
    name, kind = ("tensorrt-rtx", "TensorRTRTX") if config.generation == "rtx" else ("tensorrt", "TensorRT")
    entry = f"[bench.backends]\nsimulated-{name} = bench_simulated_tensorrt:Simulated{kind}\n"
    (info / "entry_points.txt").write_text(entry)
    described = write(folder / "tensorrt-double.json", config)
    before = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(folder), str(_ROOT), *before])),
        VARIABLE: str(described),
    }
