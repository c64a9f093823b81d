"""Two sets of runs compared, and the words for it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from rich.console import Console

from reports.markdown import MARK
from reports.records import Flags, Git, Run
from reports.stored import NothingComparableError, RunComparison, compare
from reports.stored.text import lines, markdown, table
from tests.reports.samples import cell, failed, wrong
from tests.reports.stored.made import run_of, timed

UNSTEADY = Flags(steady=False, converged=True, throttled=False, overhead_ok=True, placement_ok=True, accuracy=True)


def several(name: str, median_ms: float, count: int = 5, backend: str = "pytorch") -> Run:
    spread = (1.0, 1.002, 0.998, 1.001, 0.999)
    cells = (timed(backend, 1, median_ms * spread[number], invocation=number) for number in range(count))
    return run_of(name, *cells)


def compared(base: Run, new: Run, include_flagged: bool = False) -> RunComparison:
    return compare([base], [new], "runs/a", "runs/b", include_flagged)


def shown(comparison: RunComparison, width: int = 120) -> str:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(table(comparison, width))
        for line in lines(comparison):
            console.print(line, soft_wrap=True)
    return capture.get()


def test_five_processes_a_side_give_a_verdict_without_reserve() -> None:
    comparison = compared(several("a", 10.0), several("b", 10.5))
    (found,) = comparison.cells
    assert found.verdict == "slower"
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(1.05)
    assert found.median_ms(found.match.base) == pytest.approx(10.0, rel=1e-5)
    assert found.fps_per_card(found.match.new) == pytest.approx(1000 / 10.5, rel=1e-5)
    assert not any(
        "Advisory" in note or "fewer" in note for note in compared(several("a", 10.0), several("b", 10.5)).notes()
    )


def test_one_process_a_side_is_advisory_and_says_what_is_missing() -> None:
    comparison = compared(several("a", 10.0, count=1), several("b", 10.5, count=1))
    assert comparison.cells[0].verdict == "slower, advisory"
    assert "within one process each: the real spread between processes is not in it" in comparison.notes()[0]
    assert "a side is a single process" in compared(several("a", 10.0, count=1), several("b", 10.5)).notes()[0]


def test_few_processes_are_told() -> None:
    (note, _) = compared(several("a", 10.0, count=2), several("b", 10.5, count=3)).notes()
    assert "fewer than 5 on a side (3 processes against 2 processes)" in note


def test_wrong_failed_and_flagged_cells_have_figures_or_a_reason_and_no_verdict() -> None:
    base = run_of("a", timed("pytorch", 1, 10.0), wrong("openvino", 1), failed("acl", 1), timed("onnxruntime", 1, 8.0))
    new = run_of(
        "b", timed("pytorch", 1, 10.0), timed("openvino", 1, 9.0), timed("acl", 1, 9.0),
        timed("onnxruntime", 1, 8.0, flags=UNSTEADY),
    )  # fmt: skip
    cells = {one.match.key.label: one for one in compared(base, new).cells}
    assert cells["openvino"].reason == "base: its outputs are wrong"
    assert cells["acl"].reason == "base: it failed: the worker died of SIGSEGV"
    assert cells["onnxruntime"].reason == "new: flagged: not steady"
    assert cells["onnxruntime"].verdict == "not compared"
    assert cells["onnxruntime"].median_ms(cells["onnxruntime"].match.new) == 8.0
    assert compared(base, new, include_flagged=True).cells[3].verdict == "same within 1 %, advisory"


def test_nothing_comparable_is_one_line_that_says_why() -> None:
    sound = run_of("a", timed("pytorch", 1, 10.0))
    with pytest.raises(NothingComparableError, match=r"no cell is in both: .*differs in batch size: 4 against 1"):
        compared(sound, run_of("b", timed("pytorch", 4, 40.0)))
    flagged = run_of("b", timed("pytorch", 1, 10.0, flags=UNSTEADY))
    with pytest.raises(NothingComparableError, match=r"flagged: not steady; --include-flagged compares"):
        compared(sound, flagged)


def test_what_the_sides_do_not_share_is_listed_with_the_cells_it_concerns() -> None:
    base = run_of("a", timed("pytorch", 1, 10.0), timed("openvino", 1, 10.0), git=Git(commit="1" * 40, dirty=False))
    new = run_of(
        "b", timed("pytorch", 1, 10.0), timed("openvino", 1, 10.0, session={"threads": "1"}),
        packages={"numpy": "2.1.0"}, git=Git(commit="2" * 40, dirty=True),
    )  # fmt: skip
    text = shown(compared(base, new))
    assert "differs: threads: 1 against 2 (openvino bs1 fp32 compute)\n" in text
    assert "differs: package numpy: 2.1.0 against 2.0.0\n" in text
    assert "harness: 222222222222 with uncommitted changes against 111111111111\n" in text


def test_the_page_holds_every_row_once_and_is_marked_as_ours() -> None:
    base = run_of("a", timed("pytorch", 1, 10.0), wrong("openvino", 1), timed("acl", 1, 5.0))
    new = run_of("b", timed("pytorch", 1, 11.0), timed("openvino", 1, 9.0), timed("pytorch", 16, 99.0))
    page = markdown(compared(base, new))
    assert page.startswith(MARK + "\n# runs/b against runs/a\n")
    assert "| pytorch bs1 fp32 compute | 10 | 11 | 1.1000 | 1.0922 to 1.1078 | 100 | 90.91 | slower, advisory |" in page
    assert "- openvino bs1 fp32 compute: not compared: base: its outputs are wrong" in page
    assert "- only in the base: acl bs1 fp32 compute on Some CPU (cpu)" in page
    assert "- only in the new run: pytorch bs16 fp32 compute on Some CPU (cpu)" in page
    assert "| openvino bs1 fp32 compute | 0.9 | 3.0 | - | 1e-05 | 120.0 | 0.999980 | changed |" in page


def test_simulated_figures_carry_a_banner() -> None:
    simulated = [run_of(name, timed("virtual", 1, 10.0, provenance="simulated")) for name in "ab"]
    comparison = compared(*simulated)
    assert "**SIMULATED" in markdown(comparison)
    assert "(SIMULATED)" in shown(comparison)


def test_a_narrow_terminal_leaves_out_fps_and_cuts_no_word() -> None:
    comparison = compared(several("a", 10.0, count=1), several("b", 10.5))
    narrow = shown(comparison, width=80)
    assert "base FPS" not in narrow
    assert "slower, advisory" in narrow
    assert "base FPS" in shown(comparison, width=120)


def test_names_of_others_break_neither_table_nor_page() -> None:
    evil = [
        run_of(name, replace(one, identity=replace(one.identity, card="x|[red]\n\x1b[31m`")))
        for name, one in (("a", cell("pytorch", 1, 10.0)), ("b", cell("pytorch", 1, 10.0, options={"a": "|[/]"})))
    ]
    same = [replace(run, cells=[replace(run.cells[0], identity=evil[0].cells[0].identity)]) for run in evil]
    comparison = compared(*same)
    assert "\x1b" not in shown(comparison)
    assert "\x1b" not in markdown(comparison)
    with pytest.raises(NothingComparableError) as refused:
        compared(*evil)
    assert "\n" not in str(refused.value)
