"""The one line that a failed call becomes: the call, the code, what it means, what to do."""

from __future__ import annotations

import pytest

from backends._cuda.codes import KNOWN, STICKY, UNAVAILABLE, WORDS, code_of, explain
from backends._cuda.driver import version
from backends._cuda.failures import failure, size
from backends._cuda.pycuda import parsed
from tests.doubles.cuda.errors import CODES


def test_each_code_has_a_meaning_and_advice_that_read_as_one_line() -> None:
    for code in KNOWN:
        line = str(failure("cudaX", code, "cudaErrorX"))
        assert line.startswith(f"cudaX failed with {code} (cudaErrorX: ")
        assert line.endswith(".")
        assert "\n" not in line
        assert ".." not in line


def test_after_sticky_codes_the_advice_is_to_start_again() -> None:
    assert set(KNOWN) >= STICKY | UNAVAILABLE
    assert not STICKY & UNAVAILABLE
    for code in STICKY:
        assert "context is lost" in explain(code).advice


def test_a_code_that_nobody_knows_is_told_as_it_is() -> None:
    assert str(failure("cudaX", 4711)).startswith("cudaX failed with 4711 (a code that is not in the list of errors);")


def test_the_double_knows_the_same_words() -> None:
    for code, (_, _, words) in CODES.items():
        if code in WORDS.values():
            assert code_of(words) == code
    assert code_of("no such words") is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("cuMemAlloc failed: out of memory", ("cuMemAlloc", 2, "out of memory")),
        (
            "explicit_context_dependent failed: invalid device context - no currently active context?",
            ("explicit_context_dependent", 201, "invalid device context - no currently active context?"),
        ),
        ("cuX failed: words of\na newer driver", ("cuX", None, "words of a newer driver")),
        ("something else", ("pycuda", None, "something else")),
    ],
)
def test_pycudas_lines_are_read(text: str, read: tuple) -> None:
    assert parsed(Exception(text)) == read


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"), (3 * 2**19, "1.5 MiB"), (16 * 2**30, "16 GiB")],
)
def test_sizes_as_people_write_them(count: int, text: str) -> None:
    assert size(count) == text


def test_out_of_memory_without_free_memory_names_what_was_asked() -> None:
    assert "out of memory for 1 MiB); measure smaller" in str(failure("cudaMalloc", 2, asked=2**20))


def test_the_drivers_version_is_a_number_and_never_raises() -> None:
    assert version() >= 0
