"""The section of a report that sets the device's clock beside the host's."""

from __future__ import annotations

from reports import markdown
from reports.frame import frame
from reports.page import Page
from reports.records import DeviceTimes, Run
from tests.reports.samples import cell, header


def test_both_clocks_stand_side_by_side_and_only_where_the_device_told() -> None:
    timed = cell("tensorrt", 4, 3.25, device_times=DeviceTimes(times_ns=[2_900_000, 3_000_000, 3_400_000], together=8))
    runs = [Run(run=header(), cells=[timed, cell("onnxruntime", 4, 5.0)])]
    section = markdown.render(Page(runs), []).split("## On the device's own clock")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| tensorrt")]
    assert len(rows) == 1
    assert [column.strip() for column in rows[0].split("|")[2:7]] == ["3.250", "3.000", "3.100", "+0.250", "3"]
    assert "onnxruntime" not in section
    column = frame(runs).set_index("backend")["device_median_ms"]
    assert column["tensorrt"] == 3.0
    assert column.isna()["onnxruntime"]


def test_reports_without_such_times_have_no_such_section() -> None:
    page = Page([Run(run=header(), cells=[cell("onnxruntime", 4, 5.0)])])
    assert "own clock" not in markdown.render(page, [])
