"""The report and the plots of a made-up run."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from reports import flags, markdown, plots, terminal
from reports.frame import frame
from reports.groups import Figure
from reports.markdown.format import clean, code, plus_minus
from reports.markdown.speed import mean_text
from reports.page import Page, Request, UnknownBaseline
from reports.records import Activity, CellRecord, DeviceReading, Failure, MeasureLimits, Run, Telemetry
from reports.table import Ratio, find_baseline, tables
from tests.reports.samples import cell, example, failed, header, on_four_chips

GOLDEN = Path(__file__).parent / "golden" / "report.md"


def value(figure: Figure | Ratio | None) -> float:
    assert figure is not None
    return figure.value


def test_report_is_the_golden_one() -> None:
    """Set BENCH_UPDATE_GOLDEN=1 to write the golden file anew, then read its diff."""
    text = markdown.render(
        Page([example()]), [Path(f"{name}.png") for name in ("compute-latency", "compute-fps", "pictures")]
    )
    if os.environ.get("BENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_every_table_row_has_as_many_cells_as_its_header() -> None:
    text = markdown.render(Page([example()]), [])
    for block in text.split("\n\n"):
        rows = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, block


def test_wrong_and_failed_cells_have_no_fps_and_no_ratio() -> None:
    (table,) = tables([example()])
    openvino = next(column for column in table.columns if column.label == "openvino")
    baseline = find_baseline(table, None)
    assert baseline is not None
    assert baseline.label == "pytorch"
    for batch in (1, 4):
        assert table.fps(batch, openvino) is None
        assert table.ratio(batch, openvino, baseline) is None


def test_ratios_and_their_geometric_mean() -> None:
    (table,) = tables([example()], include_flagged=True)
    baseline = find_baseline(table, "pytorch")
    other = find_baseline(table, "onnxruntime")
    assert baseline is not None
    assert other is not None
    assert value(table.ratio(1, other, baseline)) == pytest.approx(1.25)
    assert value(table.ratio(4, other, baseline)) == pytest.approx(2.0)
    assert mean_text(table.ratios(other, baseline)) == "158.1%", "the root of 1.25 × 2"


def test_a_flagged_cell_is_shown_in_words_and_enters_no_ratio() -> None:
    """onnxruntime at batch 4 has four samples: neither steady nor known to 1 %."""
    (table,) = tables([example()])
    baseline, other = find_baseline(table, "pytorch"), find_baseline(table, "onnxruntime")
    assert baseline is not None
    assert other is not None
    assert value(table.fps(4, other)) == pytest.approx(200.0)
    assert table.ratio(4, other, baseline) is None
    assert table.ratio(4, baseline, other) is None, "nor is it a baseline"
    assert mean_text(table.ratios(other, baseline)) == "125.0% (bs 1)", "and it says of which batch sizes it is"
    text = markdown.render(Page([example()]), [])
    assert "**3 of 6 measured cells hold up**" in text
    assert "Of the others 1 failed, 1 gave wrong outputs, 1 is flagged." in text
    assert "onnxruntime bs4 fp32 compute: not proven steady: too few samples to tell; the median is known" in text
    assert "steadiness unknown, not converged" in text
    assert "`--include-flagged` shows it all the same" in text
    insisted = markdown.render(Page([example()], Request(include_flagged=True)), [])
    assert "200.0%" in insisted
    assert "only because `--include-flagged` was given" in insisted


@pytest.mark.parametrize(
    ("change", "short", "words"),
    [
        ({"steady": False}, "not steady", "not proven steady"),
        ({"converged": False}, "not converged", r"±1 % is asked for"),
        ({"throttled": True, "throttle_reason": "thermal slowdown"}, "throttled", "held back: thermal slowdown"),
        ({"overhead_ok": False}, "overhead", "the loop's own share"),
        ({"placement_ok": False, "placement_reason": "it ran on cpu"}, "placement", "asked to: it ran on cpu"),
        ({"clocks_agree": False}, "clocks disagree", "takes longer than the host saw"),
        ({"within_peak": False, "peak_reason": "197 % of it"}, "above the card's peak", "it is 197 % of it"),
        ({"accuracy": False}, "inaccurate", "its outputs are wrong"),
    ],
)
def test_every_verdict_flags_alone_and_has_its_words(change: dict[str, object], short: str, words: str) -> None:
    good = cell("pytorch", 1, 10.0)
    assert good.flags is not None
    assert flags.comparable(good)
    bad = replace(good, flags=replace(good.flags, **change))
    assert flags.short(bad) == [short]
    assert words in " ".join(flags.in_words(bad))
    assert not flags.comparable(bad)


def test_unknown_throttling_is_no_verdict_and_an_old_record_is_not_taken_on_trust() -> None:
    good = cell("pytorch", 1, 10.0)
    assert good.flags is not None
    assert flags.comparable(replace(good, flags=replace(good.flags, throttled=None)))
    assert not flags.comparable(replace(good, flags=None))


def test_measured_throughput_stands_beside_the_derived() -> None:
    run = Run(run=header(), cells=[on_four_chips(16, 300.0)])
    text = markdown.render(Page([run]), [])
    row = next(line for line in text.splitlines() if line.startswith("| chips bs16 |"))
    assert [part.strip() for part in row.strip("|").split("|")] == [
        "chips bs16", "4", "1", "192.0 ±2.8%", "192.0", "213.3", "90.0%", "48.00 to 48.00", "10.0", "333.3",
    ]  # fmt: skip
    assert "| 900 to 1000 | 40 | 60 | 512 MiB | 0.21 |" in text
    assert "npu-smi 21.0.3.1" in text


def test_scopes_are_never_in_one_table() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 10.0), cell("pytorch", 1, 12.0, scope="end-to-end")])
    assert [table.scope for table in tables([run])] == ["compute", "end-to-end"]
    text = markdown.render(Page([run]), [])
    assert "## Latency (compute)" in text
    assert "## Latency (end-to-end)" in text


def test_simulated_figures_have_a_banner_and_no_ratio_with_measured_ones() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 10.0), cell("double", 1, 1.0, provenance="simulated")])
    text = markdown.render(Page([run]), [])
    assert "**SIMULATED" in text
    assert "double simulated" in text
    assert "/ pytorch" not in text


def test_unequal_precisions_are_named_beside_their_ratio() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 10.0), cell("openvino", 1, 5.0, precision="bf16")])
    text = markdown.render(Page([run]), [])
    assert "compares unequal things" in text
    assert "openvino bf16 / pytorch fp32" in text


def test_executed_precision_that_was_not_asked_for_is_said() -> None:
    run = Run(run=header(), cells=[cell("openvino", 1, 5.0, asked_precision="bf16")])
    assert "bf16 was asked for, fp32 was executed" in markdown.render(Page([run]), [])


def test_unfinished_run_says_so() -> None:
    run = Run(run=header(cells_planned=8), cells=[cell("pytorch", 1, 10.0)])
    assert "1 of 8 cells" in markdown.render(Page([run]), [])


def test_unknown_baseline_names_the_known_ones() -> None:
    with pytest.raises(UnknownBaseline, match="pytorch, onnxruntime, openvino"):
        markdown.render(Page([example()], Request(baseline="tensorrt")), [])


def test_plots_are_written_for_scopes_with_figures_only(tmp_path: Path) -> None:
    written = plots.draw(Page([example()]), tmp_path)
    assert [path.name for path in written] == [
        f"compute-{kind}.png" for kind in ("latency", "fps", "ratio", "distribution", "samples")
    ]
    assert [path.name for path in written] == plots.names(Page([example()]))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert plots.draw(Page([Run(run=header(), cells=example().cells[2:3])]), empty) == []


def test_frame_has_a_row_a_cell_and_numbers_stay_numbers() -> None:
    table = frame([example()])
    assert list(table["status"]) == ["ok", "ok", "wrong", "ok", "ok", "failed"]
    assert table["median_ms"].iloc[0] == pytest.approx(10.0)
    assert table["fps_per_card"].iloc[2] != table["fps_per_card"].iloc[2]  # NaN: a wrong cell has no speed


def test_two_asked_precisions_that_ran_in_one_are_two_columns() -> None:
    asked_bf16 = cell("openvino", 1, 5.0, asked_precision="bf16", id="other")
    run = Run(run=header(), cells=[cell("openvino", 1, 6.0), asked_bf16])
    (table,) = tables([run])
    assert [column.title(table.columns) for column in table.columns] == ["openvino", "openvino (asked bf16)"]
    assert len(table.groups) == 2


def test_baseline_is_the_exact_label_before_the_backend() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 9.0, options={"threads": "1"}), cell("pytorch", 1, 8.0)])
    (table,) = tables([run])
    for name, label in (("pytorch", "pytorch"), ("pytorch:threads=1", "pytorch:threads=1")):
        found = find_baseline(table, name)
        assert found is not None
        assert found.label == label


def shown(run: Run) -> str:
    """What the terminal shows of a run."""
    console = Console(width=200, record=True, quiet=False, file=io.StringIO())
    for table in terminal.tables(Page([run])):
        console.print(table)
    return console.export_text() + "\n".join(terminal.remarks(Page([run])))


def part_of(text: str, title: str) -> str:
    return text.partition(f"## {title}")[2].partition("\n## ")[0]


def with_flags(record: CellRecord, **changes: object) -> CellRecord:
    assert record.flags is not None
    return replace(record, flags=replace(record.flags, **changes))


def test_the_terminal_shows_fps_of_a_card_or_says_of_how_many_chips() -> None:
    whole = on_four_chips(16, 300.0)
    assert whole.throughput is not None
    some = replace(whole, throughput=replace(whole.throughput, chips=2, fps=500.7, fps_per_card=None))
    assert "500.7 (2 chips)" in shown(Run(run=header(), cells=[some]))
    other = replace(whole, throughput=replace(whole.throughput, fps=777.0, fps_per_card=123.4))
    assert "123.4" in shown(Run(run=header(), cells=[other]))
    assert "777" not in shown(Run(run=header(), cells=[other]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", "a b"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x00\x07b", "a b"),
        ("a\u2028b\udc80", "a b"),
        ("±1 %", "±1 %"),
    ],
)
def test_foreign_text_is_one_line_without_control_characters(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("a", "`a`"), ("`a`", "`` `a` ``"), ("a``b", "```a``b```")])
def test_a_code_span_survives_backticks(text: str, expected: str) -> None:
    assert code(text) == expected


def test_names_and_tails_do_not_break_the_page() -> None:
    evil = "x|y\n# Broken\x1b[31m"
    bad = replace(
        failed("pytorch", 2), failure=Failure(phase="load", message=evil, output_tail=["`|\x1b[1m\r# Broken"])
    )
    cells = [cell("pytorch", 1, 10.0, options={"a": evil}), cell("onnxruntime", 1, 8.0, card=evil, device=evil), bad]
    told = replace(header().workload, name=evil, model=evil, notes=[evil], reference=evil)
    text = markdown.render(Page([Run(run=header(workload=told, command=["`", evil]), cells=cells)]), [])
    assert "\n# Broken" not in text
    assert all(sign == "\n" or sign.isprintable() for sign in text)
    assert "- `` `| # Broken ``" in text
    for block in text.split("\n\n"):
        rows = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, block


def test_fps_of_an_optimistic_mean_are_marked_so() -> None:
    good = replace(cell("pytorch", 1, 10.0), fps_low=98.0, fps_high=102.0)
    assert good.latency is not None
    bold = replace(good, latency=replace(good.latency, mean_optimistic=True))
    for record, marked in ((good, False), (bold, True)):
        section = part_of(markdown.render(Page([Run(run=header(), cells=[record])]), []), "FPS per card (compute)")
        assert ("| 1 | 100.0 ±2.0% (optimistic) |" in section) == marked
        assert ("*(optimistic)*:" in section) == marked


def test_default_baseline_is_the_first_column_that_may_be_compared() -> None:
    flagged, good = with_flags(cell("pytorch", 1, 10.0), steady=False), cell("onnxruntime", 1, 8.0)
    for cells, label in (([flagged, good], "onnxruntime"), ([flagged], "pytorch"), ([failed("a", 1)], None)):
        (table,) = tables([Run(run=header(), cells=cells)])
        found = find_baseline(table, None)
        assert (found.label if found else None) == label


def test_readings_of_an_idle_device_are_not_shown_as_if_seen_meanwhile() -> None:
    readings = [DeviceReading(moment=moment, clock_mhz=210.0) for moment in ("before", "after")]
    idle = cell("pytorch", 1, 10.0, telemetry=Telemetry(source="tool", readings=readings))
    section = part_of(markdown.render(Page([Run(run=header(), cells=[idle])]), []), "Telemetry")
    assert "| pytorch bs1 fp32 compute | before/after only |" in section
    assert "210" not in section
    busy = [*readings, DeviceReading(moment="during", clock_mhz=1400.0)]
    seen = cell("pytorch", 1, 10.0, telemetry=Telemetry(source="tool", readings=busy))
    section = part_of(markdown.render(Page([Run(run=header(), cells=[seen])]), []), "Telemetry")
    assert "| 1400 |" in section
    assert "before/after only" not in section


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        (2, 0, "**All 2 measured cells hold up**: steady"),
        (1, 0, "**The one measured cell holds up**: steady"),
        (0, 2, "**None of the 2 measured cells holds up**. Holding up means: steady"),
        (0, 1, "**The one measured cell does not hold up**."),
        (1, 2, "**1 of 3 measured cells holds up**: steady"),
    ],
)
def test_the_headline_fits_the_number_of_cells(good: int, bad: int, words: str) -> None:
    cells = [cell("pytorch", n + 1, 10.0) for n in range(good)]
    cells += [with_flags(cell("onnxruntime", n + 1, 10.0), steady=False) for n in range(bad)]
    section = part_of(markdown.render(Page([Run(run=header(), cells=cells)]), []), "Verdicts")
    assert words in section
    assert ("The figures of flagged cells (⚠) are shown" in section) == bool(bad)


def test_the_headline_claims_nothing_of_throttling_where_it_is_not_known() -> None:
    known = cell("pytorch", 1, 10.0)
    unknown = [with_flags(cell("pytorch", n, 10.0), throttled=None) for n in (2, 4)]
    section = part_of(markdown.render(Page([Run(run=header(), cells=[known, *unknown])]), []), "Verdicts")
    assert "not held back, " not in section
    assert "Whether it was throttled is not known for 2 of them" in section
    assert "for any of these 2." in part_of(markdown.render(Page([Run(run=header(), cells=unknown)]), []), "Verdicts")
    section = part_of(markdown.render(Page([Run(run=header(), cells=[known])]), []), "Verdicts")
    assert "not held back, " in section
    assert "not known" not in section


def test_a_run_older_than_the_verdicts_is_told_once() -> None:
    cells = [replace(cell("pytorch", n, 10.0), flags=None) for n in (1, 2, 4)]
    run = Run(run=header(schema="1.0"), cells=cells)
    text = markdown.render(Page([run]), [])
    assert text.count("older than these checks: none of its cells was") == 1
    assert "hold up" not in text
    assert len(list(terminal.remarks(Page([run])))) == 1
    assert len(list(terminal.remarks(Page([Run(run=header(), cells=[cell("pytorch", 1, 10.0)])])))) == 0


def test_throughput_beside_a_flagged_cell_and_its_own_problems_are_marked() -> None:
    plain = on_four_chips(16, 300.0)
    assert plain.throughput is not None
    flagged = with_flags(plain, steady=False)
    section = part_of(markdown.render(Page([Run(run=header(), cells=[flagged])]), []), "Throughput, measured")
    assert "| 192.0 ±2.8% | 192.0 | 213.3 ⚠ | 90.0% ⚠ |" in section
    assert "⚠ at *derived*" in section
    troubled = replace(plain, throughput=replace(plain.throughput, optimistic=True, flags=["npu:2 was\nthrottled"]))
    run = Run(run=header(), cells=[troubled])
    section = part_of(markdown.render(Page([run]), []), "Throughput, measured")
    assert "| 192.0 ±2.8% (optimistic) ⚠ | 192.0 | 213.3 | 90.0% ⚠ |" in section
    assert "- ⚠ chips bs16 fp32 compute, all at once: npu:2 was throttled." in section
    assert "*(optimistic)*:" in section
    assert "192.0 ⚠" in shown(run)
    assert "all at once: npu:2 was" in shown(run)
    assert "⚠" not in part_of(markdown.render(Page([Run(run=header(), cells=[plain])]), []), "Throughput, measured")


def test_a_busy_machine_is_named_beside_the_headline() -> None:
    def among(cores: float | None, steal: float | None, batch: int) -> CellRecord:
        return cell("a", batch, 9.0, telemetry=Telemetry(activity=Activity(other_cores=cores, steal_share=steal)))

    noisy = Run(run=header(), cells=[among(0.6, 0.08, 1), among(1.3, None, 2), among(0.4, 0.04, 4)])
    section = part_of(markdown.render(Page([noisy]), []), "Verdicts")
    assert "during 2 cells others used more than half a core (up to 1.3)" in section
    assert "during 1 cell the hypervisor took more than 5 % of the time (up to 8%)" in section
    quiet = Run(run=header(), cells=[among(0.4, 0.04, 1), among(None, None, 2)])
    assert "quiet machine:" not in markdown.render(Page([quiet]), [])


def test_the_method_names_the_limits_that_were_in_force() -> None:
    limits = MeasureLimits(max_time_s=3.0, min_time_s=0.5, min_samples=20, half_width=0.02, warmup_calls=3,
                           warmup_min_s=0.1, warmup_max_s=1.5)  # fmt: skip
    text = markdown.render(Page([Run(run=header(limits=limits), cells=[cell("pytorch", 1, 10.0)])]), [])
    assert "at least 3 calls and 0.1 s, but no longer than 1.5 s" in text
    assert "known to ±2 % and steady, with at least 20 samples in 0.5 s, or 3 s have passed" in text
    assert "the median known to ±2 %" in text
    older = part_of(
        markdown.render(Page([Run(run=header(limits=None), cells=[cell("pytorch", 1, 10.0)])]), []), "How this"
    )
    assert "Warm-up first." in older
    assert "samples in" not in older


def test_plus_minus_is_half_the_interval_relative_to_its_middle() -> None:
    assert plus_minus(9.0, 11.0, 10.0) == " ±10.0%"
    assert plus_minus(9.0, 11.0, 10.0, optimistic=True) == " ±10.0% (optimistic)"
    assert plus_minus(None, 11.0, 10.0) == plus_minus(9.0, None, 10.0) == plus_minus(0.0, 0.0, 0.0) == ""


def test_p95_is_in_every_cell() -> None:
    good = cell("pytorch", 1, 10.0)
    assert good.latency is not None
    odd = replace(good, latency=replace(good.latency, p90_ms=11.11, p95_ms=12.12, p99_ms=13.13))
    text = markdown.render(Page([Run(run=header(), cells=[odd])]), [])
    assert "| p90 | p95 | p99 |" in text
    assert "| 11.11 | 12.12 | 13.13 |" in text


def test_pictures_belong_to_their_scope_whatever_stands_before_it() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 10.0), cell("pytorch", 1, 12.0, scope="end-to-end")])
    names = plots.names(Page([run]), "my compute-")
    text = markdown.render(Page([run]), [Path(name) for name in names])
    assert text.count("![") == len(names) == 8
    assert "![end-to-end: fps](my%20compute-end-to-end-fps.png)" in text
