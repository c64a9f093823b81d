"""What makes two cells invocations of one another: nothing less than the same machine, versions, model and inputs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reports import markdown
from reports.frame import frame
from reports.logs import each_once
from reports.machines import machines
from reports.page import Page
from reports.ratios import inequalities
from reports.records import CellRecord, Conditions, Origin, Run, Telemetry
from tests.reports.made import elsewhere, foreign, on, only_table, run, section, titles
from tests.reports.samples import cell, header


def state(**changes: Any) -> Conditions:
    found = header().conditions
    assert found is not None
    return replace(found, **changes)


def counts(runs: list[Run]) -> list[int]:
    """How many invocations each group has."""
    return [len(group.cells) for group in only_table(runs).groups.values()]


def measured(name: str, ms: float = 10.0, own: dict[str, Any] | None = None, **head: Any) -> Run:
    return run(name, [cell("acl", 1, ms, **(own or {}))], **head)


def test_runs_under_the_same_conditions_are_invocations_whatever_their_load_and_time() -> None:
    later = state(load_1m=3.0, frequency_mhz=1800.0, busy_processes=[])
    runs = [measured("a"), measured("b", conditions=later, started="2027-01-01T00:00:00+00:00")]
    assert counts(runs) == [2]
    assert [machine.letter for machine in machines(runs)] == [""]
    method = section(markdown.render(Page(runs), []), "How this was measured")
    assert "count as invocations of one another where the machine" in method


@pytest.mark.parametrize(
    "changes",
    [
        {"host": on("other")},
        {"host": on("lab", cpu="Another CPU")},
        {"host": on("lab", logical_cpus=2)},
        {"host": on("lab", memory_bytes=64 * 2**30)},
        {"host": on("lab", python="3.12.1")},
        {"conditions": state(cpu_limit=2.0)},
        {"conditions": state(governor="performance")},
        {"conditions": state(thread_settings={"OMP_NUM_THREADS": "1"})},
        {"packages": {"numpy": "2.1.0"}},
        {"workload": replace(header().workload, model_sha256="c" * 64)},
        {"workload": replace(header().workload, inputs_sha256="c" * 64)},
        {"own": {"session": {"threads": "4"}}},
        {"own": {"telemetry": Telemetry(driver="24.1")}},
        {"own": {"chips": 2}},
    ],
    ids=lambda changes: ".".join([*changes, *changes.get("own", ())]),
)
def test_any_other_condition_makes_another_column(changes: dict[str, Any]) -> None:
    first = measured("a", own={"telemetry": Telemetry(driver="23.0")})
    changes = {"own": {}} | changes
    runs = [first, measured("b", **(changes | {"own": {"telemetry": Telemetry(driver="23.0")} | changes["own"]}))]
    assert counts(runs) == [1, 1]
    assert titles(runs) == ["acl (A)", "acl (B)"]


def test_what_only_one_run_tells_contradicts_nothing() -> None:
    silent = measured("a", own={"telemetry": None, "session": {}})
    talking = run("b", [cell("acl", 1, 10.0, telemetry=Telemetry(driver="23.0")), cell("pytorch", 1, 9.0)])
    assert counts([silent, talking]) == [2, 1]
    assert counts([talking, silent, measured("c", own={"telemetry": Telemetry(driver="24.0")})]) == [2, 1, 1]


def test_what_changes_from_process_to_process_is_no_condition() -> None:
    def with_addresses(name: str, *addresses: str) -> Run:
        return run(name, [cell("acl", 1, 10.0, invocation=n, session={"at": at}) for n, at in enumerate(addresses)])

    assert counts([with_addresses("a", "0x1", "0x2"), with_addresses("b", "0x3", "0x4")]) == [4]
    assert counts([with_addresses("a", "0x1"), with_addresses("b", "0x2")]) == [1, 1]


def of_workload(name: str, workload: str, inputs: str = "b") -> Run:
    record = cell("acl", 1, 10.0)
    told = replace(header().workload, name=workload, inputs_sha256=inputs * 64, model=f"model of {workload}")
    who = replace(record.identity, workload=workload, inputs_sha256=inputs * 64)
    return run(name, [replace(record, identity=who, session={"nodes": workload})], workload=told)


def test_workloads_share_their_machine() -> None:
    text = markdown.render(Page([of_workload("a", "stargan"), of_workload("b", "resnet")]), [])
    environment = section(text, "Environment")
    assert "|  |  |\n" in environment, "one set of conditions"
    assert "| Model | stargan, SHA-256 aaaaaaaaaaaa…; resnet, SHA-256 aaaaaaaaaaaa… |" in environment
    assert "- Model (stargan): model of stargan\n- Model (resnet): model of resnet" in text
    assert "- resnet: acl bs1 fp32" not in text
    assert "| resnet: acl bs1 fp32 compute |" in section(text, "Every cell")


def test_other_inputs_or_another_model_are_told_where_they_matter() -> None:
    other = replace(header().workload, model_sha256="c" * 64, model="another model")
    fed = replace(header().workload, inputs_sha256="d" * 64)
    runs = [
        measured("a"),
        run("b", [_of(cell("acl", 1, 9.0), model_sha256="c" * 64)], workload=other),
        run("c", [_of(cell("acl", 1, 8.0), inputs_sha256="d" * 64)], workload=fed),
    ]
    page = Page(runs)
    text = markdown.render(page, [])
    assert "- Model (A, C): a model\n- Model (B): another model" in text
    differing, shared = section(text, "Environment").split("What they share:")
    assert (
        "| Inputs | stargan, SHA-256 bbbbbbbbbbbb… | stargan, SHA-256 bbbbbbbbbbbb… | stargan, SHA-256 dddd"
        in differing
    )
    assert "| Host |" in shared
    assert "| Host |" not in differing
    first, second = page.pairs(page.tables[0])
    assert inequalities(page.tables[0], first) == [
        "The two sides were measured under different conditions: B and A under Environment tell what differs.",
        "The two sides ran different model files: other weights, or another export.",
    ]
    assert "The two sides were fed different inputs." in inequalities(page.tables[0], second)
    table = frame(runs)
    assert list(table["model_sha256"]) == ["a" * 64, "c" * 64, "a" * 64]
    assert list(table["host"]) == ["lab"] * 3


def _of(record: CellRecord, **changes: str) -> CellRecord:
    return replace(record, identity=replace(record.identity, **changes))


def test_two_engines_on_two_machines_with_the_same_card_are_told_apart() -> None:
    runs = [run("a", [cell("pytorch", 1, 10.0)]), run("b", [cell("onnxruntime", 1, 9.0)], host=on("other"))]
    assert titles(runs) == ["pytorch (A)", "onnxruntime (B)"]
    page = Page(runs)
    (pair,) = page.pairs(page.tables[0])
    assert "different conditions: B and A" in " ".join(inequalities(page.tables[0], pair))
    cards = [run("a", [cell("pytorch", 1, 10.0)]), run("b", [cell("acl", 1, 9.0, card="Atlas 300I")], host=on("other"))]
    assert titles(cards) == ["pytorch on Some CPU", "acl on Atlas 300I"], "of two cards it goes without saying"


def log(name: str, fps: float = 187.0, **origin: Any) -> CellRecord:
    told = Origin(tool="trtexec", source=name, sha256=name * 8, **origin)
    return elsewhere("Tesla T4", 1, fps, origin=told, id=name, invocation=0)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"version": "7.2.3"}, {"version": "8.6.1"}, ["trtexec 7.2.3", "trtexec 8.6.1"]),
        ({"model": "a.onnx"}, {"model": "b.onnx"}, ["a.onnx", "b.onnx"]),
        ({"settings": {"streams": "1"}}, {"settings": {"streams": "2"}}, ["streams: 1", "streams: 2"]),
    ],
)
def test_logs_of_different_things_are_columns_of_their_own(
    first: dict[str, Any], second: dict[str, Any], told: list[str]
) -> None:
    runs = [foreign([log("a", **first)], id="x"), foreign([log("b", **second)], id="y")]
    assert counts(runs) == [1, 1]
    assert titles(runs) == [f"trtexec imported ({words})" for words in told]
    assert f"imported ({told[1]})" in section(markdown.render(Page(runs), []), "Latency")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"version": "8.6.1"}, {"version": "8.6.1"}),
        ({"version": "8.6.1"}, {}),
        ({"settings": {"device": "0"}}, {"settings": {"device": "1"}}),
        ({"settings": {"streams": "1"}}, {"settings": {"streams": "1 (default)"}}),
    ],
)
def test_logs_of_one_thing_are_invocations(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert counts([foreign([log("a", **first)], id="x"), foreign([log("b", **second)], id="y")]) == [2]


def test_a_log_without_a_version_is_not_counted_with_one_of_two() -> None:
    runs = [foreign([log("a", version="7.2"), log("b", version="8.6"), log("c")])]
    assert titles(runs) == [f"trtexec imported ({v})" for v in ("trtexec 7.2", "trtexec 8.6", "version unknown")]


def test_a_log_that_was_imported_twice_is_no_second_invocation() -> None:
    once, again = foreign([log("a"), log("b")], id="x", cells_planned=2), foreign([log("a")], id="y", cells_planned=1)
    kept, notes = each_once([once, again])
    assert [[record.id for record in each.cells] for each in kept] == [["a", "b"]]
    assert notes == ["a of trtexec was imported more than once; it is taken once."]
    both, _ = each_once([once, foreign([log("a"), log("c")], id="y", cells_planned=2)])
    assert both[1].run.cells_planned == 1, "nothing was interrupted"
    assert each_once([measured("a"), measured("b")])[1] == []


@given(st.lists(st.sampled_from(["2", "4", "8"]), min_size=1, max_size=8))
def test_no_group_ever_holds_two_settings(threads: list[str]) -> None:
    runs = [measured(f"r{n}", own={"session": {"threads": told}}) for n, told in enumerate(threads)]
    groups = only_table(runs).groups.values()
    assert sorted(len(group.cells) for group in groups) == sorted(threads.count(told) for told in set(threads))
    assert all(len({record.session["threads"] for record in group.cells}) == 1 for group in groups)


def test_invocations_of_several_runs_are_numbered_through() -> None:
    runs = [measured("a", 10.0), measured("b", 10.1)]
    page = Page(runs)
    assert [page.name(record) for record in page.cells] == ["acl bs1 fp32 compute #1", "acl bs1 fp32 compute #2"]
    assert page.name(Page([measured("a")]).cells[0]).endswith("compute")
