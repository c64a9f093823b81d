"""Reports of several runs: invocations, machines, ratios with their intervals, figures from elsewhere."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reports import markdown
from reports.contradictions import contradictions, stated_checks
from reports.groups import Group
from reports.machines import machines
from reports.page import Page, Request, UnknownBaseline
from reports.ratios import inequalities
from reports.records import Origin, Run, Stated, StatedRatio
from reports.roofline import CardLimits
from reports.statistics import welch_log_ratio
from tests.reports.made import column, elsewhere, foreign, only_table, repeated, section, sides
from tests.reports.samples import cell, failed, header, wrong


def test_invocations_are_one_group_whose_figures_are_geometric_means() -> None:
    group = Group(tuple(repeated("a", 4, [10.0, 11.0, 12.1])))
    assert group.fps is not None
    assert group.median is not None
    assert group.median.value == pytest.approx(11.0)
    assert group.fps.value == pytest.approx(4000 / 11.0)
    # log values differ by log 1.1: sd = log 1.1, t(0.975, 2) = 4.302653, over the root of 3
    reach = math.exp(4.30265273 * math.log(1.1) / math.sqrt(3))
    assert group.median.high == pytest.approx(11.0 * reach, rel=1e-6)
    assert group.median.low == pytest.approx(11.0 / reach, rel=1e-6)


def test_one_invocation_has_the_interval_within_its_process() -> None:
    record = cell("a", 4, 10.0, fps_low=395.0, fps_high=405.0)
    group = Group((record,))
    assert group.fps is not None
    assert (group.fps.low, group.fps.high, group.fps.invocations) == (395.0, 405.0, 1)
    assert group.single is record


def test_one_wrong_invocation_takes_the_speed_from_all_and_a_failed_one_does_not() -> None:
    good = cell("a", 1, 10.0)
    assert Group((good, wrong("a", 1))).fps is None
    assert Group((good, failed("a", 1))).fps is not None
    assert Group((failed("a", 1),)).status == "failed"


def test_flagged_invocations_count_only_where_there_are_no_others() -> None:
    good, slow = cell("a", 1, 10.0), cell("a", 1, 20.0)
    assert slow.flags is not None
    flagged = replace(slow, flags=replace(slow.flags, steady=False))
    both, alone = Group((good, flagged)), Group((flagged,))
    assert both.fps is not None
    assert alone.fps is not None
    assert (both.fps.value, both.flagged, both.against) == (good.fps_per_card, False, [])
    assert (alone.fps.value, alone.flagged, alone.against) == (flagged.fps_per_card, True, ["not steady"])


def test_a_ratio_has_welchs_interval_from_two_invocations_on_and_none_below() -> None:
    above, below = [10.0, 10.2, 9.9, 10.1, 10.0], [20.0, 20.5, 19.8, 20.1, 20.2]
    run = Run(run=header(), cells=repeated("a", 1, above) + repeated("b", 1, below))
    table = only_table([run])
    ratio = table.ratio(1, column(table, "a"), column(table, "b"))
    assert ratio is not None
    expected = welch_log_ratio([1000 / ms for ms in above], [1000 / ms for ms in below])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((expected.estimate, expected.low, expected.high))
    assert ratio.invocations == (5, 5)
    single = Run(run=header(), cells=[cell("a", 1, 10.0), *repeated("b", 1, below)])
    table = only_table([single])
    ratio = table.ratio(1, column(table, "a"), column(table, "b"))
    assert ratio is not None
    assert (ratio.low, ratio.high) == (None, None)


def test_runs_of_one_machine_are_invocations_and_of_another_version_are_not() -> None:
    same = [Run(run=header(id=f"r{n}"), cells=[cell("a", 1, 10.0 + n)]) for n in range(3)]
    table = only_table(same)
    assert [len(group.cells) for group in table.groups.values()] == [3]
    newer = Run(run=header(id="r9", packages={"numpy": "2.1.0"}), cells=[cell("a", 1, 8.0)])
    table = only_table([*same, newer])
    assert [found.title(table.columns) for found in table.columns] == ["a (A)", "a (B)"]
    assert [machine.letter for machine in machines([*same, newer])] == ["A", "B"]
    text = markdown.render(Page([*same, newer]), [])
    environment = section(text, "Environment")
    assert "|  | A | B |" in environment
    assert "| Packages | numpy 2.0.0 | numpy 2.1.0 |" in environment


@given(st.integers(0, 2000))
def test_letters_of_machines_are_all_different(count: int) -> None:
    from reports.machines import _letter

    assert len({_letter(number) for number in range(count % 800)}) == count % 800
    assert (_letter(0), _letter(25), _letter(26), _letter(701), _letter(702)) == ("A", "Z", "AA", "ZZ", "AAA")


def test_the_ratio_that_was_asked_for_has_a_section_with_an_interval_and_what_is_unequal() -> None:
    npu = repeated("acl", 16, [313.0, 312.0, 314.0, 313.5, 313.2], card="Atlas 300I", device="npu:0",
                   precision="fp16", chips=4)  # fmt: skip
    npu = [
        replace(record, fps_per_card=4 * 16 * 1000 / (record.latency.mean_ms if record.latency else 1))
        for record in npu
    ]
    gpu = repeated("tensorrt", 16, [68.0, 67.8, 67.9, 68.1, 67.7], card="Tesla T4", device="cuda:0")
    runs = [
        Run(run=header(id="npu"), cells=npu),
        Run(run=header(id="gpu", host=replace(header().host, name="other")), cells=gpu),  # type: ignore[type-var]
    ]
    text = markdown.render(Page(runs, Request(ratio=sides("Atlas 300I", "Tesla T4"))), [])
    found = section(text, "Atlas 300I / Tesla T4 (compute)")
    assert "Atlas 300I: acl, fp16, clock: host, derived from 1 of 4 chips, (A)" in found
    assert "Tesla T4: tensorrt, fp32, clock: host, derived, (B)" in found
    assert " to " in next(line for line in found.splitlines() if line.startswith("| 16 |"))
    assert "compares unequal things" in found
    assert "those of one chip times 4" in found
    assert "Welch" in found


def test_a_ratio_without_invocations_says_why_it_has_no_interval() -> None:
    run = foreign([elsewhere("Atlas 300I", 1, 190.114, tool="msame"), elsewhere("Tesla T4", 1, 187.135)])
    found = section(
        markdown.render(Page([run], Request(ratio=sides("Atlas 300I", "Tesla T4"))), []), "Atlas 300I / Tesla T4"
    )
    assert "| 101.6% |" in found
    assert "The ratios have no interval" in found
    assert "Nothing here shows that the outputs of Atlas 300I (msame) and Tesla T4 (trtexec) were right." in found


def test_precision_that_a_log_does_not_tell_is_said_to_be_unknown() -> None:
    told = elsewhere("Tesla T4", 1, 187.0)
    unknown = elsewhere("Atlas 300I", 1, 190.0, tool="msame", precision="unknown")
    table = only_table([foreign([told, unknown])])
    page = Page([foreign([told, unknown])], Request(ratio=sides("Atlas 300I", "Tesla T4")))
    (pair,) = page.pairs(table)
    assert "not known in which precision Atlas 300I (msame)" in " ".join(inequalities(table, pair))


def test_device_events_against_the_hosts_clock_are_named() -> None:
    a, b = cell("a", 1, 10.0), cell("b", 1, 11.0, clock="device-events")
    table = only_table([Run(run=header(), cells=[a, b])])
    (pair,) = Page([Run(run=header(), cells=[a, b])]).pairs(table)
    assert "The clocks differ" in " ".join(inequalities(table, pair))


def test_equal_sides_have_nothing_to_tell() -> None:
    run = Run(run=header(), cells=[cell("a", 1, 10.0), cell("b", 1, 11.0)])
    (pair,) = Page([run]).pairs(only_table([run]))
    assert inequalities(only_table([run]), pair) == []


def test_published_figures_meet_only_those_of_their_own_part() -> None:
    cells = [
        elsewhere(card, 1, fps, "published", tool=tool, options={"source": source}, precision="fp32")
        for card, tool, figures in (
            ("Atlas 300I", "msame", (190.114, 189.753)),
            ("Tesla T4", "trtexec", (187.135, 187.135)),
        )
        for source, fps in zip(("log lines", "table"), figures, strict=True)
    ]
    ratios = [
        StatedRatio(above="Atlas 300I", below="Tesla T4", batch=1, printed=printed, source=source)
        for printed, source in (("101.4%", "table"), ("101.7%", "log lines"))
    ]
    run = foreign(cells, stated_ratios=ratios)
    page = Page([run], Request(ratio=sides("Atlas 300I", "Tesla T4")))
    (table,) = page.tables
    assert [(pair.above.source, pair.below.source) for pair in page.pairs(table)] == [
        ("log lines", "log lines"), ("table", "table"),
    ]  # fmt: skip
    assert [(check.printed, check.recomputed, check.agrees) for check in stated_checks([run])] == [
        ("101.4%", "101.4%", True), ("101.7%", "101.6%", False),
    ]  # fmt: skip
    (found,) = contradictions([run])
    assert (found.card, found.batch, dict(found.figures)) == (
        "Atlas 300I", 1, {"log lines": 190.114, "table": 189.753},
    )  # fmt: skip
    closely = section(markdown.render(page, []), "Published figures")
    assert "190.114 (log lines), 189.753 (table)" in closely
    assert "**no**" in closely


def test_figures_from_elsewhere_are_told_as_stated_with_their_source() -> None:
    record = elsewhere(
        "Tesla T4", 1, 187.135, clock="device-events",
        stated=Stated(mean_ms=5.34373, median_ms=5.32825, min_ms=4.5766, max_ms=8.12921,
                      percentiles_ms={"99": 6.91772}),
        origin=Origin(tool="trtexec", version="7.2", source="t4.log", command="trtexec --onnx=a|b.onnx",
                      settings={"streams": "1"}, remarks=["the clock is the device's"]),
    )  # fmt: skip
    text = markdown.render(Page([foreign([record])]), [])
    told = section(text, "Figures from elsewhere")
    assert "| 5.34373 | 5.32825 | 4.5766 | 8.12921 | 6.91772 |" in told
    assert "trtexec 7.2; batch size 1 in `t4.log`; command `trtexec --onnx=a|b.onnx`; streams: 1." in told
    assert "Remarks: the clock is the device's." in told
    assert "1 figure is imported" in section(text, "Verdicts").lower()
    assert "## Environment" not in text
    assert "## How this was measured" not in text
    assert "| 1 | 5.328, p99 6.918 |" in section(text, "Latency")


def test_share_of_the_limit_of_the_card_and_a_figure_beyond_it() -> None:
    told = replace(header().workload, flop_per_image=20e9)
    limits = {"Tesla T4": CardLimits(peak_flops={"fp32": 8e12}, bandwidth=None, sources=("data sheet",))}
    cells = [elsewhere("Tesla T4", 1, 200.0), elsewhere("Tesla T4", 4, 500.0)]
    found = section(
        markdown.render(Page([foreign(cells, workload=told)], Request(limits=limits)), []), "Share of the limit"
    )
    assert "| 1 | 50.0% |" in found
    assert "| 4 | 125.0% ⚠ |" in found
    assert "measuring error" in found
    unknown = markdown.render(Page([foreign(cells)], Request(limits=limits)), [])
    assert "Share of the limit" not in unknown


def test_unknown_sides_and_baselines_are_refused_with_what_there_is() -> None:
    run = Run(run=header(), cells=[cell("a", 1, 10.0)])
    with pytest.raises(UnknownBaseline, match="nothing here is 'T4'; the runs hold Some CPU, a"):
        markdown.render(Page([run], Request(ratio=sides("a", "T4"))), [])


def test_very_many_cells_are_not_listed_one_by_one() -> None:
    base = cell("a", 1, 10.0)
    runs = [Run(run=header(id=f"r{n}", cells_planned=1), cells=[replace(base, started=f"{n}")]) for n in range(300)]
    text = markdown.render(Page(runs), [])
    assert "300 cells are too many to be listed here" in section(text, "Every cell")
    assert "×300" in section(text, "Latency")
    assert len(text.splitlines()) < 200


def test_several_workloads_have_tables_and_plots_of_their_own() -> None:
    other = replace(header().workload, name="resnet")
    identity = replace(cell("a", 1, 10.0).identity, workload="resnet")
    runs = [
        Run(run=header(id="one"), cells=[cell("a", 1, 10.0)]),
        Run(run=header(id="two", workload=other), cells=[replace(cell("a", 1, 5.0), identity=identity)]),
    ]
    page = Page(runs)
    text = markdown.render(page, [Path("stargan-compute-fps.png"), Path("resnet-compute-fps.png")])
    assert "## FPS per card (stargan, compute)" in text
    assert "## FPS per card (resnet, compute)" in text
    first, second = text.index("stargan-compute-fps.png"), text.index("resnet-compute-fps.png")
    assert first < text.index("## Latency (resnet, compute)") < second
