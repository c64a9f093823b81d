"""TensorRT's words in one line, and the advice on them; messages of TensorRT for RTX 1.7 and of public reports."""

from __future__ import annotations

import pytest

from backends.tensorrt.advice import advice_on
from backends.tensorrt.messages import Messages, plain


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[cudaResources.cpp::ScopedCudaStream::25] Error Code 1: Cuda Runtime (In ScopedCudaStream at"
            " /_src/common/dispatch/cudaResources.cpp:25 (cudaError 35: CUDA driver version is insufficient))",
            "Error Code 1: Cuda Runtime (cudaError 35: CUDA driver version is insufficient)",
        ),
        (
            "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (no optimization profile has been defined."
            " In validate at /_src/optimizer/api/network.cpp:4023)",
            "Error Code 4: API Usage Error (no optimization profile has been defined.)",
        ),
        ("ModelImporter.cpp:140: While parsing\n  node number 1", "While parsing node number 1"),
        ("The engine plan file is not compatible", "The engine plan file is not compatible"),
    ],
)
def test_a_message_is_one_line_without_places_in_the_source(text: str, told: str) -> None:
    assert plain(text) == told


def test_a_long_message_is_cut() -> None:
    assert len(plain("word " * 500)) < 300


def test_errors_since_a_mark_each_once_and_nothing_less_than_a_warning() -> None:
    messages = Messages()
    messages.add(1, "before")
    mark = messages.mark()
    for severity, text in ((1, "first"), (3, "for information"), (2, "careful"), (0, "second"), (1, "first")):
        messages.add(severity, text)
    assert messages.errors(mark) == ["first", "second"]
    assert messages.warnings(mark) == ["careful"]
    assert messages.errors() == ["before", "first", "second"]


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (["Error Code 2: OutOfMemory (no further information)", "cudaError 35"], "smaller batch"),
        (["Dimension mismatch for tensor x and profile 0", "cudaError 35: driver version is insufficient"], "shapes"),
        (["expecting library version 10.12.0.36 got ."], "build it again with this one"),
        (["generated on an incompatible device, expecting compute 8.6 got compute 7.5"], "build it again on this one"),
        (["Serialization assertion header.magicTag == kEXPECTED_MAGIC_TAG failed."], "build it again with this one"),
        (["Plugin not found, are the plugin name, version, and namespace correct?"], "without that operator"),
        (["Could not find any implementation for node conv"], "workspace_mib"),
        (["CUDA initialization failure with error: 35"], "r580"),
        (["something that nobody has seen"], "report this"),
        ([], "report this"),
    ],
)
def test_the_advice_is_on_what_was_said_first(said: list[str], advice: str) -> None:
    assert advice in advice_on(*said)
