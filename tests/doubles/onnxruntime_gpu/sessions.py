"""Sessions: nodes shared out to providers, and runs on a stream."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.doubles.cuda import CudaFailure
from tests.doubles.onnxruntime_gpu.config import CPU, CUDA, TENSORRT, Config
from tests.doubles.onnxruntime_gpu.engines import find_or_build
from tests.doubles.onnxruntime_gpu.numbers import Kernel
from tests.doubles.onnxruntime_gpu.options import in_force
from tests.doubles.onnxruntime_gpu.values import IOBinding, OrtValue, failed, release

_FAIL = "[ONNXRuntimeError] : 1 : FAIL : "


class Fail(Exception):  # noqa: N818 - the vendor's name
    """Derived from nothing but Exception, as the vendor's is: the fallback of its constructor does not catch it."""


class SessionOptions:
    """What was set, and the real one with the same."""

    def __init__(self) -> None:
        import onnxruntime

        self._real = onnxruntime.SessionOptions()
        self._real.log_severity_level = 3
        self.log_severity_level = 2
        self.intra_op_num_threads = 0
        self.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.entries: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        self.sizes[name] = size

    def real(self) -> Any:
        self._real.intra_op_num_threads = 1
        self._real.graph_optimization_level = self.graph_optimization_level
        self._real.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        for name, size in self.sizes.items():
            self._real.add_free_dimension_override_by_name(name, size)
        return self._real


