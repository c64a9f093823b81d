"""Which cells of two sets of runs are the same cell."""

from __future__ import annotations

from msgspec.structs import replace

from reports.matching import held, match, nothing_shared
from reports.records import CellRecord, Flags, Run
from tests.reports.samples import cell, failed, wrong
from tests.reports.stored.made import run_of

SOUND = Flags(steady=True, converged=True, throttled=False, overhead_ok=True, placement_ok=True, accuracy=True)


def other_model(made: CellRecord, digit: str) -> CellRecord:
    return replace(made, identity=replace(made.identity, model_sha256=digit * 64))


def test_cells_meet_by_identity_whatever_their_ids_and_order() -> None:
    base = run_of("a", cell("pytorch", 1, 10.0), cell("pytorch", 4, 40.0))
    new = run_of("b", replace(cell("pytorch", 4, 41.0), id="x"), replace(cell("pytorch", 1, 11.0), id="y"))
    found = match([base], [new])
    assert [pair.key.batch for pair in found.matches] == [4, 1]
    assert [pair.base.key for pair in found.matches] == [pair.new.key for pair in found.matches]
    assert not found.only_base
    assert not found.only_new


def test_any_part_of_the_identity_keeps_cells_apart() -> None:
    base = run_of("a", cell("pytorch", 1, 10.0))
    for change in (
        {"card": "T4"}, {"device": "cuda:1"}, {"precision": "fp16"}, {"scope": "end-to-end"},
        {"options": {"threads": "1"}},
    ):  # fmt: skip
        found = match([base], [run_of("b", cell("pytorch", 1, 10.0, **change))])
        assert not found.matches, change
        assert len(found.only_base) == len(found.only_new) == 1


def test_simulated_figures_never_meet_measured_ones() -> None:
    simulated = cell("pytorch", 1, 10.0, provenance="simulated")
    assert not match([run_of("a", cell("pytorch", 1, 10.0))], [run_of("b", simulated)]).matches
    assert match([run_of("a", simulated)], [run_of("b", simulated)]).matches


def test_invocations_and_runs_of_one_side_are_one_cell() -> None:
    base = [run_of(name, *(cell("pytorch", 1, 10.0, invocation=k) for k in range(3))) for name in ("a", "b")]
    (side,) = held(base)
    assert len(side.usable) == 6


def test_another_model_is_compared_with_a_remark_after_equal_ones_have_met() -> None:
    plain = cell("pytorch", 1, 10.0)
    base = [run_of("a", other_model(plain, "1"), other_model(plain, "2"))]
    new = [run_of("b", other_model(plain, "3"), other_model(plain, "1"))]
    pairs = {pair.new.model[0]: pair for pair in match(base, new).matches}
    assert pairs["1"].base.model[0] == "1"
    assert pairs["1"].remarks == []
    assert pairs["3"].remarks == ["other model: 33333333.. against 22222222.."]


def test_the_same_run_on_both_sides_is_remarked() -> None:
    run = run_of("a", cell("pytorch", 1, 10.0))
    assert match([run], [run]).matches[0].remarks == ["the same run is on both sides"]


def test_what_cannot_be_compared_says_why() -> None:
    unsteady = cell("pytorch", 1, 10.0, flags=replace(SOUND, steady=False))
    for made, reason in (
        (wrong("pytorch", 1), "its outputs are wrong"),
        (failed("pytorch", 1), "it failed: the worker died of SIGSEGV"),
        (unsteady, "flagged: not steady"),
        (cell("pytorch", 1, 10.0, latency=None), "it has no median latency"),
        (cell("pytorch", 1, 10.0), ""),
    ):
        (side,) = held([run_of("a", made)])
        assert side.against == reason
        assert bool(side.usable) == (not reason)


def test_one_wrong_invocation_speaks_against_the_cell_and_one_flagged_one_does_not() -> None:
    sound = cell("pytorch", 1, 10.0)
    unsteady = replace(sound, invocation=1, flags=replace(SOUND, steady=False))
    (side,) = held([run_of("a", sound, unsteady)])
    assert [one.cell for one in side.usable] == [sound]
    (side,) = held([run_of("a", sound, replace(wrong("pytorch", 1), invocation=1))])
    assert side.against == "its outputs are wrong"


def test_nothing_shared_names_what_each_side_holds_and_the_nearest_difference() -> None:
    base = run_of("a", cell("pytorch", 1, 10.0, card="T4"), cell("acl", 1, 10.0, card="Atlas 300I", scope="end-to-end"))
    new = run_of("b", cell("pytorch", 1, 10.0, card="A10"))
    line = nothing_shared(match([base], [new]))
    assert "\n" not in line
    assert "acl bs1 fp32 end-to-end on Atlas 300I (cpu)" in line
    assert line.endswith("Nearest: pytorch bs1, which differs in card: A10 against T4")


def test_an_empty_side_is_named() -> None:
    empty = Run(run=run_of("b").run, cells=[])
    assert nothing_shared(match([run_of("a", cell("pytorch", 1, 10.0))], [empty])) == (
        "nothing was measured in the new run"
    )
