"""StarGAN's generator -> ONNX, checked against PyTorch before the file gets its name. Imports torch and onnx.

The TorchScript exporter is used on purpose: it writes opset 11, which atc of old CANN needs, while the newer exporter
silently writes opset 18 when asked for 11.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backends.base import ConversionError
from bench.workloads.base import cache_file
from bench.workloads.stargan_network import ATTRIBUTES, IMAGE_SIZE, Generator

INPUTS = ("real_img", "attr")
OUTPUT = "fake_img"
#: From what old atc reads to what the TorchScript exporter states as its last.
OPSETS = range(11, 21)
INSTANCE_NORMS = 17

_TRACED_BATCH = 2
_CHECKED_BATCH = 3  # another than the traced one, so that a batch frozen into the graph shows
#: An exported graph repeats the same fp32 operations; measured differences are about 1e-5 on outputs in [-1, 1].
_TOLERANCE = 1e-3


def export(generator: Generator, path: Path, opset: int) -> None:
    """Write `path` with inputs real_img (n, 3, 128, 128) and attr (n, 5), output fake_img, and a dynamic batch n.

    Raises ConversionError when the exporter fails or the result is not the network: another opset, names, number of
    InstanceNormalization nodes, or other outputs than PyTorch's.
    """
    if opset not in OPSETS:
        raise ConversionError(f"opset {opset} cannot be exported; use one from {OPSETS[0]} to {OPSETS[-1]}.")
    with cache_file(path) as temporary:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter announces its own deprecation on every call
            try:
                torch.onnx.export(
                    generator.eval(),
                    (torch.zeros(_TRACED_BATCH, 3, IMAGE_SIZE, IMAGE_SIZE), torch.zeros(_TRACED_BATCH, ATTRIBUTES)),
                    str(temporary),
                    dynamo=False,
                    opset_version=opset,
                    input_names=list(INPUTS),
                    output_names=[OUTPUT],
                    dynamic_axes={name: {0: "batch"} for name in (*INPUTS, OUTPUT)},
                )
            except OSError:
                raise  # a full disk or a bad folder, which cache_file puts in words
            except Exception as error:  # the exporter's errors have no common base
                first = next((line for line in str(error).splitlines() if line.strip()), "")
                raise ConversionError(
                    f"torch.onnx.export failed at opset {opset}: {type(error).__name__}: {first};"
                    " use the torch version of constraints.txt."
                ) from error
        _check_graph(temporary, opset)
        _check_numbers(generator, temporary)


def _check_graph(path: Path, opset: int) -> None:
    """Raise ConversionError unless the file is the graph that was meant."""
    import onnx

    model: Any = onnx.load(str(path))
    onnx.checker.check_model(model)
    found = {entry.domain: entry.version for entry in model.opset_import}.get("")
    nodes = Counter(node.op_type for node in model.graph.node)
    names = [value.name for value in (*model.graph.input, *model.graph.output)]
    problems = []
    if found != opset:
        problems.append(f"opset {found} instead of {opset}")
    if nodes["InstanceNormalization"] != INSTANCE_NORMS or nodes["BatchNormalization"]:
        problems.append(
            f"{nodes['InstanceNormalization']} InstanceNormalization and {nodes['BatchNormalization']}"
            f" BatchNormalization nodes instead of {INSTANCE_NORMS} and 0"
        )
    if names != [*INPUTS, OUTPUT]:
        problems.append(f"inputs and outputs are {', '.join(names)}")
    if problems:
        raise ConversionError(
            f"the exported graph is wrong: {'; '.join(problems)}; use the torch version of constraints.txt."
        )


def _check_numbers(generator: Generator, path: Path) -> None:
    """Raise ConversionError unless the file computes what PyTorch computes."""
    # Without ONNX Runtime onnx's own evaluator computes, which takes 40 s an image of 128×128.
    fast = importlib.util.find_spec("onnxruntime") is not None
    size = IMAGE_SIZE if fast else 32
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (_CHECKED_BATCH, 3, size, size)).astype(np.float32)
    attributes = random.integers(0, 2, (_CHECKED_BATCH, ATTRIBUTES)).astype(np.float32)
    with torch.inference_mode():
        expected = generator(torch.from_numpy(images), torch.from_numpy(attributes)).numpy()
    feeds = dict(zip(INPUTS, (images, attributes), strict=True))
    found = (_run_with_onnxruntime if fast else _run_with_onnx)(path, feeds)
    difference = float(np.abs(found - expected).max())
    if not difference <= _TOLERANCE:  # written so that NaN fails too
        raise ConversionError(
            f"the exported graph computes something else than PyTorch (max abs difference {difference:.3g});"
            " use the torch version of constraints.txt."
        )


def _run_with_onnxruntime(path: Path, feeds: dict[str, Any]) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], feeds)[0]


def _run_with_onnx(path: Path, feeds: dict[str, Any]) -> Any:
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(str(path)).run([OUTPUT], feeds)[0]
