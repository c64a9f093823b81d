"""Backends that translate well and then go wrong: a crash, values that are no numbers, an engine that waits."""

from __future__ import annotations

from pathlib import Path

_CODE = '''
import os, signal, time
import numpy as np
from backends.base import *
from backends.onnxruntime import OnnxRuntimeBackend


class _Wrapped(OnnxRuntimeBackend):
    """ONNX Runtime, with `after(outputs, calls)` between it and who asks; the check batch is call 1."""

    simulated = True

    def open(self, artifact, device, options):
        session = super().open(artifact, device, options)
        inner, calls = session.copy_outputs, [0]

        def copy_outputs():
            calls[0] += 1
            return self.after(inner(), calls[0])

        session.copy_outputs = copy_outputs
        return session


class DiesOnce(_Wrapped):
    """Is killed in the middle of the second batch, unless it was before."""

    name = "diesonce"

    def after(self, outputs, calls):
        if calls == 9 and not os.path.exists("died"):
            open("died", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return outputs


class NotANumber(_Wrapped):
    name = "holes"

    def after(self, outputs, calls):
        if calls == 5:
            outputs = {name: array.copy() for name, array in outputs.items()}
            outputs["fake_img"][0, 1, 5, 5:8] = np.nan
        return outputs


class Stalls(_Wrapped):
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


class Off(_Wrapped):
    """Wrong from the first output on, by more than any precision explains."""

    name = "off"

    def after(self, outputs, calls):
        return {name: -array for name, array in outputs.items()}
'''

_NAMES = {"diesonce": "DiesOnce", "holes": "NotANumber", "stalls": "Stalls", "quick": "Quick", "off": "Off"}


def install(folder: Path) -> Path:
    """Lay the doubles down where a Python path can find them, as pip would."""
    (folder / "bench_translator_doubles.py").write_text(_CODE)
    info = folder / "bench_translator_doubles-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-translator-doubles\nVersion: 1.0\n")
    points = "".join(f"{name} = bench_translator_doubles:{kind}\n" for name, kind in _NAMES.items())
    (info / "entry_points.txt").write_text(f"[bench.backends]\n{points}")
    return folder