class RunOptions:
    """What was set; unknown keys are taken, too."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def add_run_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value


class InferenceSession:
    """`state` is set by the module."""

    state: Any

    def __init__(
        self, path: str, sess_options: SessionOptions | None = None, providers: Any = None,
        provider_options: Any = None, **settings: Any,
    ) -> None:  # fmt: skip
        self._path, self._options = path, sess_options or SessionOptions()
        wanted = [(each, {}) if isinstance(each, str) else each for each in providers or [CPU]]
        self._bound: tuple[int, ...] | None = None
        try:
            self._open(wanted)
        except (ValueError, RuntimeError) as error:
            if not int(settings.get("enable_fallback", 1)):
                raise
            print(f"*************** EP Error ***************\nEP Error {error} when using {wanted}")  # noqa: T201
            rest = [(CUDA, {})] if TENSORRT in dict(wanted) and CUDA in dict(wanted) else []
            self._open([*rest, (CPU, {})])

    def _open(self, wanted: Sequence[tuple[str, dict[str, str]]]) -> None:
        config: Config = self.state.config
        self._given: dict[str, dict[str, str]] = {}
        for name, options in wanted:
            if name not in config.providers:
                warnings.warn(f"Specified provider '{name}' is not in available provider names.", stacklevel=4)
            elif name == TENSORRT and name in config.broken:
                raise RuntimeError(
                    "/onnxruntime_src/onnxruntime/python/onnxruntime_pybind_state.cc:729 Please install TensorRT"
                    " libraries as mentioned in the GPU requirements page, make sure they're in the PATH"
                )
            elif name not in config.broken and name != CPU:
                self._given[name] = in_force(config, name, options)
        self.real = self._real_session()
        self._share_out([name for name, _ in wanted])
        self._given[CPU] = {}
        self._check_graph()
        self._device = int(next(iter(self._given.values())).get("device_id", 0))
        self._begin()

    def _real_session(self) -> Any:
        import onnxruntime

        return onnxruntime.InferenceSession(self._path, self._options.real(), providers=[CPU])

    def _share_out(self, asked: Sequence[str]) -> None:
        """Each node to the first provider that has its operator."""
        nodes = [node for part in self.real.get_provider_graph_assignment_info() for node in part.get_nodes()]
        self.parts: dict[str, list[Any]] = {}
        lacks = self.state.config.lacks
        for node in nodes:
            name = next((each for each in self._given if node.op_type not in lacks.get(each, ())), CPU)
            self.parts.setdefault(name, []).append(node)
        if self._options.entries.get("session.disable_cpu_ep_fallback") == "1":
            if CPU in asked:
                raise Fail(f"{_FAIL}Conflicting session configuration: explicitly added the CPU EP to the session")
            if CPU in self.parts:
                raise Fail(
                    f"{_FAIL}This session contains graph nodes that are assigned to the default CPU EP, but fallback to"
                    " CPU EP has been explicitly disabled by the user."
                )

    def _check_graph(self) -> None:
        for name, key in ((TENSORRT, "trt_cuda_graph_enable"), (CUDA, "enable_cuda_graph")):
            if self._given.get(name, {}).get(key) == "1" and set(self.parts) - {name}:
                raise Fail(
                    f"{_FAIL}This session cannot use the graph capture feature as requested by the user as all the"
                    f" graph nodes have not been assigned to {name}"
                )
        self._captures = any(
            self._given.get(name, {}).get(key) == "1"
            for name, key in ((TENSORRT, "trt_cuda_graph_enable"), (CUDA, "enable_cuda_graph"))
        )

    def _begin(self) -> None:
        """Weights, a stream, engines."""
        world = self.state.world
        self._stream = 0
        if self.get_providers()[0] == CPU:
            return
        world.set_device(self._device)
        try:
            weights = world.malloc(max(Path(self._path).stat().st_size, 1), "weights of a session")
        except CudaFailure as failure:
            raise failed(failure, "cudaMalloc((void**)&p, size)") from None
        weakref.finalize(self, release, world, weights).atexit = False
        users = int(next(iter(self._given.values())).get("user_compute_stream", "0"))
        self._own = not users
        self._stream = users or world.stream_create(1)
        weakref.finalize(self, _end, world, self._stream, self._own).atexit = False
        self._engine_due = TENSORRT in self.parts
        if self._engine_due and (self._static() or self._given[TENSORRT]["trt_profile_opt_shapes"]):
            self._build()

    def _static(self) -> bool:
        return all(isinstance(dim, int) for value in self.real.get_inputs() for dim in value.shape)

    def _build(self) -> None:
        content = Path(self._path).read_bytes() + str(sorted(self._options.sizes.items())).encode()
        self.state.builds += find_or_build(self._given[TENSORRT], content)
        self._engine_due = False

    def get_providers(self) -> list[str]:
        return list(self._given)

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return self._given

    def get_inputs(self) -> Any:
        return self.real.get_inputs()

    def get_outputs(self) -> Any:
        return self.real.get_outputs()

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(self, binding: IOBinding, run_options: Any = None) -> None:
        """Over when it returns, unless its options say otherwise; a graph's run heeds none (cuda_graph.cc, Replay)."""
        world, config = self.state.world, self.state.config
        values = [*binding.inputs.values(), *binding.outputs.values()]
        if not self._stream:
            self._run_here(binding)
            return
        if any(value.place != ("cuda", self._device) for value in values):
            world.violation("copies-in-run", "a value that does not lie on the session's device")
        if self._engine_due:
            world.violation("built-in-run", "an engine is built by a run, since no profile was given")
            self._build()
        if self._captures:
            if not config.captures:
                raise RuntimeError(
                    "CUDA failure 900: operation not permitted when stream is capturing ; GPU=0 ; hostname=here ;"
                )
            addresses = tuple(value.data_ptr() for value in values)
            if self._bound not in (None, addresses):
                world.violation("graph-address", "a captured graph runs at other addresses than those bound now")
            self._bound = addresses
        kernel = self._kernel(binding)
        try:
            world.launch(
                self._stream, config.run_ms / 1e3, kernel,
                reads=[value.range() for value in binding.inputs.values()],
                writes=[value.range() for value in binding.outputs.values()], name="run",
            )  # fmt: skip
            leaves_the_wait = run_options and run_options.entries.get("disable_synchronize_execution_providers") == "1"
            if self._captures or not leaves_the_wait:
                world.stream_synchronize(self._stream)
        except CudaFailure as failure:
            raise failed(failure, "cudaStreamSynchronize(stream_)") from None

    def synchronize(self) -> None:
        """The binding's."""
        if self._stream:
            try:
                self.state.world.stream_synchronize(self._stream)
            except CudaFailure as failure:
                raise failed(failure, "cudaStreamSynchronize(stream_)") from None

    def _run_here(self, binding: IOBinding) -> None:
        feeds = {name: value.numpy() for name, value in binding.inputs.items()}
        for name, result in zip(binding.outputs, self.real.run(list(binding.outputs), feeds), strict=True):
            binding.outputs[name].update_inplace(result)

    def _kernel(self, binding: IOBinding) -> Kernel:
        """One for all sessions of this file and these shapes: what one computed need not be computed again."""
        shapes = tuple((name, value.dims) for name, value in binding.inputs.items())
        key = (Path(self._path).read_bytes(), self._rounding(), shapes)
        if key not in self.state.kernels:
            named = list(binding.inputs.items()), list(binding.outputs.items())
            self.state.kernels[key] = Kernel(self._path, self._rounding(), *named)
        found: Kernel = self.state.kernels[key]
        return found

    def _rounding(self) -> str:
        config = self.state.config
        tf32 = config.machine.capability >= (8, 0) and config.override != "0"
        if TENSORRT in self.parts:
            return "fp16" if self._given[TENSORRT]["trt_fp16_enable"] == "1" else "tf32" * tf32
        return "tf32" * (tf32 and self._given[CUDA]["use_tf32"] == "1")


def part(name: str, nodes: Sequence[Any]) -> Any:
    """One of the session's account of its nodes."""
    return SimpleNamespace(ep_name=name, get_nodes=lambda: list(nodes))


def _end(world: Any, stream: int, own: bool) -> None:
    if world._ended:
        return
    there = any(each.handle == stream for each in world.streams.alive)
    if not there:
        world.violation("released-before", "the user's stream is destroyed before the session that works on it")
    elif own:
        with suppress(CudaFailure):
            world.stream_destroy(stream)


__all__ = ["Fail", "InferenceSession", "OrtValue", "RunOptions", "SessionOptions", "part"]
