"""Who is measured when, and what becomes of invocations that fail, are wrong, or cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import pytest
from msgspec.structs import replace

from bench.regression.display import CheckDisplay, summary
from bench.regression.pairs import Duo, Interleaved, SideName
from reports.records import CellRecord
from reports.regression import Missing, Pairs, run_procedure
from tests.reports import samples

Answer = CellRecord | Missing


class Watching:
    """An Observer that takes everything down."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.expected = 0
        self.taken: list[str] = []
        self.given_up: list[tuple[str, str, int]] = []

    def expect(self, pairs: int) -> None:
        self.expected += pairs

    def invoking(self, side: SideName | Literal["both"], rows: Sequence[str], pair: int) -> None:
        self.order.append(f"{pair} {side} {'+'.join(rows)}")

    def paired(self, row: str, difference: float) -> None:
        self.taken.append(row)

    def lost(self, row: str, reason: str, pairs: int) -> None:
        self.given_up.append((row, reason, pairs))


class Scripted:
    """A side that answers from a function of the row and of how often it was measured before."""

    def __init__(self, answer: Callable[[str, int], Answer]) -> None:
        self.answer = answer
        self.counts: dict[str, int] = {}

    def invoke(self, rows: Sequence[str]) -> dict[str, Answer]:
        found = {}
        for row in rows:
            found[row] = self.answer(row, self.counts.get(row, 0))
            self.counts[row] = self.counts.get(row, 0) + 1
        return found


def taking(latency_ms: float) -> Scripted:
    return Scripted(lambda _, count: samples.cell("double", 1, latency_ms + count))


def interleaved(base: Scripted, new: Scripted, together: bool = False) -> tuple[Interleaved, Watching]:
    watching = Watching()
    return Interleaved(base, new, together, watching), watching


def test_sides_take_turns_and_the_two_of_a_pair_follow_one_another() -> None:
    measure, watching = interleaved(taking(10), taking(20))
    found = measure(["a", "b"], 0, 2)
    assert watching.order == [
        "0 base a",
        "0 new a",
        "0 base b",
        "0 new b",
        "1 new a",
        "1 base a",
        "1 new b",
        "1 base b",
    ]
    pairs = found["a"]
    assert isinstance(pairs, Pairs)
    assert (pairs.base_ms, pairs.new_ms) == ((10.0, 11.0), (20.0, 21.0))
    assert pairs.differences == (math.log(20 / 10), math.log(21 / 11))
    assert watching.expected == 4
    assert watching.taken == ["a", "b", "a", "b"]


def test_later_pairs_go_on_with_the_turns() -> None:
    measure, watching = interleaved(taking(10), taking(20))
    measure(["a"], 3, 2)
    assert watching.order == ["3 new a", "3 base a", "4 base a", "4 new a"]


def test_one_invocation_may_measure_all_rows() -> None:
    measure, watching = interleaved(taking(10), taking(20), together=True)
    measure(["a", "b"], 0, 2)
    assert watching.order == ["0 base a+b", "0 new a+b", "1 new a+b", "1 base a+b"]


def test_an_invocation_that_fails_is_repeated_once() -> None:
    failing = samples.failed("double", 1)
    base = Scripted(lambda _, count: failing if count == 1 else samples.cell("double", 1, 10.0))
    measure, watching = interleaved(base, taking(20))
    assert isinstance(measure(["a"], 0, 3)["a"], Pairs)
    assert watching.order == ["0 base a", "0 new a", "1 new a", "1 base a", "1 base a", "2 base a", "2 new a"]


