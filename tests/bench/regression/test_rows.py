"""Which cells of two environments are one row, and what is said of those that one side cannot measure."""

from __future__ import annotations

import pytest

from backends.base import Precision, Scope
from bench.errors import UsageError
from bench.plan import Variant, WorkloadSpec
from bench.regression.environments import candidate_slots
from bench.regression.probe import Candidate, Found, protocol
from bench.regression.rows import Grid, Offer, PlannedRow, plan_rows
from bench.stopping import Limits

SPEC = WorkloadSpec(name="onnx", model="m.onnx")
OFFER = Offer(SPEC, ("a" * 64, "b" * 64))
GRID = Grid([1, 4], [Precision.FP32], [Scope.COMPUTE], Limits())


def usable(
    name: str, precisions: tuple[Precision, ...] = (Precision.FP32,), reason: str = "", **options: str
) -> Candidate:
    variant = Variant(
        backend=name, options=options, device="cpu", address="", card="Some CPU", chips=1, lanes=(), simulated=False,
        precisions=precisions,
    )  # fmt: skip
    return Candidate(name=name, variant=variant, reason=reason)


def unusable(name: str) -> Candidate:
    return Candidate(name=name, variant=None, reason=f"{name} is not installed; install it.")


def plan(slots: list[tuple[Candidate | None, Candidate | None]], grid: Grid = GRID) -> list[PlannedRow]:
    return plan_rows(slots, {"base": OFFER, "new": OFFER}, grid)


def found(*candidates: Candidate) -> Found:
    return Found(protocol=protocol(), root="/", python="3.11.0", candidates=list(candidates))


def test_every_backend_at_every_batch_size_is_a_row() -> None:
    rows = plan([(usable("ort"), usable("ort")), (usable("ov"), usable("ov"))])
    assert [row.name for row in rows] == ["ort bs1 fp32", "ov bs1 fp32", "ort bs4 fp32", "ov bs4 fp32"]
    assert all(row.base and row.new and not row.reason for row in rows)
    assert rows[0].base is not None
    assert rows[0].base.model_sha256 == "a" * 64


def test_different_backends_are_one_row_with_both_names() -> None:
    assert [row.name for row in plan([(usable("ort", threads="1"), usable("ov"))])] == [
        "ort:threads=1 → ov bs1 fp32", "ort:threads=1 → ov bs4 fp32",
    ]  # fmt: skip


def test_what_one_side_lacks_is_a_row_with_the_reason() -> None:
    grid = Grid([1], [Precision.FP32, Precision.FP16], [Scope.COMPUTE], Limits())
    half = usable("ort", (Precision.FP32, Precision.FP16))
    single = usable("ort", reason="on cpu it offers fp32, not fp16; change --precision.")
    rows = plan([(half, single), (usable("ov"), unusable("ov"))], grid)
    assert [(row.name, bool(row.base and row.new)) for row in rows] == [
        ("ort bs1 fp32", True), ("ov bs1 fp32", False), ("ort bs1 fp16", False), ("ov bs1 fp16", False),
    ]  # fmt: skip
    assert rows[1].reason == "the new side cannot measure it: ov is not installed; install it."
    assert rows[2].reason == "the new side cannot measure it: on cpu it offers fp32, not fp16; change --precision."


def test_nothing_to_measure_is_refused_with_the_reason() -> None:
    with pytest.raises(
        UsageError, match=r"nothing can be measured on both sides: the base side cannot .* not installed"
    ):
        plan([(unusable("ort"), usable("ort"))])
    with pytest.raises(UsageError, match="nothing can be measured on both sides: no backend is usable"):
        plan([])
    with pytest.raises(UsageError, match="ort bs1 fp32 would be measured twice"):
        plan([(usable("ort"), usable("ort"))] * 2)


def test_named_backends_stand_in_their_order_others_meet_by_name() -> None:
    base, new = found(usable("ort"), unusable("ov")), found(unusable("acl"), usable("ort"))
    assert candidate_slots(base, new, named=True) == list(zip(base.candidates, new.candidates, strict=True))
    assert candidate_slots(base, new, named=False) == [(base.candidates[0], new.candidates[1])]
    there = found(usable("ov"))
    assert candidate_slots(base, there, named=False) == [
        (base.candidates[0], None),
        (base.candidates[1], there.candidates[0]),
    ]
