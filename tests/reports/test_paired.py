"""A paired check in words: the table fits a terminal, the sentences say what was found, the page holds everything."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from reports.paired import SideTold, markdown, sentences, table
from reports.records import Git
from reports.regression import Check, Row
from tests.reports.samples import header

SAME = Row("ort bs1 fp32", "unchanged", 0.001, -0.004, 0.006, 0.009, 12, 0.021, 1.1801, 1.1813, test="student")
SLOWER = Row("ort bs4 fp32", "regressed", 0.102, 0.095, 0.109, 0.008, 24, 0.019, 4.0, 4.408, True, "student")
NOISY = Row("ort bs8 fp32", "inconclusive", 0.02, None, None, 0.06, 40, 0.05, 8.0, 8.16, test="signed rank")
LOST = Row("ort bs16 fp32", "not measured", reason="the new side failed twice: in phase 'load', no memory")
WRONG = Row("ort bs16 fp32", "not measured", reason="the outputs of the new side are wrong: NaN", inaccurate=True)


def check(*rows: Row, notes: tuple[str, ...] = ()) -> Check:
    return Check("paired", rows, 0.01, 0.01, 0.03, notes=notes)


def printed(found: Check, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(table(found, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (check(SAME), "Passed: the row is shown to be less than 3.0% slower."),
        (check(SAME, SAME), "Passed: all 2 rows are shown"),
        (
            check(SAME, SLOWER),
            "Regressed: ort bs4 fp32 takes 10.2% longer (at least 9.5%), in each of two measurements.",
        ),
        (check(SAME, NOISY), "Inconclusive: ort bs8 fp32: neither a slow-down of more than 1.0%"),
        (check(SAME, LOST), "Incomplete: 1 of 2 rows could not be measured."),
        (check(SAME, WRONG), "Inaccurate: outputs of the new side are wrong"),
        (check(LOST), "Nothing could be compared."),
    ],
)
def test_the_first_sentence_is_the_answer(found: Check, words: str) -> None:
    assert next(iter(sentences(found))).startswith(words)


def test_the_most_regressed_of_several_rows_is_named() -> None:
    worse = Row("worse", "regressed", 0.3, 0.2, 0.4, 0.01, 24, 0.02, 1.0, 1.3, test="student")
    first = next(iter(sentences(check(SLOWER, worse))))
    assert first == "Regressed: 2 of 2 rows are slower; the most: worse takes 30.0% longer (at least 20.0%)."


def test_what_could_have_been_found_and_what_went_wrong_is_said() -> None:
    again = Row("again", "unchanged", 0.01, 0.0, 0.02, 0.01, 24, 0.03, 1.0, 1.01, True, "student")
    told = " ".join(sentences(check(SAME, again, LOST, notes=("SIMULATED: a double.",))))
    assert "A slow-down of 2.1% to 3.0%, depending on the row, would have been found 95 times in 100." in told
    assert "ort bs16 fp32 was not measured: the new side failed twice: in phase 'load', no memory." in told
    assert "again looked slower at first" in told
    assert "SIMULATED: a double." in told
    assert "A slow-down of 2.1% would have been found" in " ".join(sentences(check(SAME)))


def test_the_table_fits_a_terminal_and_names_what_rows_share_once() -> None:
    text = printed(check(SAME, SLOWER, NOISY, WRONG))
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    assert text.splitlines()[0].rstrip() == "new against base, fp32"
    slower = next(line for line in text.splitlines() if "ort bs4" in line)
    for cell in ("4.408", "+10.2%", "+9.5%..+10.9%", "1.9%", "regressed"):
        assert cell in slower
    wide = next(line for line in printed(check(SAME, SLOWER), width=120).splitlines() if "ort bs4" in line)
    assert wide.split()[-5:] == ["+9.5%..+10.9%", "0.8%", "24", "1.9%", "regressed"]
    assert "inaccurate" in text
    assert printed(check(SAME)).splitlines()[0].rstrip() == "new against base, ort bs1 fp32"


def test_what_a_few_noisy_pairs_leave_open_is_no_long_number() -> None:
    wild = Row("a", "inconclusive", 0.3, -0.99, 4e9, 2.0, 2, 57.0, 1.0, 1.3, test="student")
    assert "| +30.0% | -99.0%..over +1000% | 200.0% | 2 | over 1000% | inconclusive |" in markdown(check(wild), [])
    assert "A slow-down of over 1000% would have been found" in " ".join(sentences(check(wild)))


def test_names_from_outside_break_neither_table_nor_page() -> None:
    odd = Row("a|b [red]\n# c", "inconclusive", 0.0, None, None, 0.5, 2, 0.9, 1.0, 1.0, test="student")
    assert "[red]" in printed(check(odd, SAME))
    page = markdown(check(odd), [])
    assert "| a\\|b [red] # c |" in page


def test_the_page_holds_rows_sides_and_what_differs() -> None:
    base = header(git=Git(commit="a" * 40, dirty=False), packages={"onnxruntime": "1.31.0", "numpy": "2.0.0"})
    new = header(git=Git(commit="b" * 40, dirty=True), packages={"onnxruntime": "1.32.0", "numpy": "2.0.0"})
    page = markdown(check(SAME, SLOWER), [
        SideTold("base", "", "base.jsonl", base), SideTold("new", "python venv/bin/python, A=1", "new.jsonl", new),
    ])  # fmt: skip
    assert page.startswith("<!-- written by bench -->\n# Regression check: regressed\n")
    assert "| ort bs4 fp32 | 4 | 4.408 | +10.2% | +9.5%..+10.9% | 0.8% | 24 | 1.9% | regressed |" in page
    assert "| package onnxruntime | 1.31.0 | 1.32.0 |" in page
    assert "package numpy" not in page
    assert f"| harness | {'a' * 12} | {'b' * 12} with uncommitted changes |" in page
    assert "new: `python venv/bin/python, A=1`; every invocation is in `new.jsonl`" in page
    assert "at most 1% false alarms over all rows" in page
    same = markdown(check(SAME), [SideTold(name, "", "x", base) for name in ("base", "new")])
    assert "Nothing that the run files tell of" in same
