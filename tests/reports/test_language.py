"""Reports whose headings, headers and labels are in Chinese."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reports import language, markdown
from reports.markdown import table_lines
from reports.page import Page, Request
from reports.ratios import Side
from reports.records import CellRecord, DeviceTimes, Origin, ResumeRecord, Run, Stated, StatedRatio
from reports.roofline import CardLimits
from tests.reports.samples import cell, example, header, on_four_chips, with_pictures

GOLDEN = Path(__file__).parent / "golden" / "report.md"
EXAMPLE = Path(__file__).parents[2] / "reports" / "examples" / "cpu" / "report.md"
REPORTS = [pytest.param(path.read_text(encoding="utf-8"), id=path.parent.name) for path in (GOLDEN, EXAMPLE)]

#: The report of `accuracy` on two folders is another one.
OF_TWO_FOLDERS = {
    "Accuracy of translated pictures", "Who against whom", "Over all images", "The worst image", "Thresholds",
    "How this was obtained",
}  # fmt: skip


def published(card: str, fps: float, source: str) -> CellRecord:
    values: dict[str, Any] = {
        "card": card, "provenance": "published", "fps_per_card": fps, "options": {"source": source}, "flags": None,
        "samples": None, "latency": None, "accuracy": [], "telemetry": None,
        "origin": Origin(tool="trtexec", source="guide.md"), "stated": Stated(mean_ms=1000 / fps, fps_per_card=fps),
    }  # fmt: skip
    return cell("trtexec", 1, 1.0, **values)


def complete() -> str:
    """A report with every section that there is."""
    cards = ("Atlas 300I", "Tesla T4")
    figures = [published(card, fps, source) for card in cards for source, fps in (("log", 190.1), ("table", 189.7))]
    stated = [StatedRatio(above=cards[0], below=cards[1], batch=1, printed="101.4%", source="table")]
    told = replace(header().workload, flop_per_image=19.92e9)
    elsewhere = Run(run=header(host=None, id="guide", stated_ratios=stated, workload=told), cells=figures)
    resumed = [ResumeRecord(at="2026-11-22T13:00:00+00:00")]
    events = replace(on_four_chips(4, 80.0), device_times=DeviceTimes(times_ns=[79_000_000] * 7, together=8))
    chips = Run(run=header(id="chips"), cells=[on_four_chips(1, 21.0), events], resumed=resumed)
    runs = [example(), with_pictures(), chips, elsewhere]
    request = Request(
        ratio=(Side("310", frozenset({cards[0]})), Side("T4", frozenset({cards[1]}))),
        limits={"Tesla T4": CardLimits({"fp32": 8.1e12})},
    )
    return markdown.render(Page(runs, request), [Path("compute-latency.png"), Path("pictures.png")])


def test_every_section_has_its_words_in_chinese() -> None:
    text = complete()
    sections = {title.partition(" (")[0] for title in re.findall("^## (.*)", text, re.MULTILINE)}
    missing = set(language.HEADINGS) - sections - OF_TWO_FOLDERS
    assert not missing, "this report is meant to have all sections"
    assert language.unknown(text) == []
    translated = language.translate(text, "zh")
    for heading in re.findall("^#+ (.*)", translated, re.MULTILINE):
        assert re.search("[一-鿿]", heading), heading
    assert "## 性能对比 310 / T4 (compute)" in translated
    assert "| Batch Size | Atlas 300I: trtexec" in translated
    assert "| 续测时间 |" in translated


@pytest.mark.parametrize("text", REPORTS)
def test_real_reports_lack_no_word(text: str) -> None:
    assert language.unknown(text) == []
    translated = language.translate(text, "zh")
    for line in ("# stargan：时延与单卡吞吐率", "## 时延 (compute)", "## 单卡吞吐率 (compute)", "## 精度对比"):
        assert line in translated.splitlines()
    assert "| Batch Size | pytorch | onnxruntime | openvino |" in translated
    assert "| 测试项 | 实际精度 | 输出 | 结论 | max abs |" in translated
    assert "| 主机 |" in translated


@pytest.mark.parametrize("text", REPORTS)
def test_only_headings_headers_and_labels_change(text: str) -> None:
    before, after = text.split("\n"), language.translate(text, "zh").split("\n")
    environment = text.partition("## Environment\n")[2].partition("\n## ")[0].split("\n")
    changed = 0
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            continue
        changed += 1
        following = before[index + 1] if index + 1 < len(before) else ""
        if old in environment:
            assert old.split("|", 2)[2] == new.split("|", 2)[2], "values of the environment stay"
        else:
            assert old.startswith("#") or following.startswith("|:--|"), old
    assert changed > 15
    assert re.findall("`[^`]*`", "\n".join(after)) == re.findall("`[^`]*`", text)


def test_english_is_the_report_itself() -> None:
    text = GOLDEN.read_text(encoding="utf-8")
    assert language.translate(text, "en") is text
    with pytest.raises(ValueError, match="no language 'fr'; there are en, zh"):
        language.translate(text, "fr")


def test_missing_words_are_told_once_and_in_order() -> None:
    text = "\n".join(
        [
            "# Novelties", "## Environment", "", table_lines(("", "A"), [("Host", "x"), ("Moon", "full")]), "",
            "## Latency (my model, compute)", "", table_lines(("Batch size", "Moonlight", "Ratio"), [("1", "2", "3")]),
            "## Novelties", "", table_lines(("Cell", "Colour", "Mean"), [("Mean", "Colour", "Verdicts")]),
        ]
    )  # fmt: skip
    assert language.unknown(text) == ["Novelties", "Moon", "Colour"]
    translated = language.translate(text, "zh")
    assert "| Moon | full |" in translated
    assert "## 时延 (my model, compute)" in translated
    assert "| Batch Size | Moonlight | 性能比 |" in translated
    assert "| 测试项 | Colour | 平均值 |\n" in translated
    assert "| Mean | Colour | Verdicts |" in translated, "a figure is not a header"


def test_code_names_and_escaped_bars_stay() -> None:
    kept = "\n".join(
        [
            "## `Latency`", "```", "## Latency", "| Cell |", "|:--|", "```", "", "Latency (compute)",
            table_lines(("`Cell`", "a | Mean"), [("Host", "Mean")]), "  ## Latency", "##Latency",
        ]
    )  # fmt: skip
    assert language.translate(kept, "zh") == kept
    named_like_a_header = table_lines(("Batch size", "Mean", "Best"), [("1", "2", "3")])
    assert language.translate(named_like_a_header, "zh").splitlines()[0] == "| Batch Size | Mean | Best |"


@given(st.text(st.sampled_from("#|:- `\\~ab\n") | st.characters(codec="utf-8"), max_size=80))
def test_any_text_keeps_its_lines_and_is_translated_but_once(text: str) -> None:
    translated = language.translate(text, "zh")
    assert translated.count("\n") == text.count("\n")
    assert isinstance(language.unknown(text), list)


def test_dictionary_has_no_word_that_stays_english_by_oversight() -> None:
    stay = {"max abs", "mean abs", "PSNR (dB)", "cosine", "SSIM", "p90", "p95", "p99", "CPU", "Python", "Batch size"}
    every = {**language.HEADINGS, **language.HEADERS, **language.LABELS}
    for words, chinese in every.items():
        assert words in stay or re.search("[一-鿿]", chinese), words
