"""Published figures as they stand in their source, and nothing of them measured."""

from __future__ import annotations

import pytest

from reports import published
from reports.contradictions import contradictions, stated_checks
from reports.page import Page, Request
from reports.ratios import Side
from reports.records import CellRecord, Run


@pytest.fixture(scope="module")
def stargan() -> Run:
    return published.load("stargan")


def rates(run: Run, card: str, source: str) -> dict[int, float | None]:
    return {
        cell.identity.batch: cell.fps_per_card
        for cell in run.cells
        if cell.identity.card == card and cell.identity.options["source"] == source
    }


def test_the_table_is_restated_figure_by_figure(stargan: Run) -> None:
    assert rates(stargan, "Atlas 300I", "table") == {1: 189.753, 4: 201.207, 8: 199.913, 16: 200.986}
    assert rates(stargan, "Tesla T4", "table") == {1: 187.135, 4: 203.666, 8: 219.700, 16: 235.980}
    assert rates(stargan, "Atlas 300I", "later revision") == {32: 200.986, 64: 201.307}
    assert rates(stargan, "Tesla T4", "later revision") == {32: 202.280, 64: 195.670}
    assert rates(stargan, "Atlas 300I Pro", "later revision") == {
        1: 757.576, 4: 923.788, 8: 984.010, 16: 1015.911, 32: 991.633, 64: 1040.31,
    }  # fmt: skip
    assert rates(stargan, "Atlas 300I Pro", "later revision, CANN 6.0.RC1") == {
        1: 1025.6, 4: 1280.0, 8: 1281.4, 16: 1244.8,
    }  # fmt: skip


def test_the_log_lines_give_their_fps_to_all_printed_digits(stargan: Run) -> None:
    lines = [cell for cell in stargan.cells if cell.identity.options["source"] == "log lines"]
    assert [
        (cell.identity.card, cell.identity.batch, f"{cell.fps_per_card:.3f}", cell.fps_basis) for cell in lines
    ] == [
        ("Atlas 300I", 1, "190.114", "derived"), ("Atlas 300I", 16, "204.218", "derived"),
        ("Tesla T4", 1, "187.135", "derived"), ("Tesla T4", 16, "235.981", "derived"),
    ]  # fmt: skip
    stated = [cell.stated for cell in lines]
    assert [s.fps_per_card for s in stated if s] == [190.114, 204.218, 187.135, 235.980]
    assert [s.mean_ms for s in stated if s] == [21.04, 313.39, 5.34373, 67.8021]
    t4 = stated[2]
    assert t4 is not None
    assert (t4.min_ms, t4.max_ms, t4.median_ms, t4.percentiles_ms) == (4.5766, 8.12921, 5.32825, {"99": 6.91772})
    sixteen = stated[3]
    assert sixteen is not None
    assert (sixteen.min_ms, sixteen.max_ms, sixteen.median_ms) == (65.5917, 76.011, 67.15)
    assert sixteen.percentiles_ms == {"99": 76.011}
    settings = [cell.origin.settings for cell in lines if cell.origin]
    assert settings == [{}, {}, {"total compute time (s)": "2.93371"}, {"total compute time (s)": "3.1189"}]


def test_every_figure_says_where_it_is_published(stargan: Run) -> None:
    assert stargan.run.workload.notes
    for cell in stargan.cells:
        assert cell.origin is not None
        assert "model zoo" in cell.origin.tool
        assert "README" in cell.origin.tool
        assert cell.origin.source
        assert any("precision" in remark or "fp32" in remark for remark in cell.origin.remarks)


def test_nothing_of_it_looks_measured(stargan: Run) -> None:
    assert stargan.run.host is None
    for cell in stargan.cells:
        assert cell.provenance == "published"
        assert cell.samples is None
        assert cell.latency is None
        assert cell.flags is None
        assert cell.origin is not None
    assert len({cell.id for cell in stargan.cells}) == len(stargan.cells)


def test_each_side_says_its_precision_and_its_clock(stargan: Run) -> None:
    def of(card: str) -> set[tuple[str, str, int]]:
        chosen: list[CellRecord] = [cell for cell in stargan.cells if cell.identity.card == card]
        return {(cell.identity.precision, cell.clock, cell.chips) for cell in chosen}

    assert of("Atlas 300I") == {("fp16", "host", 4)}
    assert of("Tesla T4") == {("fp32", "device-events", 1)}
    assert of("Atlas 300I Pro") == {("fp16", "host", 1)}


def test_printed_ratios_are_held_against_the_figures_they_are_of(stargan: Run) -> None:
    assert [(check.printed, check.recomputed) for check in stated_checks([stargan])] == [
        ("101.4%", "101.4%"), ("98.80%", "98.79%"), ("91.00%", "90.99%"), ("85.17%", "85.17%"),
        ("99.36%", "99.36%"), ("102.8%", "102.9%"),
    ]  # fmt: skip


def test_the_publication_s_own_contradictions_are_found(stargan: Run) -> None:
    found = {(each.card, each.batch): dict(each.figures) for each in contradictions([stargan])}
    assert {source: round(value, 3) for source, value in found["Atlas 300I", 1].items()} == {
        "log lines": 190.114, "table": 189.753,
    }  # fmt: skip
    assert ("Atlas 300I", 16) in found
    assert ("Tesla T4", 1) not in found
    assert ("Tesla T4", 16) not in found, "235.980 is 235.98089 with digits cut off"
    assert ("Atlas 300I Pro", 1) not in found, "another version of CANN is no contradiction"


def test_the_ratio_of_the_cards_is_the_guide_s(stargan: Run) -> None:
    sides = Side("310", frozenset({"Atlas 300I"})), Side("T4", frozenset({"Tesla T4"}))
    page = Page([stargan], Request(ratio=sides))
    (table,) = page.tables
    found = {
        (pair.above.source, batch): f"{ratio.value:.2%}"
        for pair in page.pairs(table)
        for batch in table.batches
        if (ratio := table.ratio(batch, pair.above, pair.below))
    }
    assert found == {
        ("log lines", 1): "101.59%", ("log lines", 16): "86.54%",
        ("table", 1): "101.40%", ("table", 4): "98.79%", ("table", 8): "90.99%", ("table", 16): "85.17%",
        ("later revision", 32): "99.36%", ("later revision", 64): "102.88%",
    }  # fmt: skip


def test_unknown_names_are_refused() -> None:
    assert published.names() == ("stargan",)
    with pytest.raises(KeyError):
        published.load("resnet")