def test_a_row_that_fails_twice_is_given_up_and_the_others_go_on() -> None:
    failing = samples.failed("double", 1)
    new = Scripted(lambda row, count: failing if row == "a" and count else samples.cell("double", 1, 20.0))
    measure, watching = interleaved(taking(10), new)
    found = measure(["a", "b"], 0, 3)
    assert found["a"] == Missing("the new side failed twice: in phase 'load', the worker died of SIGSEGV")
    assert isinstance(found["b"], Pairs)
    assert watching.given_up == [("a", "the new side failed twice: in phase 'load', the worker died of SIGSEGV", 2)]
    # Its base is not measured any more: the new side came first in that pair.
    assert [line for line in watching.order if line.endswith(" a")] == ["0 base a", "0 new a", "1 new a", "1 new a"]


def test_rows_of_one_invocation_fail_apart() -> None:
    absent = Missing("its run file does not hold this cell")
    base = Scripted(lambda row, _: absent if row == "a" else samples.cell("double", 1, 10.0))
    measure, watching = interleaved(base, taking(20), together=True)
    found = measure(["a", "b"], 0, 2)
    assert found["a"] == Missing("the base side failed twice: its run file does not hold this cell")
    assert isinstance(found["b"], Pairs)
    assert watching.order == ["0 base a+b", "0 base a", "0 new b", "1 new b", "1 base b"]


WRONG, RIGHT = samples.wrong("double", 1), samples.cell("double", 1, 10.0)


@pytest.mark.parametrize(
    ("base", "new", "words", "inaccurate"),
    [
        (RIGHT, WRONG, "the outputs of the new side are wrong: cosine 0.2 < 0.9", True),
        (WRONG, RIGHT, "the outputs of the base are wrong: cosine 0.2 < 0.9", False),
        (WRONG, WRONG, "the outputs of the base (and those of the new side) are wrong: cosine 0.2 < 0.9", False),
        (RIGHT, replace(RIGHT, provenance="simulated"), "test double", False),
        (RIGHT, replace(RIGHT, latency=None), "the new side has no median latency", False),
        (replace(RIGHT, latency=None), RIGHT, "the base has no median latency", False),
        (
            replace(RIGHT, flags=replace(RIGHT.flags, placement_ok=False, placement_reason="on the CPU")),  # type: ignore[type-var]
            RIGHT,
            "the base side ran elsewhere than asked for: on the CPU",
            False,
        ),
    ],
)
def test_what_cannot_be_compared_is_given_up_at_once(
    base: CellRecord, new: CellRecord, words: str, inaccurate: bool
) -> None:
    measure, watching = interleaved(Scripted(lambda *_: base), Scripted(lambda *_: new))
    found = measure(["a"], 0, 12)["a"]
    assert isinstance(found, Missing)
    assert words in found.reason
    assert found.inaccurate == inaccurate
    assert watching.order == ["0 base a", "0 new a"]
    answer = run_procedure(["a"], interleaved(Scripted(lambda *_: base), Scripted(lambda *_: new))[0]).answer
    assert answer == ("inaccurate" if inaccurate else "nothing comparable")


def test_what_a_reader_should_know_is_told_once() -> None:
    identity = replace(RIGHT.identity, precision="tf32", inputs_sha256="c" * 64)
    samples_cut = replace(RIGHT.samples, stop="time limit")  # type: ignore[type-var]
    held_back = replace(RIGHT.flags, throttled=True, throttle_reason="too hot")  # type: ignore[type-var]
    odd = replace(RIGHT, identity=identity, samples=samples_cut, flags=held_back, provenance="simulated")
    measure, _ = interleaved(Scripted(lambda *_: replace(RIGHT, provenance="simulated")), Scripted(lambda *_: odd))
    measure(["a"], 0, 4)
    assert measure.remarks == [
        "SIMULATED: these figures come from a test double, not from a device.",
        "a: the new side was throttled (too hot).",
        "a: calls of the new side take too long for all samples within --max-time.",
        "a: the base computed in fp32, the new side in tf32.",
        "a: the two sides were fed different inputs.",
    ]


