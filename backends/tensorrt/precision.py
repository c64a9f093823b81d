"""How an engine comes to compute in what was asked for, by TensorRT's version; what has no way is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backends._cuda.tf32 import OVERRIDE, check_not_forced, override
from backends.base import BackendUnavailable, Model, ModelMismatch, Precision
from backends.convert.half import HalfModel
from backends.tensorrt.library import Library

#: Tensor cores that round fp32 to TF32, from Ampere on.
_TF32_SINCE = (8, 0)
#: What the words of a route say where fp32 may be TF32, as TensorRT has it by default.
TF32_ALLOWED = "TF32 allowed for the rest"
#: What an artifact's settings say of an engine that was not built here.
GIVEN = "given by the user"
_CONVERTING = "fp16 by converting the .onnx file"


@dataclass(frozen=True, slots=True)
class Route:
    """`flags` are those of the builder that are set, of which `tf32` says whether TF32 may be used for fp32.

    `converts`: the engine is built from an fp16 form of the .onnx file, which is `half` once it is made.
    """

    flags: tuple[str, ...]
    tf32: bool
    words: str
    converts: bool = False
    half: HalfModel | None = None

    def through(self, half: HalfModel) -> Route:
        """The route with the file that was converted."""
        return replace(self, half=half, words=self.words.replace(_CONVERTING, f"{_CONVERTING}: {half.tool}"))


def route(library: Library, model: Model, asked: Precision, capability: tuple[int, int], card: str) -> Route:
    """Raises ModelMismatch (the file computes in something else) and BackendUnavailable (no way to that precision)."""
    native = model.precision
    if native in (Precision.FP16, Precision.INT8, Precision.BF16) and native is not asked:
        raise ModelMismatch(
            f"{model.name}'s .onnx file computes in {native} itself, so that an engine of it cannot be {asked}; ask for"
            f" --precision {native}, or give the fp32 file."
        )
    tf32_here = capability >= _TF32_SINCE
    if asked is Precision.FP32:
        check_not_forced(tf32_here)
        return Route((), False, "fp32, TF32 off")
    if asked is Precision.TF32:
        if not tf32_here:
            raise BackendUnavailable(
                f"{card} has compute capability {dotted(capability)} and no TF32, which came with 8.0; ask for"
                " --precision fp32 or fp16."
            )
        if override() == "0":
            raise BackendUnavailable(f"{OVERRIDE}=0 turns TF32 off; unset it, or ask for --precision fp32.")
        return Route((), True, "fp32, TF32 on")
    allowed = f", {TF32_ALLOWED}" if tf32_here and override() != "0" else ""
    if asked is Precision.FP16:
        if library.has_flag("FP16"):
            return Route(("FP16",), True, f"builder flag FP16{allowed}")
        if native is Precision.FP16:
            return Route((), True, f"fp16 by the .onnx file's own types{allowed}")
        # Without that flag an engine computes as the file says.
        return Route((), True, f"{_CONVERTING}{allowed}", converts=True)
    if asked is Precision.INT8 and native is Precision.INT8:
        flags = ("INT8",) if library.has_flag("INT8") else ()
        return Route(flags, True, f"int8 by the .onnx file's Q/DQ nodes{allowed}")
    if asked is Precision.INT8:
        raise ModelMismatch(
            f"{model.name}'s .onnx file has no quantisation (Q/DQ nodes), and none is invented here; quantise it first"
            " (NVIDIA's way: modelopt.onnx.quantization), and name that file with --model."
        )
    raise BackendUnavailable(f"engines in {asked} are not built here; ask for fp32, tf32, fp16 or int8.")


def dotted(capability: tuple[int, int]) -> str:
    """7.5 for (7, 5)."""
    return f"{capability[0]}.{capability[1]}"
