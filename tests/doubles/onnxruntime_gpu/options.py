"""Options of the providers: which there are, their defaults, and how each provider reads its own."""

from __future__ import annotations

from collections.abc import Mapping

from tests.doubles.onnxruntime_gpu.config import CUDA, TENSORRT, Config

_CUDA = {
    "device_id": "0", "has_user_compute_stream": "0", "user_compute_stream": "0", "use_tf32": "1",
    "cudnn_conv_algo_search": "EXHAUSTIVE", "enable_cuda_graph": "0", "prefer_nhwc": "0",
}  # fmt: skip
_TENSORRT = {
    "device_id": "0", "has_user_compute_stream": "0", "user_compute_stream": "0", "trt_fp16_enable": "0",
    "trt_int8_enable": "0", "trt_cuda_graph_enable": "0", "trt_engine_cache_enable": "0", "trt_engine_cache_path": "",
    "trt_timing_cache_enable": "0", "trt_timing_cache_path": "", "trt_profile_min_shapes": "",
    "trt_profile_opt_shapes": "", "trt_profile_max_shapes": "",
}  # fmt: skip
_SEARCHES = ("EXHAUSTIVE", "HEURISTIC", "DEFAULT")


def in_force(config: Config, provider: str, given: Mapping[str, str]) -> dict[str, str]:
    """What the session says of a provider's options. Raises RuntimeError, with the words of ONNX Runtime 1.31."""
    if provider not in (CUDA, TENSORRT):
        return {}
    known = {
        key: value for key, value in (_CUDA if provider == CUDA else _TENSORRT).items() if key not in config.unknown
    }
    for key, value in given.items():
        if key not in known and key not in config.ignored:
            words = 'Unknown provider option: "{}".' if provider == CUDA else "Invalid TensorRT EP option: {}"
            raise RuntimeError(words.format(key))
        if key in config.ignored:
            continue
        known[key] = _read(config, provider, key, value)
    known["has_user_compute_stream"] = "1" if known.get("user_compute_stream", "0") != "0" else "0"
    return known


def _read(config: Config, provider: str, key: str, value: str) -> str:
    if key == "device_id" and int(value) >= config.machine.devices:
        raise RuntimeError(
            f"Invalid device ID: {value}, must be between 0 (inclusive) and {config.machine.devices} (exclusive)."
        )
    if key == "cudnn_conv_algo_search" and value not in _SEARCHES:
        raise RuntimeError(f'Failed to parse provider option "{key}": Failed to map enum name to value: {value}')
    if key.endswith("_enable"):
        if value not in ("True", "true", "False", "false"):
            raise RuntimeError(
                f"[ERROR] [TensorRT] The value for the key '{key}' should be 'True' or 'False'. Default value is"
                " 'False'.\n"
            )
        return "1" if value.lower() == "true" else "0"
    if provider == CUDA and key in ("use_tf32", "enable_cuda_graph") and value not in ("0", "1"):
        raise RuntimeError(f'Failed to parse provider option "{key}": {value}')
    return value
