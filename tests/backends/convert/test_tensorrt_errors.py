"""One table of what TensorRT's messages mean, for its module and for trtexec; what to do may differ."""

from __future__ import annotations

import pytest

from backends.convert import trtexec
from backends.convert.tensorrt_errors import advice_on
from backends.tensorrt import advice

#: message -> words of the advice to who measures, and to who builds with trtexec
SAID = [
    ("Error Code 1: Cuda Runtime (out of memory)", "measure a smaller batch", "build a smaller batch"),
    ("CUDA initialization failure with error: 35", "r535", "the machine with the card"),
    ("expecting compute 8.6 got compute 7.5", "another GPU", "another GPU"),
    ("expecting library version 10.12.0.36 got .", "another version", "another version"),
    ("Failed to open file: x.weights", "as one file", "as one file"),
    ("Could not open file x.onnx", "as one file", "as one file"),
    ("Assertion failed: creator && no importer", "without that operator", "lower --opset"),
    ("Could not find any implementation for node conv", "workspace_mib", "newer TensorRT"),
    ("fp16 precision is not configured in the builder", "ask for its own", "ask for its own"),
    ('Cannot find input tensor with name "x"', "names and shapes", "names and shapes"),
    ("Error Code 1: Myelin (a kernel failed)", "nvidia-smi shows the card", "the machine with the card"),
    ("While parsing node number 3", "lower --opset", "lower --opset"),
    ("the sparsity of x.onnx failed", "report this", "trtexec --verbose"),
]


@pytest.mark.parametrize(("message", "to_measure", "to_build"), SAID)
def test_a_message_means_the_same_to_both_who_may_do_different_things(
    message: str, to_measure: str, to_build: str
) -> None:
    assert to_measure in advice.advice_on(message)
    assert to_build in trtexec.explain(f"[E] {message}\n").advice


def test_what_was_said_first_counts_before_the_order_of_the_table() -> None:
    assert "names and shapes" in advice_on("a wrong profile", "out of memory")
    assert "smaller batch" in advice_on("out of memory for this profile")
    assert advice_on("nothing known", "") == ""


def test_other_advice_is_on_its_cause_alone() -> None:
    assert advice_on("out of memory", instead={"memory": "wait"}) == "wait"
    assert advice_on("a wrong profile", instead={"memory": "wait"}) == advice_on("a wrong profile")
