"""StarGAN's generator in small: the same layers, narrower and on smaller pictures, as a module and as an .onnx file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from backends.base import Array, Feeds, Model, TensorSpec

SIZE = 32
_ATTRIBUTES = 5
_FLOAT = np.dtype(np.float32)


def generator() -> Any:
    """The narrow generator with weights from a seed, in eval mode on the CPU."""
    import torch

    from bench.workloads.stargan_network import Generator

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        made = Generator(conv_dim=16, repeat_num=2)
    return made.eval()


def model(folder: Path, batch: int) -> Model:
    """The model at one batch size; its file in `folder` leaves the batch open and is written once."""
    path = folder / "small-stargan.onnx"
    if not path.exists():
        _export(path)
    return Model(
        name="small StarGAN", sha256=hashlib.sha256(path.read_bytes()).hexdigest(), batch=batch, onnx=path,
        torch_module=generator, cache=folder / "cache",
        inputs=(TensorSpec("real_img", (batch, 3, SIZE, SIZE), _FLOAT),
                TensorSpec("attr", (batch, _ATTRIBUTES), _FLOAT)),
        outputs=(TensorSpec("fake_img", (batch, 3, SIZE, SIZE), _FLOAT),),
    )  # fmt: skip


def feeds(batch: int, seed: int) -> Feeds:
    """Pictures (batch, 3, SIZE, SIZE) in [-1, 1] and attributes (batch, 5) of 0 and 1."""
    rng = np.random.default_rng(seed)
    return {
        "real_img": rng.uniform(-1, 1, (batch, 3, SIZE, SIZE)).astype(_FLOAT),
        "attr": rng.integers(0, 2, (batch, _ATTRIBUTES)).astype(_FLOAT),
    }


def reference(given: Feeds) -> dict[str, Array]:
    """What PyTorch gives in fp32 on the CPU."""
    import torch

    with torch.inference_mode():
        made = generator()(*(torch.from_numpy(given[name]) for name in ("real_img", "attr")))
    return {"fake_img": made.numpy()}


def _export(path: Path) -> None:
    """By the exporter and at the opset of the full-size model."""
    import warnings

    import torch

    from bench.workloads.stargan import DEFAULT_OPSET
    from bench.workloads.stargan_export import INPUTS, OUTPUT

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            generator(),
            (torch.zeros(2, 3, SIZE, SIZE), torch.zeros(2, _ATTRIBUTES)),
            str(path),
            dynamo=False,
            opset_version=DEFAULT_OPSET,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "batch"} for name in (*INPUTS, OUTPUT)},
        )
