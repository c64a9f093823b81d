"""The engines of the TensorRT provider: files in a folder, written in place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

_CONTENT = b"a simulated engine"


def find_or_build(options: Mapping[str, str], content: bytes) -> bool:
    """Whether it was built. Raises RuntimeError for a file that is no engine."""
    if options["trt_engine_cache_enable"] != "1":
        return True
    folder = Path(options["trt_engine_cache_path"])
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(content).hexdigest()[:20]
    half = "_fp16" if options["trt_fp16_enable"] == "1" else ""
    path = folder / f"TensorrtExecutionProvider_TRTKernel_graph_main_graph_{name}_0_0{half}_sm86.engine"
    if path.exists():
        if path.read_bytes() != _CONTENT:
            raise RuntimeError(
                f"[ONNXRuntimeError] : 11 : EP_FAIL : TensorRT EP could not deserialize engine from cache: {path}"
            )
        return False
    path.write_bytes(_CONTENT)
    if options["trt_timing_cache_enable"] == "1":
        (Path(options["trt_timing_cache_path"]) / "TensorrtExecutionProvider_cache_sm86.timing").write_bytes(b"timings")
    return True
