"""The report and the plots of a made-up run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from reports import flags, markdown, plots
from reports.records import Run
from reports.table import by_scope, find_baseline, frame
from tests.reports.samples import cell, example, header, on_four_chips

GOLDEN = Path(__file__).parent / "golden" / "report.md"


def test_report_is_the_golden_one() -> None:
    """Set BENCH_UPDATE_GOLDEN=1 to write the golden file anew, then read its diff."""
    text = markdown.render(example(), [Path("compute-latency.png"), Path("compute-fps.png")])
    if os.environ.get("BENCH_UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_every_table_row_has_as_many_cells_as_its_header() -> None:
    text = markdown.render(example(), [])
    for block in text.split("\n\n"):
        rows = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, block


def test_wrong_and_failed_cells_have_no_fps_and_no_ratio() -> None:
    (table,) = by_scope(example())
    openvino = next(column for column in table.columns if column.label == "openvino")
    baseline = find_baseline(table, None)
    assert baseline is not None
    assert baseline.label == "pytorch"
    for batch in (1, 4):
        assert table.fps(batch, openvino) is None
        assert table.ratio(batch, openvino, baseline) is None


def test_ratios_and_their_geometric_mean() -> None:
    (table,) = by_scope(example(), include_flagged=True)
    baseline = find_baseline(table, "pytorch")
    other = find_baseline(table, "onnxruntime")
    assert baseline is not None
    assert other is not None
    assert table.ratio(1, other, baseline) == pytest.approx(1.25)
    assert table.ratio(4, other, baseline) == pytest.approx(2.0)
    assert table.mean_ratio(other, baseline) == pytest.approx((1.25 * 2.0) ** 0.5)


def test_a_flagged_cell_is_shown_in_words_and_enters_no_ratio() -> None:
    """onnxruntime at batch 4 has four samples: neither steady nor known to 1 %."""
    (table,) = by_scope(example())
    baseline, other = find_baseline(table, "pytorch"), find_baseline(table, "onnxruntime")
    assert baseline is not None
    assert other is not None
    assert table.fps(4, other) == pytest.approx(200.0)
    assert table.ratio(4, other, baseline) is None
    assert table.ratio(4, baseline, other) is None, "nor is it a baseline"
    assert table.mean_ratio(other, baseline) == pytest.approx(1.25)
    text = markdown.render(example(), [])
    assert "**3 of 4 measured cells hold up**" in text
    assert "onnxruntime bs4 fp32 compute: not proven steady: too few samples to tell; the median is known" in text
    assert "steadiness unknown, not converged" in text
    assert "`--include-flagged` shows it all the same" in text
    insisted = markdown.render(example(), [], include_flagged=True)
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
    text = markdown.render(run, [])
    row = next(line for line in text.splitlines() if line.startswith("| chips bs16 |"))
    assert [part.strip() for part in row.strip("|").split("|")] == [
        "chips bs16", "4", "1", "192 ±2.8%", "192", "213.3", "90.0%", "48 to 48", "10.0", "333.3",
    ]  # fmt: skip
    assert "| 900 to 1000 | 40 | 60 | 512 MiB | 0.21 |" in text
    assert "npu-smi 21.0.3.1" in text


def test_scopes_are_never_in_one_table() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 10.0), cell("pytorch", 1, 12.0, scope="end-to-end")])
    assert [table.scope for table in by_scope(run)] == ["compute", "end-to-end"]
    text = markdown.render(run, [])
    assert "## Latency (compute)" in text
    assert "## Latency (end-to-end)" in text


def test_simulated_figures_have_a_banner_and_no_ratio_with_measured_ones() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 10.0), cell("double", 1, 1.0, provenance="simulated")])
    text = markdown.render(run, [])
    assert "**SIMULATED" in text
    assert "double simulated" in text
    assert "/ pytorch" not in text


def test_unequal_precisions_are_named_beside_their_ratio() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 10.0), cell("openvino", 1, 5.0, precision="bf16")])
    text = markdown.render(run, [])
    assert "compares unequal things" in text
    assert "openvino bf16 / pytorch fp32" in text


def test_executed_precision_that_was_not_asked_for_is_said() -> None:
    run = Run(run=header(), cells=[cell("openvino", 1, 5.0, asked_precision="bf16")])
    assert "bf16 was asked for, fp32 was executed" in markdown.render(run, [])


def test_unfinished_run_says_so() -> None:
    run = Run(run=header(cells_planned=8), cells=[cell("pytorch", 1, 10.0)])
    assert "1 of 8 cells" in markdown.render(run, [])


def test_unknown_baseline_names_the_known_ones() -> None:
    with pytest.raises(markdown.UnknownBaseline, match="pytorch, onnxruntime, openvino"):
        markdown.render(example(), [], baseline="tensorrt")


def test_plots_are_written_for_scopes_with_figures_only(tmp_path: Path) -> None:
    written = plots.draw(example(), tmp_path)
    assert [path.name for path in written] == ["compute-latency.png", "compute-fps.png", "compute-samples.png"]
    assert [path.name for path in written] == plots.names(example())
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert plots.draw(Run(run=header(), cells=example().cells[2:3]), empty) == []


def test_frame_has_a_row_a_cell_and_numbers_stay_numbers() -> None:
    table = frame(example())
    assert list(table["status"]) == ["ok", "ok", "wrong", "ok", "ok", "failed"]
    assert table["median_ms"].iloc[0] == pytest.approx(10.0)
    assert table["fps_per_card"].iloc[2] != table["fps_per_card"].iloc[2]  # NaN: a wrong cell has no speed


def test_two_asked_precisions_that_ran_in_one_are_two_columns() -> None:
    asked_bf16 = cell("openvino", 1, 5.0, asked_precision="bf16", id="other")
    run = Run(run=header(), cells=[cell("openvino", 1, 6.0), asked_bf16])
    (table,) = by_scope(run)
    assert [column.title(table.columns) for column in table.columns] == ["openvino", "openvino (asked bf16)"]
    assert len(table.cells) == 2


def test_baseline_is_the_exact_label_before_the_backend() -> None:
    run = Run(run=header(), cells=[cell("pytorch", 1, 9.0, options={"threads": "1"}), cell("pytorch", 1, 8.0)])
    (table,) = by_scope(run)
    for name, label in (("pytorch", "pytorch"), ("pytorch:threads=1", "pytorch:threads=1")):
        found = find_baseline(table, name)
        assert found is not None
        assert found.label == label
