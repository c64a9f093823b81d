"""What to do about what TensorRT says, by the words that it says it in."""

from __future__ import annotations

import re

_REPORT = "report this with the output of: python -m bench backends --verbose"
_TABLE = (
    (
        re.compile(r"out ?of ?memory|insufficient memory|MemoryAllocation|cudaError 2\b", re.IGNORECASE),
        "free the card's memory (nvidia-smi shows who uses it), or measure a smaller batch",
    ),
    (
        re.compile(
            r"initialization failure|driver version is insufficient|cudaError 35|no CUDA-capable", re.IGNORECASE
        ),
        "install a newer NVIDIA driver: r535 for builds of TensorRT for CUDA 12, r580 for CUDA 13",
    ),
    (
        re.compile(r"incompatible device|compute capability|expecting compute", re.IGNORECASE),
        "it was built for another GPU: build it again on this one",
    ),
    (
        re.compile(
            r"this version of TensorRT|library version|version tag|magic_?tag|serialization assert", re.IGNORECASE
        ),
        "it was built by another version of TensorRT, or the file is damaged: build it again with this one",
    ),
    (
        re.compile(r"failed to import initializer|failed to open file", re.IGNORECASE),
        "copy the file's data beside it, or export it as one file",
    ),
    (
        re.compile(r"plugin not found|unsupported|no importer|creator", re.IGNORECASE),
        "export the model without that operator, or use a newer TensorRT",
    ),
    (
        re.compile(r"could not find any implementation|workspace", re.IGNORECASE),
        "give it more memory to work in (a larger workspace_mib, or 0 for all), or use a newer TensorRT",
    ),
    (
        re.compile(r"is not configured in the builder", re.IGNORECASE),
        "the .onnx file computes in another precision than was asked for: ask for its own",
    ),
    (
        re.compile(r"profile|dimension|shape", re.IGNORECASE),
        "check the shapes of the model's inputs against those of the .onnx file",
    ),
    (re.compile(r"cuda|cudnn|cublas|myelin|cask", re.IGNORECASE), "see whether nvidia-smi shows the card in order"),
)


def advice_on(*said: str) -> str:
    """A clause, for the end of a line. What was said first is nearest to the cause, and what follows often noise."""
    return next((words for text in said for pattern, words in _TABLE if pattern.search(text)), _REPORT)
