"""Are the outputs right, of this inference, of the inputs as they were copied, in the precision that is claimed?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backends.base import Array, Feeds, Precision, Session
from backends.conformance.errors import ConformanceError

#: Largest root mean square error, relative to that of a float64 reference, that a precision explains. Convolutions
#: leave about 1e-7 to 1e-6 (Winograd) in fp32, 3e-4 in tf32 and fp16, 3e-3 in bf16; each limit lies between two.
ERROR_LIMITS = {
    Precision.FP32: 2e-5,
    Precision.TF32: 1.2e-3,
    Precision.FP16: 1.2e-3,
    Precision.BF16: 2e-2,
    Precision.INT8: 1e-1,
}
#: These round every operand, so errors as small as fp32's show that they were not executed. (TF32 only may be used.)
_ALWAYS_ROUNDS = frozenset({Precision.FP16, Precision.BF16})


def infer(session: Session, feeds: Feeds) -> dict[str, Array]:
    """One whole inference."""
    session.copy_inputs(feeds)
    return _again(session)


def _again(session: Session) -> dict[str, Array]:
    session.enqueue()
    session.synchronize()
    return session.copy_outputs()


def settled(session: Session, feeds: Feeds) -> dict[str, Array]:
    """Outputs of the second of two inferences on one input.

    What they are is one question, and whether the first one's are already there another (`check_inputs_matter`).
    """
    infer(session, feeds)
    return _again(session)


def check_outputs(session: Session, feeds: Feeds, reference: Mapping[str, Array], tolerance: float) -> None:
    """Names, shapes, dtypes as declared, and values within `tolerance` (absolute) of the reference."""
    outputs = settled(session, feeds)
    declared = {spec.name: spec for spec in session.outputs}
    if set(outputs) != set(declared):
        raise ConformanceError(f"outputs are {sorted(outputs)}, declared are {sorted(declared)}.")
    for name, array in outputs.items():
        spec = declared[name]
        if array.shape != spec.shape or array.dtype != spec.dtype:
            raise ConformanceError(f"output {spec} came as {tuple(array.shape)} {array.dtype}.")
        difference = float(np.abs(array.astype(np.float64) - reference[name]).max(initial=0.0))
        if not difference <= tolerance:
            raise ConformanceError(f"output {name!r} differs from the reference by {difference:.3g} > {tolerance:g}.")


def check_inputs_matter(session: Session, first: Feeds, second: Feeds) -> None:
    """Other inputs must give other outputs, at once, and the first inputs the first outputs again."""
    before = settled(session, first)
    kept = _copies(before)
    other = _copies(infer(session, second))
    for name, array in before.items():
        if not np.array_equal(array, kept[name], equal_nan=True):
            raise ConformanceError(f"output {name!r} changed after it was handed out: copy_outputs must return copies.")
    if _same(kept, other):
        raise ConformanceError(
            "other inputs gave the same outputs: they are stale (of the inference before) or never change,"
            " and what was checked is not what was timed."
        )
    for name, array in settled(session, first).items():
        if not np.allclose(kept[name], array, rtol=1e-3, atol=1e-5, equal_nan=True):
            raise ConformanceError(f"equal inputs gave another output {name!r}: state is carried between inferences.")


def check_host_memory(session: Session, first: Feeds, second: Feeds) -> None:
    """What happens to the host's arrays after copy_inputs must not reach an inference."""
    expected, other = _copies(settled(session, first)), _copies(settled(session, second))
    host = _copies(first)
    session.copy_inputs(host)
    for name, array in host.items():
        array[...] = second[name]
    _again(session)
    outputs = _again(session)
    for name, array in outputs.items():
        if not np.allclose(expected[name], array, rtol=1e-3, atol=1e-5, equal_nan=True):
            whose = "those of the new contents" if _same(outputs, other) else "of neither contents"
            raise ConformanceError(
                f"the host's arrays were overwritten after copy_inputs, and the outputs are {whose}: enqueue reads host"
                " memory, so the copy is timed as computing; copy everything in copy_inputs."
            )


def check_precision(session: Session, feeds: Feeds, reference: Mapping[str, Array]) -> None:
    """The error against a float64 reference must be that of `session.precision`, whatever was asked for."""
    errors = [0.0]
    for name, array in settled(session, feeds).items():
        right = reference[name].astype(np.float64)
        scale = float(np.sqrt(np.square(right).mean()))
        if np.issubdtype(array.dtype, np.floating) and scale > 0:
            errors.append(float(np.sqrt(np.square(array - right).mean())) / scale)
    error = float(np.max(errors))  # of the worst output; NaN if any is
    claimed = session.precision
    if not error <= ERROR_LIMITS[claimed]:
        raise ConformanceError(
            f"the session says {claimed}, which explains a relative error of {ERROR_LIMITS[claimed]:.1g}, and its"
            f" outputs have {error:.1e}: it executes a lower precision; session.precision must say which."
        )
    if claimed in _ALWAYS_ROUNDS and len(errors) > 1 and error <= ERROR_LIMITS[Precision.FP32]:
        raise ConformanceError(
            f"the session says {claimed} and its outputs' relative error of {error:.1e} is that of fp32:"
            " it executes a higher precision; session.precision must say which."
        )


def _copies(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}


def _same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    return all(np.array_equal(array, other[name], equal_nan=True) for name, array in one.items())
