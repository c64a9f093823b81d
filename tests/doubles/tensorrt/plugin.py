"""A backend for the double, laid down as a third party's: the only way from the project's commands to it."""

from __future__ import annotations

from pathlib import Path

from tests.doubles.simulated import described
from tests.doubles.tensorrt.config import Config

VARIABLE = "BENCH_TENSORRT_DOUBLE"
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
        listed = self._library().state.config.listed or machine.device_name
        devices = tuple(DeviceInfo(Device("cuda", index), listed) for index in range(machine.devices))
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
    name, kind = ("tensorrt-rtx", "TensorRTRTX") if config.generation == "rtx" else ("tensorrt", "TensorRT")
    backends = {f"simulated-{name}": f"Simulated{kind}"}
    return described.install(folder, "tensorrt", _CODE, backends, VARIABLE, config)
