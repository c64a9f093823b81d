"""What TensorRT's messages mean, and what to do about them, whether its module or trtexec prints them.

Texts: TensorRT's own of 7.0 to 11.1 and TensorRT for RTX 1.7, and what users published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: The words that tell a cause, in the order in which they are looked for.
_TELLING = {
    "memory": r"out ?of ?memory|insufficient memory|MemoryAllocation|cudaError 2\b",
    "driver": r"initialization failure|driver version is insufficient|cudaError 35|no CUDA-capable",
    "device": r"incompatible device|compute capability|expecting compute",
    "version": r"this version of TensorRT|library version|version tag|magic_?tag|serialization assert",
    "file": r"failed to import initializer|(?:failed to|could not) open file",
    "operator": r"plugin not found|unsupported|no importer|creator",
    "workspace": r"could not find any implementation|workspace",
    "precision": r"is not configured in the builder",
    "shape": r"profile|dimension|shape|cannot find input tensor|static model does not take",
    "cuda": r"cuda|cudnn|cublas|myelin|cask|driver",
    "parser": r"\bpars|importer|plugin|(?<!\.)onnx|opset",
}
_PATTERNS = {cause: re.compile(telling, re.IGNORECASE) for cause, telling in _TELLING.items()}

#: Cause -> what to do, as a clause.
_ADVICE = {
    "memory": "free the card's memory (nvidia-smi shows who uses it), or measure a smaller batch",
    "driver": "install a newer NVIDIA driver: r535 for builds of TensorRT for CUDA 12, r580 for CUDA 13",
    "device": "it was built for another GPU: build it again on this one",
    "version": "it was built by another version of TensorRT, or the file is damaged: build it again with this one",
    "file": "copy the file's data beside it, or export it as one file",
    "operator": "export the model without that operator, or use a newer TensorRT",
    "workspace": "give it more memory to work in (a larger workspace_mib, or 0 for all), or use a newer TensorRT",
    "precision": "the .onnx file computes in another precision than was asked for: ask for its own",
    "shape": "check the names and shapes of the model's inputs against those of the .onnx file",
    "cuda": "see whether nvidia-smi shows the card in order",
    "parser": "export with a lower --opset, or use a newer TensorRT",
}


def advice_on(*said: str, instead: Mapping[str, str] | None = None) -> str:
    """What to do, a clause for the end of a line; "" where nothing known is said.

    What was said first is nearest to the cause, and what follows often noise. `instead` has other advice on some
    causes, for who can do something else about them.
    """
    advice = {**_ADVICE, **(instead or {})}
    found = (cause for text in said for cause, pattern in _PATTERNS.items() if pattern.search(text))
    return next((advice[cause] for cause in found), "")
