"""What to do about what TensorRT says, by the words that it says it in."""

from __future__ import annotations

from backends.convert import tensorrt_errors

_REPORT = "report this with the output of: python -m bench backends --verbose"


def advice_on(*said: str) -> str:
    """A clause, for the end of a line. What was said first is nearest to the cause, and what follows often noise."""
    return tensorrt_errors.advice_on(*said) or _REPORT
