"""Reports as HTML: one file, whole, and deaf to what foreign names in it would like to do."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reports import html, markdown
from reports.markdown import table_lines
from reports.page import Page
from tests.reports.samples import example

GOLDEN = Path(__file__).parent / "golden" / "report.md"
EXAMPLE = Path(__file__).parents[2] / "reports" / "examples" / "cpu"

_VOID = {"meta", "img", "br", "hr"}
_EXPECTED = _VOID | {
    "html", "head", "title", "style", "body", "h1", "h2", "h3", "p", "ul", "ol", "li", "blockquote", "strong", "em",
    "code", "pre", "div", "span", "a", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


class Reader(HTMLParser):
    """What a page holds; fails on a tag that is not closed, closed twice, or unexpected."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _EXPECTED, f"<{tag}> in a report"
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if self.rows and ("td" in self.open or "th" in self.open):
            self.rows[-1][-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(text: str) -> Reader:
    """The page as a browser's parser meets it; checks what holds for every page."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open, f"{reader.open} left open"
    for tag, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "srcset", "data", "poster", "background", "action"):
            assert (attributes.get(name) or "data:image/").startswith("data:image/"), attributes
        if tag == "a":
            address = (attributes["href"] or "").lower()
            assert address.startswith(("http://", "https://", "mailto:")) or ":" not in address, address
        else:
            assert "href" not in attributes
    assert "url(" not in text.partition("</style>")[0]
    assert "@import" not in text
    return reader


def test_a_real_report_keeps_every_cell_of_its_tables() -> None:
    text = GOLDEN.read_text(encoding="utf-8")
    reader = read(html.page(text, GOLDEN.parent, "stargan: report"))
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|:")]
    assert len(reader.rows) == len(rows)
    assert ["geometric mean", "", "", "", "125.0% (bs 1)", "-"] in reader.rows
    assert len(reader.of("h1")) == 1
    assert len(reader.of("h2")) == text.count("\n## ")
    assert reader.text.strip().startswith("stargan: report")
    assert "0.10 cores, 0.2% stolen" in reader.text


def test_the_bundled_example_has_its_pictures_inside() -> None:
    text = (EXAMPLE / "report.md").read_text(encoding="utf-8")
    names = re.findall(r"^!\[.*\]\((\S+\.png)\)$", text, re.MULTILINE)
    assert sorted(names) == sorted(path.name for path in EXAMPLE.glob("*.png"))
    reader = read(html.page(text, EXAMPLE, "example"))
    found = [base64.b64decode((picture["src"] or "").partition("base64,")[2]) for picture in reader.of("img")]
    assert found == [(EXAMPLE / name).read_bytes() for name in names]
    assert reader.of("img")[0]["alt"] == "compute: latency"


def test_the_page_begins_with_the_mark_of_its_markdown() -> None:
    text = markdown.render(Page([example()]), [])
    assert html.page(text, Path(), "t").splitlines()[:2] == [markdown.MARK, "<!DOCTYPE html>"]
    page = html.page("# Nothing", Path(), "t")
    assert page.startswith("<!DOCTYPE html>")
    assert not read(page).comments


@pytest.mark.parametrize(
    "comment", ["<!--> <script>alert(1)</script> -->", "<!-- a --!><script>x</script> -->", "<!---><b>x</b>-->"]
)
def test_a_comment_that_is_no_mark_is_dropped(comment: str) -> None:
    reader = read(html.page(f"{comment}\n# Title", Path(), "t"))
    assert not reader.comments
    assert "script" not in reader.text


@pytest.mark.parametrize(
    "foreign",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</style><script>alert(1)</script>",
        "<!-- hidden -->",
        "&lt;b&gt; & <b>",
    ],
)
def test_markup_in_foreign_text_stays_text(foreign: str) -> None:
    text = f"# {foreign}\n\n- {foreign}\n\n{table_lines(('Cell', foreign), [(foreign, '1')])}\n\n`{foreign}`\n"
    reader = read(html.page(text, Path(), f"title {foreign}"))
    assert not reader.of("img")
    assert not reader.comments
    assert f"title {foreign}" in reader.text
    if "&lt;" not in foreign:  # markdown reads entities as browsers do
        assert reader.text.count(foreign) == 6
        assert reader.rows == [["Cell", foreign], [foreign, "1"]]


@given(st.lists(st.text(max_size=20), min_size=2, max_size=2))
def test_any_text_in_a_table_gives_a_sound_page(cells: list[str]) -> None:
    reader = read(html.page(table_lines(("a", "b"), [cells]), Path(), cells[0]))
    assert [len(row) for row in reader.rows] == [2, 2]


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "vbscript:x", "data:text/html,x", "file:///etc/passwd"]
)
def test_links_that_would_run_or_open_something_are_no_links(address: str) -> None:
    reader = read(html.page(f"[look]({address}) ![look]({address}) <{address}>", Path(), "t"))
    assert not reader.of("a")
    assert not reader.of("img")


def test_plain_links_stay_links() -> None:
    reader = read(html.page("[paper](https://arxiv.org/abs/1711.09020) [csv](cells.csv)", Path(), "t"))
    assert [link["href"] for link in reader.of("a")] == ["https://arxiv.org/abs/1711.09020", "cells.csv"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A report's folder, with a picture in it and one outside."""
    inside = tmp_path / "report"
    inside.mkdir()
    Image.new("RGB", (4, 4), "red").save(inside / "a plot.png")
    Image.new("RGB", (4, 4), "blue").save(tmp_path / "secret.png")
    (inside / "run.jsonl").write_text("{}", encoding="utf-8")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    return inside


def test_a_picture_in_the_folder_becomes_part_of_the_page(folder: Path) -> None:
    reader = read(html.page("![a red square](a%20plot.png)", folder, "t"))
    (picture,) = reader.of("img")
    kind, _, data = (picture["src"] or "").partition(";base64,")
    assert kind == "data:image/png"
    assert base64.b64decode(data) == (folder / "a plot.png").read_bytes()


@pytest.mark.parametrize(
    "address",
    ["missing.png", "../secret.png", "%2e%2e/secret.png", "link.png", "run.jsonl", "https://example.org/a%20plot.png",
     "//example.org/x.png", ".", "a%00.png", "http://[/x.png"],
)  # fmt: skip
def test_any_other_picture_leaves_its_description(folder: Path, address: str) -> None:
    reader = read(html.page(f"![what it <shows>]({address})", folder, "t"))
    assert not reader.of("img")
    assert "what it <shows>" in reader.text


def test_columns_keep_their_alignment_and_tables_scroll() -> None:
    text = html.page(table_lines(("Cell", "ms"), [("a", "1")]), Path(), "t", language="zh")
    reader = read(text)
    assert [cell["class"] for cell in (*reader.of("th"), *reader.of("td"))] == ["left", "right"] * 2
    assert {"class": "table", "tabindex": "0"} in reader.of("div")
    assert reader.of("html") == [{"lang": "zh"}]
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
