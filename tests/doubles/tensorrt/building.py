"""The builder: configuration, profiles, timing caches, and from a network to a plan."""

from __future__ import annotations

import weakref
from typing import Any

from tests.doubles.tensorrt import model
from tests.doubles.tensorrt.machine import Owned, call
from tests.doubles.tensorrt.network import Dims, Network
from tests.doubles.tensorrt.plan import Plan, Ranges, packed

_WORK = 1 << 20
_TIMINGS = b"ptrt timings "


class HostMemory(bytearray):
    """What the builder gives: a buffer of its own."""

    @property
    def nbytes(self) -> int:
        return len(self)


class Profile(Owned):
    """Ranges of open inputs. Takes any name and any numbers; `bool` says whether they are in order."""

    what = "optimisation profile"

    def __init__(self, builder: Owned) -> None:
        super().__init__(builder)
        self.ranges: Ranges = {}

    def set_shape(self, name: str, min: Any, opt: Any, max: Any) -> None:
        self.ranges[name] = (tuple(min), tuple(opt), tuple(max))

    def get_shape(self, name: str) -> list[Dims]:
        return [Dims(shape) for shape in self.ranges[name]]

    def __bool__(self) -> bool:
        wrong = [name for name, (low, usual, high) in self.ranges.items() if not _ordered(low, usual, high)]
        if wrong:
            self.machine.error(
                "IOptimizationProfile::isValid: Error Code 4: API Usage Error (Invalid optimization profiles for input"
                f" tensors {', '.join(wrong)}, please ensure that the optimization profiles satisfy MIN<=OPT<=MAX.)"
            )
        return not wrong


class TimingCache(Owned):
    """What was measured; it is of one device."""

    what = "timing cache"

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = bytes(content)

    def serialize(self) -> HostMemory:
        return HostMemory(self.content)


class BuilderConfig(Owned):
    """Settings of a build."""

    what = "builder configuration"
    timing_class: type[TimingCache]
    max_workspace_size = 0
    builder_optimization_level = 3

    def __init__(self, builder: Owned) -> None:
        super().__init__(builder)
        self.flags = {self.machine.enums["BuilderFlag"].TF32}
        self.profiles: list[Ranges] = []
        self.workspace: int | None = None
        self.profiling_verbosity = self.machine.enums["ProfilingVerbosity"].LAYER_NAMES_ONLY
        self.num_compute_capabilities = 0
        self.target: Any = None
        self._timings: Any = None

    def set_flag(self, flag: Any) -> None:
        self.flags.add(self._member(flag))

    def clear_flag(self, flag: Any) -> None:
        self.flags.discard(self._member(flag))

    def get_flag(self, flag: Any) -> bool:
        return self._member(flag) in self.flags

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        assert pool is self.machine.enums["MemoryPoolType"].WORKSPACE
        self.workspace = size

    @call("set_compute_capability")
    def set_compute_capability(self, capability: Any, index: int) -> bool:
        if index >= self.num_compute_capabilities:
            return False
        self.target = capability
        return True

    @call("add_optimization_profile")
    def add_optimization_profile(self, profile: Profile) -> int:
        if not isinstance(profile, Profile):
            raise TypeError("add_optimization_profile(): incompatible function arguments")
        if not profile:
            self.machine.error("Error Code 3: API Usage Error (Parameter check failed, condition: profile->isValid().)")
            return -1
        self.profiles.append(dict(profile.ranges))
        return len(self.profiles) - 1

    @call("create_timing_cache")
    def create_timing_cache(self, content: bytes) -> TimingCache:
        return self.timing_class(content)

    @call("set_timing_cache")
    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool:
        if cache.content and cache.content != self._stamp() and not ignore_mismatch:
            self.machine.error("Error Code 1: Internal Error (the timing cache is of another device)")
            return False
        self._timings = weakref.ref(cache)
        return True

    def get_timing_cache(self) -> TimingCache | None:
        return self._timings() if self._timings is not None else None

    def finish_timings(self) -> None:
        """What a build leaves in the cache, which the client must have kept until then."""
        if self._timings is None:
            return
        cache = self._timings()
        if cache is None:
            self.machine.violation("destroyed-before", "the timing cache is destroyed before the build that uses it")
        else:
            cache.content = self._stamp()

    def _stamp(self) -> bytes:
        config = self.machine.config
        return _TIMINGS + f"{config.full_version} {config.machine.device_name}".encode()

    def _member(self, flag: Any) -> Any:
        if not isinstance(flag, self.machine.enums["BuilderFlag"]):
            raise TypeError("incompatible function arguments")
        return flag


