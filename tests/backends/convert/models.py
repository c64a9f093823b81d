"""Small models with StarGAN's inputs, and a PATH with nothing but the doubles on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def two_inputs(path: Path, batch: int | str = "n", opset: int = 11, scale: float = 1.0, domains: int = 1) -> Path:
    """real_img (batch, 3, 8, 8) · scale + attr (batch, 1, 1, 1)."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["real_img", "w"], ["m"]),
            helper.make_node("Add", ["m", "attr"], ["fake_img"]),
        ],
        "tiny",
        [
            helper.make_tensor_value_info("real_img", TensorProto.FLOAT, [batch, 3, 8, 8]),
            helper.make_tensor_value_info("attr", TensorProto.FLOAT, [batch, 1, 1, 1]),
        ],
        [helper.make_tensor_value_info("fake_img", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [numpy_helper.from_array(np.full((1, 3, 8, 8), scale, np.float32), "w")],
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(f"x{n}", 1) for n in range(domains - 1))]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), str(path))
    return path


def with_external_data(path: Path) -> Path:
    """The same model with its weights in a folder `data` beside it."""
    (path.parent / "data").mkdir(exist_ok=True)
    model = onnx.load(str(two_inputs(path)))
    onnx.save(model, str(path), save_as_external_data=True, location="data/weights.bin", size_threshold=0)
    return path