def test_rows_that_are_known_to_be_missing_are_not_measured() -> None:
    watching = Watching()
    measure = Interleaved(taking(10), taking(20), False, watching, {"a": Missing("not usable there")})
    found = measure(["a", "b"], 0, 2)
    assert found["a"] == Missing("not usable there")
    assert isinstance(found["b"], Pairs)
    assert watching.expected == 2
    assert not any("a" in line.split()[2] for line in watching.order)


class Together:
    """Answers for both processes of a pair, with a difference that the medians do not tell."""

    def __init__(self, answer: Callable[[str, int], Duo]) -> None:
        self.answer = answer
        self.orders: list[tuple[str, ...]] = []

    def __call__(self, row: str, order: Sequence[SideName]) -> Duo:
        self.orders.append(tuple(order))
        return self.answer(row, len(self.orders) - 1)


def with_duo(answer: Callable[[str, int], Duo]) -> tuple[Interleaved, Watching, Together]:
    watching, together = Watching(), Together(answer)
    measure = Interleaved(taking(10), taking(20), False, watching, duo=together)
    return measure, watching, together


def test_a_pair_that_is_measured_at_once_counts_by_its_own_difference() -> None:
    measure, watching, together = with_duo(lambda *_: Duo({"base": RIGHT, "new": RIGHT}, 0.25))
    found = measure(["a"], 0, 3)["a"]
    assert isinstance(found, Pairs)
    assert found.differences == (0.25, 0.25, 0.25)
    assert together.orders == [("base", "new"), ("new", "base"), ("base", "new")]
    assert watching.order == ["0 both a", "1 both a", "2 both a"]


def test_wrong_outputs_are_told_of_pairs_that_are_measured_at_once_too() -> None:
    measure, _, _ = with_duo(lambda *_: Duo({"base": RIGHT, "new": WRONG}, None))
    found = measure(["a"], 0, 3)["a"]
    assert isinstance(found, Missing)
    assert found.inaccurate


def test_what_cannot_be_measured_at_once_is_measured_one_by_one_from_then_on() -> None:
    failing = samples.failed("double", 1)
    fine = Duo({"base": RIGHT, "new": RIGHT}, 0.0)
    measure, watching, _ = with_duo(lambda _, count: Duo({"base": failing}, None) if count == 1 else fine)
    found = measure(["a"], 0, 4)["a"]
    assert isinstance(found, Pairs)
    assert watching.order == [
        "0 both a", "1 both a", "1 new a", "1 base a", "2 base a", "2 new a", "3 new a", "3 base a",
    ]  # fmt: skip


def test_what_fails_at_once_and_alone_has_failed_twice() -> None:
    failing = samples.failed("double", 1)
    watching = Watching()
    duo = Together(lambda *_: Duo({"base": RIGHT, "new": failing}, None))
    measure = Interleaved(taking(10), Scripted(lambda *_: failing), False, watching, duo=duo)
    found = measure(["a"], 0, 4)["a"]
    assert found == Missing("the new side failed twice: in phase 'load', the worker died of SIGSEGV")
    assert watching.order == ["0 both a", "0 base a", "0 new a"]


def test_the_display_tells_how_long_it_will_take() -> None:
    clock = iter([0.0, 100.0, 200.0, 400.0, 600.0])
    display = CheckDisplay(now=lambda: next(clock))
    display.expect(12)
    assert display.remaining() == ""
    with display:
        display.invoking("base", ["a"], 0)
        display.paired("a", 0.1)  # at 100 s
        assert display.remaining() == "about 37 min left"  # at 200 s: eleven more
        display.lost("b", "it failed", 9)
        display.paired("a", 0.0)  # at 400 s
        assert display.remaining() == "about 5 min left"  # at 600 s: one more
        display.paired("a", 0.0)
        assert display.remaining() == ""


def test_a_row_so_far_in_words() -> None:
    assert summary("row", [0.01]) == "row: +1.0%"
    assert summary("row", [0.0, 0.02, 0.0, 0.02]) == "row: +1.0%, sd 1.2%"