class Builder(Owned):
    """Makes everything that a build needs, and works on the current device."""

    what = "builder"
    logger_class: type
    network_class: type[Network]
    config_class: type[BuilderConfig]
    profile_class: type[Profile]

    @call("Builder")
    def __init__(self, logger: Any) -> None:
        self.machine.take_logger(logger, self.logger_class)
        self.machine.need_driver("Builder")
        super().__init__()
        if not self.allocate(_WORK, "work space of a builder"):
            self.machine.error("[virtualMemoryBuffer.cpp::resizePhysical::127] Error Code 2: OutOfMemory")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    @property
    def platform_has_fast_fp16(self) -> bool:
        return self.machine.config.machine.capability >= (7, 0)

    @property
    def platform_has_fast_int8(self) -> bool:
        return True

    @property
    def platform_has_tf32(self) -> bool:
        return self.machine.config.machine.capability >= (8, 0)

    @call("create_network")
    def create_network(self, flags: int = 0) -> Network:
        return self.network_class(self, flags)

    @call("create_builder_config")
    def create_builder_config(self) -> BuilderConfig:
        return self.config_class(self)

    @call("create_optimization_profile")
    def create_optimization_profile(self) -> Profile:
        return self.profile_class(self)

    def build_engine(self, network: Network, config: BuilderConfig) -> None:
        """What 8.6 has and nobody should use."""
        self.machine.violation("deprecated", "build_engine; build_serialized_network is there in every version")

    @call("build_serialized_network")
    def build_serialized_network(self, network: Network, config: BuilderConfig) -> HostMemory | None:
        if network.content is None:
            self._refused("Error Code 4: Internal Error (Network must have at least one output)")
            return None
        told = self._wrong_profile(network, config) or self._wrong_precision(network, config)
        if told:
            self._refused(told)
            return None
        return HostMemory(packed(*self._plan(network, config)))

    def _plan(self, network: Network, config: BuilderConfig) -> tuple[Plan, bytes]:
        machine, flags = self.machine, self.machine.enums["BuilderFlag"]
        content = type(network.content)()
        content.CopyFrom(network.content)
        native = model.computes_in(content)
        precision = "int8" if "int8" in native else "fp16" if "fp16" in native else "fp32"
        if precision == "fp32" and self._has("FP16", config) and not machine.config.prefers_fp32:
            precision = "fp16"
        tf32 = flags.TF32 in config.flags and machine.config.machine.capability >= (8, 0)
        if precision == "fp16":
            model.round_weights(content, "fp16")
        elif tf32:
            model.round_weights(content, "tf32")
        config.finish_timings()
        detailed = config.profiling_verbosity is machine.enums["ProfilingVerbosity"].DETAILED
        words = {"fp16": "Half", "fp32": "Float", "int8": "Int8"}
        if machine.config.generation == "8.6":
            words = {name: f"Row major linear {name.upper()}" for name in words} | {"int8": "Row major Int8 format"}
        layers = tuple((node.name or node.op_type, words[precision]) for node in content.graph.node)
        plan = Plan(
            library=f"{machine.config.generation} {machine.config.full_version}",
            gpu=machine.config.machine.device_name, capability=machine.config.machine.capability,
            precision=precision, tf32=tf32, inputs=tuple(network.inputs), outputs=tuple(network.outputs),
            profiles=tuple(config.profiles), layers=layers if detailed else (),
        )  # fmt: skip
        return plan, content.SerializeToString()

    def _wrong_profile(self, network: Network, config: BuilderConfig) -> str:
        """What the builder says of inputs that no profile holds; empty if all is well."""
        front = "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error"
        for tensor in network.inputs:
            if -1 not in tensor.shape and not tensor.on_host:
                continue
            if not config.profiles:
                return f"{front} (Network has dynamic or shape inputs, but no optimization profile has been defined.)"
            for index, ranges in enumerate(config.profiles):
                if tensor.name not in ranges:
                    return f"{front} (Dynamic input tensor {tensor.name} is missing dimensions in profile {index}.)"
                low, _, high = ranges[tensor.name]
                for axis, dim in enumerate(tensor.shape):
                    if len(low) != len(tensor.shape) or (dim != -1 and not low[axis] == dim == high[axis]):
                        return (
                            f"{front} (Dimension mismatch for tensor {tensor.name} and profile {index}. At dimension"
                            f" axis {axis}, profile has min={low[axis]} but tensor has {dim}.)"
                        )
        return ""

    def _wrong_precision(self, network: Network, config: BuilderConfig) -> str:
        """What a version with precision flags says of a file whose types need one."""
        if not self.machine.weak:
            return ""
        for name in model.computes_in(network.content):
            if not self._has(name.upper(), config):
                return (
                    f"Error Code 4: Internal Error ({name} precision has been set for a layer or layer output, but"
                    f" {name} is not configured in the builder)"
                )
        return ""

    def _has(self, name: str, config: BuilderConfig) -> bool:
        return getattr(self.machine.enums["BuilderFlag"], name, None) in config.flags

    def _refused(self, text: str) -> None:
        self.machine.error(text)


def _ordered(low: tuple[int, ...], usual: tuple[int, ...], high: tuple[int, ...]) -> bool:
    return all(a <= b <= c for a, b, c in zip(low, usual, high, strict=True))
