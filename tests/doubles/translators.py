"""Backends that translate well, some to go wrong then: a crash, values that are no numbers, an engine that waits."""

from __future__ import annotations

from pathlib import Path

_CODE = '''
import hashlib, os, signal, time
from pathlib import Path
import numpy as np
from backends.base import *
from backends.onnxruntime import OnnxRuntimeBackend

_KEPT = Path(__file__).with_name("outputs")


class _Session(Session):
    """ONNX Runtime's outputs, which computes each input once and for all: they are kept beside this file.

    `after(outputs, calls)` of the backend has the last word; the check batch is call 1.
    """

    def __init__(self, backend, artifact, device, engine):
        self.inputs, self.outputs = artifact.model.inputs, artifact.model.outputs
        self.device, self.precision = device, Precision.FP32
        self._model, self._backend, self._engine, self._calls = artifact.model.sha256, backend, engine, 0

    def _copy_inputs(self, feeds):
        self._feeds = {name: array.copy() for name, array in feeds.items()}

    def enqueue(self):
        digest = hashlib.sha256(self._model.encode())
        for name in sorted(self._feeds):
            digest.update(self._feeds[name].tobytes())
        path = _KEPT / f"{digest.hexdigest()}.npz"
        if not path.exists():
            _KEPT.mkdir(exist_ok=True)
            unfinished = _KEPT / f"{os.getpid()}.npz"
            with self._engine() as session:
                session.copy_inputs(self._feeds)
                session.enqueue()
                session.synchronize()
                np.savez(unfinished, **session.copy_outputs())
            unfinished.rename(path)
        with np.load(path) as kept:
            self._answer = dict(kept)

    def synchronize(self):
        pass

    def copy_outputs(self):
        self._calls += 1
        return self._backend.after(dict(self._answer), self._calls)

    def describe(self):
        return {"double": "1"}

    def _close(self):
        pass


class Again(OnnxRuntimeBackend):
    """As right as ONNX Runtime, and quick where it has computed the same before."""

    name = "again"
    simulated = True

    def open(self, artifact, device, options):
        return _Session(self, artifact, device, lambda: OnnxRuntimeBackend.open(self, artifact, device, options))

    def after(self, outputs, calls):
        return outputs


class DiesOnce(Again):
    """Is killed in the middle of the second batch when the first is stored, unless it was before."""

    name = "diesonce"

    def after(self, outputs, calls):
        if calls == 9 and not os.path.exists("died"):
            while not list(Path().glob("*/pictures/1-images.*")):
                time.sleep(0.01)
            open("died", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return outputs


class NotANumber(Again):
    name = "holes"

    def after(self, outputs, calls):
        if calls == 5:
            outputs = {name: array.copy() for name, array in outputs.items()}
            outputs["fake_img"][0, 1, 5, 5:8] = np.nan
        return outputs


class Stalls(Again):
    name = "stalls"

    def after(self, outputs, calls):
        if calls > 6:
            time.sleep(3600)
        return outputs


class Quick(OnnxRuntimeBackend):
    """Computes the check batch, then gives back the images as they are: for what surrounds an engine, not for one."""

    name = "quick"
    simulated = True

    def open(self, artifact, device, options):
        session = super().open(artifact, device, options)
        copy_inputs, copy_outputs, calls, images = session._copy_inputs, session.copy_outputs, [0], [None]

        def _copy_inputs(feeds):
            calls[0] += 1
            images[0] = feeds["real_img"]
            copy_inputs(feeds)
            if calls[0] == 2:
                session.enqueue = session.synchronize = lambda: None

        session._copy_inputs = _copy_inputs
        session.copy_outputs = lambda: copy_outputs() if calls[0] == 1 else {"fake_img": images[0].copy()}
        return session


class Off(Again):
    """Wrong from the first output on, by more than any precision explains."""

    name = "off"

    def after(self, outputs, calls):
        return {name: -array for name, array in outputs.items()}
'''

_NAMES = {
    "again": "Again", "diesonce": "DiesOnce", "holes": "NotANumber", "stalls": "Stalls", "quick": "Quick", "off": "Off",
}  # fmt: skip


def install(folder: Path) -> Path:
    """Lay the doubles down where a Python path can find them, as pip would."""
    (folder / "bench_translator_doubles.py").write_text(_CODE)
    info = folder / "bench_translator_doubles-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-translator-doubles\nVersion: 1.0\n")
    points = "".join(f"{name} = bench_translator_doubles:{kind}\n" for name, kind in _NAMES.items())
    (info / "entry_points.txt").write_text(f"[bench.backends]\n{points}")
    return folder
