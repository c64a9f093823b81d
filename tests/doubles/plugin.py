"""Third-party backends as pip would install them, for tests that run the real command: some good, some bad."""

from __future__ import annotations

from pathlib import Path

_CODE = '''
import ctypes, os, sys, time
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from backends.base import *
from backends.openvino import OpenVinoBackend
from backends.host import cpu_device


class _Base(Backend):
    title = "a test double"
    simulated = True

    def probe(self):
        return Availability(True, versions={"double": "1"}, devices=(cpu_device(),))

    def capabilities(self, device):
        return Capabilities(precisions=frozenset({Precision.FP32}))

    def prepare(self, model, precision, device, options):
        return Artifact(model, precision, sha256="0")

    def open(self, artifact, device, options):
        return _Session(artifact.model, self, device)

    def on_enqueue(self, calls):
        pass


def _evaluator(path):
    """What computes the file with numpy: a convolution and its activation by hand, since onnx's own takes a third of
    a second to import."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    if [node.op_type for node in graph.node] != ["Conv", "Relu"]:
        from onnx.reference import ReferenceEvaluator

        return lambda feeds: ReferenceEvaluator(path).run(None, feeds)
    weights, (given,) = numpy_helper.to_array(graph.initializer[0]), graph.input
    sides = [(0, 0), (0, 0), *[(kernel // 2, kernel // 2) for kernel in weights.shape[2:]]]

    def compute(feeds):
        around = sliding_window_view(np.pad(feeds[given.name], sides), weights.shape[2:], (2, 3))
        return [np.maximum(np.einsum("nchwij,ocij->nohw", around, weights), 0)]

    return compute


class _Session(Session):
    """Computes the file while the inputs are copied, so that every inference takes the same 2 ms."""

    def __init__(self, model, backend, device=Device("cpu")):
        self.inputs, self.outputs, self.precision = model.inputs, model.outputs, Precision.FP32
        self.device = device
        self._compute = _evaluator(str(model.onnx))
        self._backend, self._calls, self._answer = backend, 0, None

    def _copy_inputs(self, feeds):
        self._answer = dict(zip([spec.name for spec in self.outputs], self._compute(dict(feeds))))

    def enqueue(self):
        self._calls += 1
        self._backend.on_enqueue(self._calls)
        time.sleep(0.002)

    def synchronize(self):
        pass

    def copy_outputs(self):
        return self._backend.answer({k: v.copy() for k, v in self._answer.items()})

    def describe(self):
        return {"double": "1"}

    def _close(self):
        pass


class Good(_Base):
    name = "double"

    def answer(self, outputs):
        return outputs


class Wrong(Good):
    name = "wrong"

    def answer(self, outputs):
        return {k: v + 1 for k, v in outputs.items()}


class NotANumber(Good):
    name = "nan"

    def answer(self, outputs):
        return {k: v * np.nan for k, v in outputs.items()}


class Crash(Good):
    name = "crash"

    def on_enqueue(self, calls):
        if calls == 3:
            print("about to read address zero", file=sys.stderr, flush=True)
            ctypes.string_at(0)


class Quit(Good):
    name = "quit"

    def on_enqueue(self, calls):
        if calls == 3:
            os._exit(0)


class Raises(Good):
    name = "raises"

    def on_enqueue(self, calls):
        if calls == 3:
            raise DeviceError("execute failed: code 507011, model execution failed; look at the device log.")


class BadProbe(Good):
    name = "badprobe"

    def probe(self):
        raise RuntimeError("driver says no")


class NoDevice(Good):
    name = "nodevice"

    def probe(self):
        return Availability(True)


class Tpu(Good):
    name = "tpu"

    def probe(self):
        return Availability(True, devices=(DeviceInfo(Device("tpu", 1), "a card"),), warnings=("its fan is slow.",))

    def open(self, artifact, device, options):
        assert device == Device("tpu", 1)
        session = _Session(artifact.model, self, device)
        session.describe = lambda: {"cores": 4}
        return session


class Bf16(Good):
    name = "bf16"

    def capabilities(self, device):
        return Capabilities(precisions=frozenset({Precision.FP32, Precision.BF16}))

    def open(self, artifact, device, options):
        session = _Session(artifact.model, self, device)
        session.precision = artifact.precision
        return session


class Slow(Good):
    name = "slow"

    def on_enqueue(self, calls):
        time.sleep(0.2)
'''


def install(folder: Path) -> Path:
    """Lay the doubles down in `folder`; put it on PYTHONPATH to have them found."""
    (folder / "bench_test_doubles.py").write_text(_CODE)
    info = folder / "bench_test_doubles-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-test-doubles\nVersion: 1.0\n")
    names = {"double": "Good", "wrong": "Wrong", "nan": "NotANumber", "crash": "Crash", "quit": "Quit",
             "raises": "Raises", "slow": "Slow", "bf16": "Bf16",
             "badprobe": "BadProbe", "nodevice": "NoDevice", "tpu": "Tpu"}  # fmt: skip
    points = "".join(f"{name} = bench_test_doubles:{kind}\n" for name, kind in names.items())
    broken = "broken = bench_test_doubles:DoesNotExist\n"
    (info / "entry_points.txt").write_text(f"[bench.backends]\n{points}{broken}")
    return folder
