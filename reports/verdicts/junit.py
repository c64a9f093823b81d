"""A check as JUnit XML, as the Jenkins plug-in's junit-10.xsd has it: a test case a row."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from reports.markdown.format import clean
from reports.regression import Check
from reports.verdicts.words import figures, headline, outcome, rule, unique_names

SUITE = "bench check"
#: outcome -> the element that says so; a test case without one has passed
_ELEMENTS = {"failed": "failure", "error": "error", "skipped": "skipped"}


def render(check: Check) -> bytes:
    """The document in UTF-8. A test case's time is the new side's median latency in seconds."""
    outcomes = [outcome(check, row) for row in check.rows]
    counts = Counter(outcomes)
    root = ElementTree.Element("testsuites", name=SUITE)
    suite = ElementTree.SubElement(
        root, "testsuite", name=SUITE, tests=str(len(check.rows)), failures=str(counts["failed"]),
        errors=str(counts["error"]), skipped=str(counts["skipped"]),
    )  # fmt: skip
    properties = ElementTree.SubElement(suite, "properties")
    facts = {"mode": check.mode, "answer": check.answer, "advisory": str(check.advisory).lower(), "rule": rule(check)}
    for name, value in facts.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for row, name, result in zip(check.rows, unique_names(check), outcomes, strict=True):
        seconds = {} if row.new_ms is None else {"time": f"{row.new_ms / 1000:.6f}"}
        case = ElementTree.SubElement(suite, "testcase", {"name": name, "classname": "bench.check", **seconds})
        if result in _ELEMENTS:
            kind = "inaccurate" if row.inaccurate else row.verdict
            element = ElementTree.SubElement(case, _ELEMENTS[result], message=headline(check, row), type=kind)
            element.text = headline(check, row)
        ElementTree.SubElement(case, "system-out").text = "\n".join(figures(check, row))
    if check.notes:
        ElementTree.SubElement(suite, "system-out").text = "\n".join(map(clean, check.notes))
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
