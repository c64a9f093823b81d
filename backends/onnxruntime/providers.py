"""Which execution providers a session asks for, with which options, and whether they were taken.

ONNX Runtime takes an unknown option, or a provider that it cannot load, without an error in several of its versions.
So everything is asked for by name, and read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backends._cuda import APIS
from backends.base import BackendUnavailable, Device, Model, OptionSpec, OptionValue, Precision

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
#: Kind of device that each runs on.
KINDS = {CPU: "cpu", CUDA: "cuda", TENSORRT: "cuda"}
_NAMES = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
#: Memory and streams are ONNX Runtime's own, and so are the copies, from and to pageable memory.
NO_API = "none"

OPTIONS = (
    OptionSpec("threads", 0, "intra-op CPU threads; 0 = physical cores"),
    OptionSpec("optimization", "all", "graph optimisation level", ("off", "basic", "extended", "all")),
    OptionSpec("spinning", True, "threads spin while they wait (ONNX Runtime's default)"),
    OptionSpec("cpu_nodes", False, "on CUDA: let nodes run on the CPU instead of refusing the session"),
    OptionSpec(
        "provider", "auto", "execution provider; auto = the device's own, cpu or cuda", ("auto", *_NAMES)
    ),
    OptionSpec("graph", False, "on CUDA: run the model as a CUDA graph, captured by the first run"),
    OptionSpec(
        "conv_search", "exhaustive", "on CUDA: how cuDNN chooses", ("exhaustive", "heuristic", "default")
    ),
    OptionSpec(
        "cuda_api", "auto",
        "module that the stream and pinned host memory come from; none = ONNX Runtime's own stream, pageable memory",
        (*APIS, NO_API),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, read for one kind of device. `provider` is ONNX Runtime's name of the first one that is asked."""

    provider: str
    graph: bool
    conv_search: str
    cpu_nodes: bool
    cuda_api: str

    @classmethod
    def of(cls, options: Mapping[str, OptionValue], device: Device) -> Settings:
        """Raises BackendUnavailable where there is no provider for the device, or not with these options."""
        asked = str(options["provider"])
        if device.kind not in ("cpu", "cuda"):
            raise BackendUnavailable(f"backend 'onnxruntime' has no provider for {device}; use --device cpu or cuda.")
        provider = _NAMES[device.kind if asked == "auto" else asked]
        if KINDS[provider] != device.kind:
            raise BackendUnavailable(
                f"onnxruntime:provider={asked} does not run on {device}; use --device {KINDS[provider]}, or leave the"
                " option out."
            )
        if options["graph"] and device.kind == "cpu":
            raise BackendUnavailable("onnxruntime:graph=true is for CUDA; leave it out, or use --device cuda.")
        return cls(
            provider, bool(options["graph"]), str(options["conv_search"]), bool(options["cpu_nodes"]),
            str(options["cuda_api"]),
        )  # fmt: skip

    @property
    def tensorrt(self) -> bool:
        return self.provider == TENSORRT


@dataclass(frozen=True, slots=True)
class Wish:
    """Providers in their order, each with the options that must be in force."""

    providers: tuple[tuple[str, Mapping[str, str]], ...]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.providers]

    def argument(self) -> list[tuple[str, dict[str, str]]]:
        """As InferenceSession takes it."""
        return [(name, dict(options)) for name, options in self.providers]


def wish(
    settings: Settings, model: Model, asked: Precision, device: Device, stream: int = 0, engines: Path | None = None
) -> Wish:
    """What to ask for. `stream` is CUDA's handle of the stream to work on, 0 for one of ONNX Runtime's own; `engines`
    the folder where TensorRT's are kept."""
    if device.kind == "cpu":
        return Wish(((CPU, {}),))
    common = {"device_id": str(device.index)} | ({"user_compute_stream": str(stream)} if stream else {})
    cuda = common | {
        # ONNX Runtime lets fp32 use TF32 unless told otherwise.
        "use_tf32": "1" if asked is Precision.TF32 else "0",
        "cudnn_conv_algo_search": settings.conv_search.upper(),
        "enable_cuda_graph": "1" if settings.graph and not settings.tensorrt else "0",
    }
    if not settings.tensorrt:
        return Wish(((CUDA, cuda),))
    shapes = ",".join(f"{spec.name}:{'x'.join(map(str, spec.shape))}" for spec in model.inputs)
    tensorrt = common | {
        # Of these, only the words True and False are taken.
        "trt_fp16_enable": str(asked is Precision.FP16),
        "trt_int8_enable": str(asked is Precision.INT8),
        "trt_cuda_graph_enable": str(settings.graph),
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(engines),
        # One batch: kernels are chosen for it, and no engine is built again later.
        "trt_profile_min_shapes": shapes,
        "trt_profile_opt_shapes": shapes,
        "trt_profile_max_shapes": shapes,
    }
    return Wish(((TENSORRT, tensorrt), (CUDA, cuda)))


def check_taken(wanted: Wish, told: Mapping[str, Mapping[str, str]], version: str) -> None:
    """Raises BackendUnavailable where an option is not in force as asked; `told` is what the session says of them."""
    for name, options in wanted.providers:
        found = told.get(name, {})
        for key, value in options.items():
            if _plain(found.get(key, "")) != _plain(value):
                real = f"has {key}={found[key]}" if key in found else f"knows no {key}"
                raise BackendUnavailable(
                    f"onnxruntime {version} did not take {key}={value}: its {name} {real}; install another version of"
                    " onnxruntime-gpu (1.20 or newer)."
                )


def _plain(value: str) -> str:
    """One spelling of truth, of which there are several."""
    return {"true": "1", "false": "0"}.get(value.lower(), value.lower())
